"""`crewgraph plan` shows what would be done and what it would take, draws it, and does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from crewgraph.planner.plan import Estimate, TaskEstimate
from crewgraph.runtime.events import PlanMade, RunFinished, RunStarted, TaskFinished, TaskStarted
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.runtime.reading.history import summarise
from crewgraph.runtime.store import RunRecord
from crewgraph.serving.cli.pictures.inspector import print_run

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SPARE = """
    tasks=[
        Task(id="extra", description="count on", tool="count", args={"n": 1}, agent="counter", optional=True),
        Task(id="last", description="the last", tool="count", args={"n": 1}, depends_on=("extra",)),
    ],
)
"""


@pytest.fixture
def spare_file(crew_file: Path) -> Path:
    """A crew with a task that may be left out."""
    head, _, _ = crew_file.read_text().partition("    tasks=[")
    crew_file.write_text(head + SPARE.lstrip("\n"))
    return crew_file


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("crewgraph: ")
    assert line.endswith(".")
    for word in words:
        assert word in line


def test_it_prints_tasks_their_order_and_what_they_would_take(crewgraph: Run, crew_file: Path) -> None:
    done = crewgraph("plan", crew_file, "count to two")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.startswith("plan (rules): 2 tasks, 2.0 s, 0 tokens, 2 tool calls (0 of 2 tasks measured")
    assert [line.split()[1:3] for line in lines if "●" in line] == [["one", "counter:"], ["two", "counter:"]]
    assert "count(n=2)" in done.stdout
    assert not crew_file.with_name("calls.txt").exists()


def test_what_past_runs_took_stands_in_place_of_a_guess(crewgraph: Run, crew_file: Path) -> None:
    guessed = json.loads(crewgraph("plan", crew_file, "count", "--json").stdout)["estimate"]
    crewgraph("run", crew_file, "count")
    known = json.loads(crewgraph("plan", crew_file, "count", "--json").stdout)["estimate"]
    assert [task["measured"] for task in guessed["tasks"].values()] == [0, 0]
    assert [task["measured"] for task in known["tasks"].values()] == [2, 2]
    assert known["critical_seconds"] < guessed["critical_seconds"]
    assert known["path"] == ["one", "two"]


def test_json_is_one_object_with_tasks_estimate_and_findings(crewgraph: Run, crew_file: Path) -> None:
    crew_file.write_text("print('loading')\n" + crew_file.read_text())
    plan = json.loads(crewgraph("plan", crew_file, "count", "--json", "--seconds", "0.5").stdout)
    assert {"strategy", "notes", "tasks", "estimate", "findings"} <= set(plan)
    assert [task["id"] for task in plan["tasks"]] == ["one", "two"]
    assert plan["tasks"][1]["depends_on"] == ["one"]
    assert [finding["severity"] for finding in plan["findings"]] == ["note"], "by a guess nothing is refused"


def test_mermaid_is_all_that_is_printed(crewgraph: Run, crew_file: Path) -> None:
    crew_file.write_text("print('loading')\n" + crew_file.read_text())
    said = crewgraph("plan", crew_file, "count", "--mermaid").stdout
    assert said.startswith("flowchart TD\n")
    assert "n0 --> n1" in said
    refused(crewgraph("plan", crew_file, "count", "--mermaid", "--json"), "--json and --mermaid")


def test_it_is_drawn_into_a_file(crewgraph: Run, crew_file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plan.svg"
    assert crewgraph("plan", crew_file, "count", "--svg", picture).returncode == 0
    assert ET.parse(picture).getroot().tag.endswith("svg")
    refused(
        crewgraph("plan", crew_file, "count", "--svg", tmp_path / "no" / "plan.svg"), "cannot be drawn into"
    )


def test_a_plan_over_budget_is_refused_with_the_cheapest_alternative(
    crewgraph: Run, spare_file: Path
) -> None:
    over = crewgraph("plan", spare_file, "count", "--tool-calls", "1")
    refused(over, "2 tool calls", "the budget allows 1", "leave out extra, which makes it 1 tool call")
    assert "may be left out" in over.stdout, "the plan is shown all the same"
    told = json.loads(crewgraph("plan", spare_file, "count", "--tool-calls", "1", "--json").stdout)
    assert told["error"]["code"] == "invalid_plan"
    assert crewgraph("run", spare_file, "count", "--plan-only", "--tool-calls", "1").returncode == 2
    assert crewgraph("plan", spare_file, "count", "--tool-calls", "2").returncode == 0
    assert (
        "is not enough: allow 2 tool calls"
        in crewgraph("plan", spare_file, "count", "--tool-calls", "0").stderr
    )


def test_a_request_of_a_hundred_thousand_characters_is_refused_in_one_sentence(
    crewgraph: Run, crew_file: Path
) -> None:
    long = crewgraph("plan", crew_file, "-", stdin="word " * 20_001)
    refused(long, "longer than 64,000 characters")
    refused(crewgraph("plan", crew_file, "  "), "empty")


def test_help_is_there_without_loading_what_plans_are_made_with(home: Path) -> None:
    listing = (
        "import sys; from crewgraph.serving.cli.main import main; main(['--help']); "
        "print([m for m in sys.modules if m.startswith('crewgraph.planner')])"
    )
    environment = {**os.environ, "CREWGRAPH_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, env=environment, check=True
    )
    assert "  plan " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_inspector_sets_what_was_thought_beside_what_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    task = Task(id="w", description="write it", agent="writer")
    thought = Estimate(
        critical_seconds=4.1, tokens=1200, path=("w",), tasks={"w": TaskEstimate(seconds=4.1, tokens=1200)}
    )
    plan = PlanMade(at=1.0, tasks=(task,), strategy="rules", estimate=thought.model_dump(mode="json"))
    events = [
        RunStarted(at=1.0, crew="c", request="?"),
        plan,
        TaskStarted(at=2.0, task_id="w"),
        TaskFinished(at=5.8, task_id="w", result=TaskResult(text="!"), seconds=3.8, tokens=1150),
        RunFinished(at=6.0, answer="!", seconds=5.0, tokens=1150),
    ]
    record = RunRecord(id="r", crew="c", crew_path="", request="?", status="finished", created=1.0)
    print_run(record, summarise(events), full=False)
    shown = capsys.readouterr().out
    assert "estimated 4.1 s, 1,200 tokens; took 3.8 s, 1,150 tokens" in shown
    assert "3.8 s (estimated 4.1 s)  1,150 tokens (estimated 1,200)" in shown
    print_run(record, summarise(events[:2]), full=False)
    assert "waiting (estimated 4.1 s, 1,200 tokens)" in capsys.readouterr().out
    print_run(record, summarise([plan.model_copy(update={"estimate": None}), *events[2:]]), full=False)
    assert "estimated" not in capsys.readouterr().out
