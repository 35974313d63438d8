"""Plans that worked are listed, and taken away; nothing else is."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Agent, Crew, Task, tool
from crewgraph.planner.memory.memory import PlanMemory

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@tool
def search(query: str) -> str:
    """Look for texts."""
    return query


CREW = Crew(name="office", agents=[Agent("clerk", "Look.")], tools=[search])


@pytest.fixture
def three(home: Path) -> list[str]:
    """Requests whose plans are kept, one of them for a tenant."""
    requests = ["Look for wine", "Find the letters of Ann", "查找关于墨水的信"]

    async def keep() -> None:
        memory = PlanMemory(home / "plans")
        for request in requests:
            tasks = (Task(id="t", description="d", agent="clerk", tool="search", args={"query": request}),)
            tenant = "acme" if request == requests[1] else ""
            assert await memory.keep(request, tasks, CREW, run_id=request, strategy="model", tenant=tenant)
        await memory.aclose()

    asyncio.run(keep())
    return requests


def listed(crewgraph: Run, *arguments: str | Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(crewgraph("plans", *arguments, "--json").stdout)["plans"]
    return found


def test_kept_plans_are_listed(crewgraph: Run, three: list[str]) -> None:
    assert [plan["request"] for plan in listed(crewgraph)] == three[::-1]
    assert [plan["request"] for plan in listed(crewgraph, "--tenant", "acme")] == [three[1]]
    assert [plan["request"] for plan in listed(crewgraph, "--limit", "1")] == [three[2]]
    shown = crewgraph("plans").stdout
    assert all(text in shown for text in (*three, "office", "acme", "search"))


def test_plans_are_forgotten_by_the_beginning_of_their_id(crewgraph: Run, three: list[str]) -> None:
    newest, second, oldest = (plan["id"] for plan in listed(crewgraph))
    done = crewgraph("plans", "forget", newest[:8], oldest, "--json")
    assert json.loads(done.stdout) == {"forgotten": [newest, oldest]}
    assert [plan["id"] for plan in listed(crewgraph)] == [second]
    again = crewgraph("plans", "forget", second, newest[:8])
    assert (again.returncode, again.stdout) == (2, "")
    assert "crewgraph plans lists them" in again.stderr
    assert [plan["id"] for plan in listed(crewgraph)] == [second], "all of them, or none"


def test_all_plans_or_a_tenants_are_taken_away_where_somebody_says_so(
    crewgraph: Run, three: list[str]
) -> None:
    refused = crewgraph("plans", "clear")
    assert refused.returncode == 2
    assert "3 plans" in refused.stderr
    assert "--yes" in refused.stderr
    misplaced = crewgraph("plans", "--tenant", "acme", "clear", "--yes")
    assert misplaced.returncode == 2
    assert "after clear" in misplaced.stderr
    assert "1 plan." in crewgraph("plans", "clear", "--tenant", "acme", "--yes").stdout
    assert [plan["request"] for plan in listed(crewgraph)] == [three[2], three[0]]
    assert "2 plans" in crewgraph("plans", "clear", "--yes").stdout
    assert "No plans are kept yet" in crewgraph("plans").stdout


def test_where_no_plans_are_kept_it_says_why(
    crewgraph: Run, environment: dict[str, str], home: Path, three: list[str]
) -> None:
    environment["CREWGRAPH_PLANS"] = "off"
    assert crewgraph("plans").stdout == "No plans are kept: CREWGRAPH_PLANS says so.\n"
    environment["CREWGRAPH_PLANS"] = "ftp://somewhere"
    done = crewgraph("plans")
    assert done.returncode == 2
    assert "CREWGRAPH_PLANS" in done.stderr
    environment["CREWGRAPH_PLANS"] = str(home / "elsewhere")
    assert "No plans are kept yet" in crewgraph("plans").stdout
    assert not (home / "elsewhere").exists(), "looking makes nothing"
    environment["CREWGRAPH_PLANS"] = "http://127.0.0.1:9"
    done = crewgraph("plans")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "http://127.0.0.1:9" in done.stderr
    del environment["CREWGRAPH_PLANS"]
    environment["CREWGRAPH_DATABASE_KEY"] = "x" * 43 + "="
    assert crewgraph("plans").stdout == "No plans are kept: they would not be encrypted.\n"
