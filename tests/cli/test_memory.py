"""What agents remember is listed, shown, and forgotten where somebody says so."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crewgraph.agents.memory.entry import Provenance, Scope
from crewgraph.agents.memory.memory import Memory

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def four(home: Path) -> list[str]:
    """Memories of two tenants, one of them a value whose place another took; their texts, newest first."""

    async def keep() -> list[str]:
        memory = Memory(home / "memory")
        said = Provenance(by="user", run_id="run-7")
        await memory.remember("我喜欢喝绿茶", kind="preference", said=said)
        await memory.remember("Ann lives in Oslo", about=("Ann", "city", "Oslo"), said=said)
        await memory.remember("Ann lives in Rome", about=("Ann", "city", "Rome"), said=said)
        await memory.remember(
            "The safe is behind the mirror", scope=Scope(tenant="acme", agent="clerk"), said=said
        )
        found = [entry.text for entry in await memory.entries()]
        await memory.aclose()
        return found

    return asyncio.run(keep())


def listed(crewgraph: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(crewgraph("memory", "list", *arguments, "--json").stdout)[
        "memories"
    ]
    return found


def texts(crewgraph: Run, *arguments: str) -> list[str]:
    return [memory["text"] for memory in listed(crewgraph, *arguments)]


def test_memories_are_listed(crewgraph: Run, four: list[str]) -> None:
    assert texts(crewgraph, "--all") == four
    assert texts(crewgraph) == [text for text in four if "Oslo" not in text]
    assert texts(crewgraph, "--tenant", "acme") == ["The safe is behind the mirror"]
    assert texts(crewgraph, "the city of Ann") == ["Ann lives in Rome"]
    assert texts(crewgraph, "--limit", "1") == four[:1]
    shown = crewgraph("memory", "list").stdout
    assert all(text in shown for text in ("我喜欢喝绿茶", "Ann lives in Rome", "acme", "agent clerk", "user"))


def test_one_memory_is_shown_with_who_said_it_and_what_was_before(crewgraph: Run, four: list[str]) -> None:
    rome = listed(crewgraph, "the city of Ann")[0]["id"]
    shown = crewgraph("memory", "show", rome[:8]).stdout
    assert all(text in shown for text in ("Ann · city: Rome", "run-7", "by user", "Oslo"))
    found = json.loads(crewgraph("memory", "show", rome, "--json").stdout)
    assert found["memory"]["value"] == "Rome"
    assert [before["value"] for before in found["before"]] == ["Oslo"]
    unknown = crewgraph("memory", "show", "zzz")
    assert unknown.returncode == 2
    assert "crewgraph memory list" in unknown.stderr


def test_memories_are_forgotten_by_the_beginning_of_their_id(
    crewgraph: Run, four: list[str], home: Path
) -> None:
    rome = listed(crewgraph, "the city of Ann")[0]["id"]
    again = crewgraph("memory", "forget", rome[:8], "zzz")
    assert again.returncode == 2
    assert texts(crewgraph, "--all") == four, "all of them, or none"
    assert "Forgot 2 memories." in crewgraph("memory", "forget", rome[:8]).stdout
    assert len(texts(crewgraph, "--all")) == 2
    assert "Oslo" not in (home / "memory" / "common.jsonl").read_text()


def test_by_a_query_an_age_or_wholly_only_where_somebody_says_so(
    crewgraph: Run, four: list[str], home: Path
) -> None:
    for how in (["--about", "safe"], ["--all"], ["--faded", "1"]):
        refused = crewgraph("memory", "forget", *how)
        assert refused.returncode == 2
        assert "--yes" in refused.stderr
    both = crewgraph("memory", "forget", "--all", "--about", "safe", "--yes")
    assert both.returncode == 2
    assert "Say what to forget" in both.stderr
    assert crewgraph("memory", "forget", "--older-than", "1d").stdout == "Forgot 0 memories.\n"
    assert crewgraph("memory", "forget", "--older-than", "x").returncode == 2
    assert "1 memory." in crewgraph("memory", "forget", "--about", "safe", "--yes").stdout
    assert "Forgot 0" in crewgraph("memory", "forget", "--all", "--tenant", "acme", "--yes").stdout
    done = json.loads(crewgraph("memory", "forget", "--all", "--yes", "--json").stdout)
    assert len(done["forgotten"]) == 3
    assert "Nothing is remembered yet" in crewgraph("memory", "list").stdout
    assert list((home / "memory").glob("*.jsonl")) in ([], [home / "memory" / "of-acme.jsonl"])


def test_where_no_memories_are_kept_it_says_why(crewgraph: Run, environment: dict[str, str]) -> None:
    assert "Nothing is remembered yet" in crewgraph("memory", "list").stdout
    environment["CREWGRAPH_MEMORY"] = "off"
    assert "CREWGRAPH_MEMORY says so" in crewgraph("memory", "list").stdout
