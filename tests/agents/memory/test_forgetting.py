"""What is forgotten is gone: from recall, from the disk, for every process, and it does not come back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from crewgraph.agents.memory.entry import Provenance, Scope
from crewgraph.agents.memory.memory import Memory
from crewgraph.agents.memory.ranking import Recalled


def on_disk(folder: Path) -> bytes:
    return b"".join(file.name.encode() + file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_what_is_forgotten_is_found_no_more(memory: Memory) -> None:
    made = await memory.remember("The safe is behind the mirror")
    await memory.remember("The mirror is in the hall")
    assert made is not None
    assert await memory.forget(made.id) == [made.id]
    assert await memory.forget(made.id) == []
    assert [e.text for e in (await memory.recall("safe mirror")).entries] == ["The mirror is in the hall"]
    assert [entry.text for entry in await memory.entries()] == ["The mirror is in the hall"]


async def test_its_bytes_are_gone_from_the_disk_and_other_processes_lose_it(
    kept: Memory, tmp_path: Path
) -> None:
    other = Memory(tmp_path / "memory")
    made = await kept.remember("The safe is behind the mirror", about=("safe", "place", "Zanzibar-mirror"))
    await kept.remember("The clock is slow")
    assert len((await other.recall("safe")).found) == 1
    assert b"Zanzibar" in on_disk(tmp_path / "memory")
    assert made is not None
    await kept.forget(made.id)
    assert b"Zanzibar" not in on_disk(tmp_path / "memory")
    assert b"The clock is slow" in on_disk(tmp_path / "memory")
    assert len((await other.recall("safe")).found) == 0
    assert len((await other.recall("clock")).found) == 1
    await other.aclose()


async def test_a_fact_takes_its_earlier_values_along(kept: Memory, tmp_path: Path) -> None:
    made = [
        await kept.remember(f"Ann's number is {n}", about=("Ann", "number", str(n)))
        for n in (111222, 333444, 555666)
    ]
    await kept.remember("Bob's number is 777888", about=("Bob", "number", "777888"))
    last = made[-1]
    assert last is not None
    assert len(await kept.forget(last.id)) == 3
    assert not any(number in on_disk(tmp_path / "memory") for number in (b"111222", b"333444", b"555666"))
    assert await kept.history("Ann", "number") == []
    assert len(await kept.history("Bob", "number")) == 1


async def test_a_run_that_is_taken_up_again_does_not_bring_it_back(memory: Memory) -> None:
    made = await memory.remember("The safe is behind the mirror", key="run/1")
    assert made is not None
    await memory.forget(made.id)
    assert await memory.remember("The safe is behind the mirror", key="run/1") is None
    assert await memory.entries() == []
    assert await memory.remember("The safe is behind the mirror", key="run/2") is not None, (
        "somebody said it anew"
    )


async def test_by_a_query_only_what_was_agreed_to(memory: Memory) -> None:
    await memory.remember("The safe is behind the mirror")
    await memory.remember("The clock is slow")
    shown: list[str] = []

    async def no(found: Sequence[Recalled]) -> bool:
        shown.extend(one.entry.text for one in found)
        return False

    async def yes(found: Sequence[Recalled]) -> bool:
        return True

    assert await memory.forget_about("safe", confirm=no) == []
    assert shown == ["The safe is behind the mirror"]
    assert len(await memory.forget_about("safe", confirm=yes)) == 1
    assert [entry.text for entry in await memory.entries()] == ["The clock is slow"]


async def test_by_age_by_decay_and_by_expiry(memory: Memory) -> None:
    now, day = time.time(), 86400.0
    for text, ago, sure, expires in (
        ("Old box", 400 * day, 1.0, None),
        ("Fading box", 200 * day, 1.0, None),
        ("Doubtful box", 60 * day, 0.3, None),
        ("Expired box", 1 * day, 1.0, now - 5),
        ("Fresh box", 1 * day, 1.0, None),
    ):
        await memory.remember(text, said=Provenance(at=now - ago), confidence=sure, expires=expires)

    async def left() -> list[str]:
        return [entry.text for entry in await memory.entries()]

    await memory.forget_old(before=now - 365 * day)
    assert await left() == ["Fresh box", "Doubtful box", "Fading box"]
    await memory.forget_old(weaker_than=0.3)
    assert await left() == ["Fresh box"]


async def test_a_tenant_goes_wholly_and_nobody_else_does(kept: Memory, tmp_path: Path) -> None:
    for tenant in ("", "acme", "Other"):
        await kept.remember("The safe is behind the mirror", scope=Scope(tenant=tenant))
    assert await kept.tenants() == ["", "Other", "acme"]
    assert await kept.forget_tenant("acme") == 1
    assert await kept.forget_tenant("acme") == 0
    assert b"acme" not in on_disk(tmp_path / "memory")
    assert await kept.tenants() == ["", "Other"]
    assert not (await kept.recall("safe", Scope(tenant="acme"))).found
    assert (await kept.recall("safe", Scope(tenant="Other"))).found
    await kept.remember("A new safe", scope=Scope(tenant="acme"))
    assert len(await kept.entries("acme")) == 1
