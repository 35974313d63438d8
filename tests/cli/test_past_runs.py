"""Past runs are gone through again, left in the middle, compared, and the step that went wrong is found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crewgraph.agents.agent import Agent
from crewgraph.agents.crew import Crew
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import ReplayDiverged
from crewgraph.serving.cli.failure import Failure
from crewgraph.serving.house import House
from crewgraph.serving.settings import Settings

Run = Callable[..., "subprocess.CompletedProcess[str]"]

TEA = '''
from pathlib import Path

from crewgraph import Agent, Crew, Task, tool

HERE = Path(__file__).parent


@tool
def price(item: str) -> int:
    """The price of an item."""
    with (HERE / "calls").open("a") as calls:
        calls.write(f"{item} ")
    return int((HERE / item).read_text())


@tool
def add(a: int, b: int) -> int:
    """A sum."""
    return a + b


crew = Crew(
    name="tea",
    agents=[Agent("clerk", "Know prices.", tools=[price, add])],
    tasks=[
        Task(id="one", description="a price", tool="price", args={"item": "sencha"}, agent="clerk"),
        Task(
            id="two", description="a price", tool="price", args={"item": "assam"}, agent="clerk",
            depends_on=("one",),
        ),
        Task(
            id="sum", description="add", tool="add", args={"a": "$one.value", "b": "$two.value"}, agent="clerk",
        ),
    ],
)
'''
"""A crew whose tools read prices from files and write down that they were called."""


@pytest.fixture
def tea(tmp_path: Path) -> Path:
    (tmp_path / "sencha").write_text("5")
    (tmp_path / "assam").write_text("3")
    file = tmp_path / "tea.py"
    file.write_text(TEA)
    return file


def calls(tea: Path) -> list[str]:
    return tea.with_name("calls").read_text().split()


def said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def good(crewgraph: Run, tea: Path) -> str:
    """The id of a run that came to 8."""
    ran = said(crewgraph("run", tea, "add the prices", "--json"))
    assert "8" in ran["answer"]
    run_id: str = ran["run_id"]
    return run_id


def test_a_replay_that_diverges_names_what_differs_first(crewgraph: Run, tea: Path, good: str) -> None:
    tea.write_text(TEA.replace('"a": "$one.value"', '"a": 6'))
    done = crewgraph("replay", good)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "args.a: '$one.value' → 6" in done.stderr
    tea.write_text(TEA.replace("@tool\ndef add", "@tool(approval=True)\ndef add"))
    told = crewgraph("replay", good, "--json")
    error = json.loads(told.stdout)["error"]
    assert (error["code"], error["task"], error["step"]) == ("replay_diverged", "sum", "approve:add")
    assert (error["journal"], error["asked"]["about"]["arguments"]) == (None, {"a": 5, "b": 3})
    assert calls(tea) == ["sencha", "assam"]


async def test_where_a_step_has_other_inputs_now_both_are_shown(tmp_path: Path) -> None:
    def desk(goal: str) -> Crew:
        return Crew([Agent("host", goal)], name="desk")

    async with House.open(Settings(home=tmp_path), client=ScriptedModel(lambda _: "Hello.")) as house:
        ran = await house.ask(desk("Be kind."), "Hello!")
        with pytest.raises(ReplayDiverged) as diverged:
            await house.replay(ran.run_id, desk("Be terse."))
    failure = Failure.of(diverged.value)
    assert failure.exit_code == 1
    assert (failure.told["task"], failure.told["step"]) == ("answer", "model")
    journal, code = failure.below
    assert journal.startswith("  the journal: {")
    assert "Be kind." in journal
    assert code.startswith("  the code:    {")
    assert "Be terse." in code


def test_a_fork_carries_on_live_from_a_step_and_leaves_the_run_as_it_is(
    crewgraph: Run, tea: Path, good: str
) -> None:
    before = crewgraph("show", good, "--full").stdout
    tea.with_name("assam").write_text("40")
    forked = crewgraph("fork", good, "--at", "two")
    assert forked.returncode == 0, forked.stderr
    assert "45" in forked.stdout
    assert f"forked from {good}" in forked.stdout.splitlines()[-1]
    assert calls(tea) == ["sencha", "assam", "assam"]
    shown = crewgraph("show").stdout
    assert f"forked from {good} at event #" in shown
    assert crewgraph("show", good, "--full").stdout == before


def test_a_fork_can_change_a_result_an_argument_or_the_model(crewgraph: Run, tea: Path, good: str) -> None:
    tea.with_name("mate").write_text("100")
    other = said(crewgraph("fork", good, "--at", "two", "--set", "args.item=mate", "--json"))
    assert "105" in other["answer"]
    assert other["forked_from"] == good
    key = next(
        step["key"]
        for task in said(crewgraph("show", good, "--json"))["tasks"]
        for step in task["steps"]
        if task["id"] == "one"
    )
    given = said(crewgraph("fork", good, "--at", key[:10], "--set", "output.value=20", "--json"))
    assert "23" in given["answer"]
    assert calls(tea) == ["sencha", "assam", "mate", "assam"]
    later = said(crewgraph("fork", good, "--at", "plan", "--model", "another", "--later", "--json"))
    assert (later["forked_from"], later["model"]) == (good, "another")
    assert said(crewgraph("runs", "--json"))["runs"][0]["status"] == "interrupted"
    assert "8" in said(crewgraph("resume", later["run_id"], "--json"))["answer"]


def test_a_fork_that_cannot_be_is_one_sentence_and_makes_no_run(crewgraph: Run, good: str) -> None:
    for arguments, words in {
        ("--at", "#99999"): "no fork point '#99999'",
        ("--at", "#0"): "no fork point '#0'",
        ("--at", "nothing"): "No task 'nothing'",
        ("--at", "one:nothing"): "No step of task 'one' is called 'nothing'",
        ("--at", "one", "--set", "result"): "sets nothing",
        ("--at", "one", "--set", "=3"): "sets nothing",
        ("--at", "one", "--set", "colour=3"): "'colour' cannot be set",
        ("--at", "one", "--set", "result=1", "--set", "result=2"): "given twice",
        ("--at", "one", "--crew", "nowhere.py"): "no crew file",
        (): "--at",
    }.items():
        done = crewgraph("fork", good, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
    assert len(said(crewgraph("runs", "--json"))["runs"]) == 1


def test_two_runs_are_compared_by_what_changed_first_and_what_followed(
    crewgraph: Run, tea: Path, good: str
) -> None:
    tea.with_name("assam").write_text("40")
    bad = said(crewgraph("run", tea, "add the prices", "--json"))["run_id"]
    told = crewgraph("diff", good, bad).stdout
    assert [line.split()[:2] for line in told.splitlines()[:2]] == [["A", good], ["B", bad]]
    assert "first change: step 'tool:price' of task 'two'" in told
    assert "output.value: 3 → 40" in told
    assert "→ task 'sum' through 'two'" in told
    assert "answer of B:" in told
    found = said(crewgraph("diff", good, bad, "--json"))
    assert (found["run_a"], found["run_b"], found["same"]) == (good, bad, False)
    assert found["first"]["task_id"] == "two"
    assert [task["id"] for task in found["tasks"] if task["state"] == "same"] == ["", "one"]
    same = crewgraph("diff", good, good).stdout
    assert "no difference" in same
    unknown = crewgraph("diff", good, "r-nothing")
    assert unknown.returncode == 2
    assert "r-nothing" in unknown.stderr


def test_the_step_that_made_the_answer_wrong_is_found(crewgraph: Run, tea: Path, good: str) -> None:
    tea.with_name("assam").write_text("40")
    bad = said(crewgraph("run", tea, "add the prices", "--json"))["run_id"]
    found = said(crewgraph("bisect", good, bad, "--json"))
    assert (found["good"], found["bad"]) == (good, bad)
    assert (found["step"]["task_id"], found["step"]["name"]) == ("two", "tool:price")
    told = crewgraph("bisect", good, bad).stdout
    assert "culprit: step 'tool:price' of task 'two'" in told
    assert "output.value: 3 → 40" in told
    assert calls(tea) == ["sencha", "assam"] * 2
    assert len(said(crewgraph("runs", "--json"))["runs"]) == 2
    refused = crewgraph("bisect", good, good)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
