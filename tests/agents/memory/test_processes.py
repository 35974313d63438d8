"""Processes that share a folder lose nothing of each other's, and see it at once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from crewgraph.agents.memory.memory import Memory

from .conftest import MEANING


async def test_what_one_process_remembers_the_other_recalls_while_both_are_at_work(tmp_path: Path) -> None:
    script = str(Path(__file__).with_name("writing_child.py"))
    memory = Memory(tmp_path, MEANING)
    await memory.remember("The first box stands in row 0")
    children = [
        await asyncio.create_subprocess_exec(sys.executable, script, str(tmp_path), name, "20", stdout=-1)
        for name in ("a", "b")
    ]
    for n in range(20):
        await memory.remember(f"Box c{n} stands in row {n}")
    assert all([await child.wait() == 0 for child in children])
    for child in children:
        assert child.stdout is not None
        assert int(await child.stdout.read()) >= 21
    found = {entry.text for entry in (await memory.recall("box row", limit=1000)).entries}
    assert {f"Box {name}{n} stands in row {n}" for name in "abc" for n in range(20)} <= found
    values = await memory.history("boxes", "count")
    assert len(values) == 40
    assert len([entry for entry in values if not entry.superseded_by]) == 1
    await memory.aclose()


async def test_what_a_process_without_a_model_kept_is_found_by_meaning_later(tmp_path: Path) -> None:
    plain = Memory(tmp_path)
    await plain.remember("The safe is behind the mirror")
    meant = Memory(tmp_path, MEANING)
    await meant.recall("safe")
    await meant.aclose()
    assert b'"vectors"' in (tmp_path / "common.jsonl").read_bytes()
    found = await plain.recall("safe mirror")
    assert [entry.text for entry in found.entries] == ["The safe is behind the mirror"]
    assert len(await plain.entries()) == 1
    await plain.aclose()


async def test_a_line_that_was_cut_short_costs_that_line_alone(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    await memory.remember("The safe is behind the mirror")
    file = tmp_path / "common.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"put":[{"text":"The clo')
    assert len(await memory.entries()) == 1
    await memory.remember("The clock is slow")
    other = Memory(tmp_path)
    assert {entry.text for entry in await other.entries()} == {
        "The safe is behind the mirror",
        "The clock is slow",
    }
    assert len(await memory.entries()) == 2
    await memory.aclose()
    await other.aclose()


async def test_a_file_that_has_grown_long_is_written_anew_with_the_same_memories(tmp_path: Path) -> None:
    memory, other = Memory(tmp_path), Memory(tmp_path)
    for n in range(1_100):
        await memory.remember("The lift is broken", key=f"run/{n}")
    assert len((tmp_path / "common.jsonl").read_bytes().splitlines()) < 1_100
    assert await other.entries() == await memory.entries()
    assert len(await other.entries()) == 1
    await memory.aclose()
    await other.aclose()
