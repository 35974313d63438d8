"""A run waits for a person as long as it takes, and whoever answers on the command line lets it go on."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Terminal

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def paid(buying: Path) -> list[str]:
    file = buying.with_name("paid")
    return file.read_text().split() if file.exists() else []


def questions(crewgraph: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(crewgraph("questions", *arguments, "--json").stdout)["questions"]
    return found


@pytest.fixture
def waiting(crewgraph: Run, buying: Path) -> str:
    """The id of a run that waits for leave to pay."""
    done = crewgraph("run", buying, "buy tea", "--json")
    assert done.returncode == 4
    run_id: str = json.loads(done.stdout)["error"]["run_id"]
    return run_id


@pytest.fixture
def in_doubt(crewgraph: Run, waiting: str, buying: Path) -> str:
    """The id of a run whose process died while it paid."""
    buying.with_name("die").touch()
    assert crewgraph("answer", waiting, "--approve").returncode == 9
    buying.with_name("die").unlink()
    assert paid(buying) == ["Ann=30"]
    return waiting


def test_a_run_that_waits_ends_with_4_and_the_command_that_answers(crewgraph: Run, buying: Path) -> None:
    done = crewgraph("run", buying, "buy tea")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "May clerk call the tool pay?" in done.stderr
    assert "shake clerk: attempt 1 failed, again: The tool shaky failed: RuntimeError: not yet" in done.stdout
    assert "dear clerk: skipped: Its condition is not met: 4 above 5." in done.stdout
    assert "pay clerk: asks: May clerk call the tool pay?" in done.stdout
    asked = crewgraph("questions").stdout
    assert 'arguments: {"amount": 30, "to": "Ann"}' in asked
    command = next(line.strip() for line in asked.splitlines() if "crewgraph answer" in line)
    assert command.partition(" (or")[0] in done.stderr
    shown = crewgraph("show").stdout
    assert "? pay clerk  asking" in shown
    assert "begun 2 times" in shown
    assert command in shown
    assert [run["status"] for run in json.loads(crewgraph("runs", "--json").stdout)["runs"]] == ["waiting"]
    assert paid(buying) == []


def test_approved_it_goes_on_in_the_same_command(crewgraph: Run, waiting: str, buying: Path) -> None:
    (asked,) = questions(crewgraph)
    assert (asked["run_id"], asked["task_id"], asked["choices"]) == (
        waiting,
        "pay",
        ["approve", "edit", "reject"],
    )
    done = json.loads(crewgraph("answer", waiting, asked["key"][:8], "--approve", "--json").stdout)
    assert done["run_id"] == waiting
    assert {task["id"]: task["state"] for task in done["tasks"]} == {
        "look": "finished",
        "shake": "finished",
        "dear": "skipped",
        "pay": "finished",
        "sum": "finished",
    }
    assert paid(buying) == ["Ann=30"]
    assert questions(crewgraph) == []
    assert "waits for no answer" in crewgraph("questions", waiting).stdout
    assert "Nothing waits" in crewgraph("questions").stdout


def test_edited_it_is_done_so(crewgraph: Run, waiting: str, buying: Path) -> None:
    done = crewgraph(
        "answer", "last", "--edit", '{"amount": 9, "to": "Bob"}', "--note", "cheaper", "--by", "Eve"
    )
    assert done.returncode == 0, done.stderr
    assert paid(buying) == ["Bob=9"]
    assert "Eve answered edit: cheaper" in crewgraph("show").stdout


def test_rejected_it_is_not_done_and_the_run_fails_with_the_reason(
    crewgraph: Run, waiting: str, buying: Path
) -> None:
    done = crewgraph("answer", waiting, "--reject", "--note", "we have tea", "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["run_id"]) == ("rejected", waiting)
    assert "we have tea" in error["message"]
    assert paid(buying) == []


def test_an_answer_may_be_left_for_later_and_the_first_one_counts(
    crewgraph: Run, waiting: str, buying: Path
) -> None:
    left = crewgraph("answer", waiting, "--approve", "--later")
    assert left.returncode == 0
    assert f"crewgraph resume {waiting}" in left.stdout
    assert paid(buying) == []
    assert questions(crewgraph) == []
    twice = crewgraph("answer", waiting, "--reject")
    assert twice.returncode == 2
    assert "has been answered" in twice.stderr
    assert crewgraph("resume", waiting).returncode == 0
    assert paid(buying) == ["Ann=30"]


def test_of_a_step_in_doubt_a_person_says_that_it_happened(
    crewgraph: Run, in_doubt: str, buying: Path
) -> None:
    resumed = crewgraph("resume", in_doubt)
    assert resumed.returncode == 4
    assert f"crewgraph answer {in_doubt} --happened (or --again)" in resumed.stderr
    for said in (("--approve",), ("--reject",), ("--answer", "3")):
        refused = crewgraph("answer", in_doubt, *said)
        assert refused.returncode == 2
        assert "in doubt" in refused.stderr
    done = crewgraph("answer", in_doubt, "--happened", "--answer", "paid by post")
    assert done.returncode == 0, done.stderr
    assert paid(buying) == ["Ann=30"]
    assert "paid by post" in crewgraph("show").stdout


def test_of_a_step_in_doubt_a_person_says_that_it_did_not_happen(
    crewgraph: Run, in_doubt: str, buying: Path
) -> None:
    (asked,) = questions(crewgraph)
    assert asked["in_doubt"]
    assert asked["about"] == {"amount": 30, "to": "Ann"}
    assert crewgraph("answer", in_doubt, "--again").returncode == 0
    assert paid(buying) == ["Ann=30", "Ann=30"]


def test_where_several_questions_wait_one_is_named(crewgraph: Run, buying: Path) -> None:
    buying.write_text(
        buying.read_text().replace('description="look the', 'approval=True, description="look the')
    )
    buying.write_text(
        buying.read_text().replace("when=Condition", "approval=True, when=Condition").replace("to=5", "to=3")
    )
    waits = crewgraph("run", buying, "buy tea")
    assert waits.returncode == 4
    assert "waits for 2 answers" in waits.stderr
    assert "crewgraph questions r-" in waits.stderr
    which = crewgraph("answer", "last", "--approve")
    assert which.returncode == 2
    keys = [asked["key"] for asked in questions(crewgraph)]
    assert len(keys) == 2
    assert all(key[:8] in which.stderr for key in keys)
    assert all(key[:8] in crewgraph("questions").stdout for key in keys)
    first = crewgraph("answer", "last", keys[0][:8], "--approve")
    assert first.returncode == 4
    assert [asked["key"] for asked in questions(crewgraph)] == keys[1:]


def test_what_is_no_answer_is_refused_in_one_sentence_and_changes_nothing(
    crewgraph: Run, waiting: str, buying: Path
) -> None:
    for said, words in {
        (): "Say one thing",
        ("--approve", "--reject"): "not 2",
        ("--edit", "{amount: 1}"): "is not JSON",
        ("--answer", '{"amount"'): "is not JSON",
        ("--edit", "null"): "give question",
        ("--answer", "fine"): "choose one of approve, edit, reject",
        ("--happened",): "step in doubt",
        ("--again",): "step in doubt",
        ("nosuchkey", "--approve"): "no open question 'nosuchkey'",
        ("--approve", "--crew", "nowhere.py"): "no crew file",
    }.items():
        done = crewgraph("answer", waiting, *said)
        assert (done.returncode, done.stdout) == (2, ""), said
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert len(questions(crewgraph)) == 1
    assert paid(buying) == []


def test_a_run_that_waits_for_nothing_takes_no_answer(crewgraph: Run, crew_file: Path) -> None:
    crewgraph("run", crew_file, "count")
    done = crewgraph("answer", "last", "--approve")
    assert done.returncode == 2
    assert "waits for no answer" in done.stderr
    unknown = crewgraph("answer", "r-nothing", "--approve")
    assert unknown.returncode == 2
    assert "r-nothing" in unknown.stderr


def test_whoever_sits_at_the_terminal_is_asked_there_and_the_run_goes_on(
    terminal: Callable[..., Terminal], buying: Path, crewgraph: Run
) -> None:
    desk = terminal("run", buying, "buy tea")
    desk.see("answer> ")
    assert "May clerk call the tool pay?" in desk.seen
    assert 'arguments: {"amount": 30, "to": "Ann"}' in desk.seen
    desk.type("what?")
    desk.see("Say one of: approve, edit, reject, later.")
    desk.see("answer> ")
    desk.type("ed")
    desk.see("(JSON): ")
    desk.type('{"amount"')
    desk.see("That is not JSON")
    desk.type('{"amount": 5, "to": "Ann"}')
    desk.see("paid 5 to Ann")
    assert desk.leave() == 0
    assert paid(buying) == ["Ann=5"]
    assert questions(crewgraph) == []


def test_an_answer_that_comes_while_the_run_is_at_work_is_taken(
    crewgraph: Run, start: Callable[..., subprocess.Popen[str]], crew_file: Path
) -> None:
    gate = crew_file.with_name("gate")
    gate.unlink()
    asking = 'Task(id="three", description="three", tool="count", args={"n": 1}, approval=True),'
    last = 'Task(id="four", description="four", tool="count", args={"n": 1}, depends_on=("two", "three")),'
    crew_file.write_text(
        crew_file.read_text().replace("    ],\n)", f"        {asking}\n        {last}\n    ],\n)")
    )
    running = start("run", crew_file, "count", "--json")
    until = time.monotonic() + 60
    while not questions(crewgraph):
        assert running.poll() is None
        assert time.monotonic() < until
    left = crewgraph("answer", "last", "--approve")
    assert left.returncode == 0, left.stderr
    assert "is being carried out" in left.stdout
    gate.touch()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert {task["state"] for task in json.loads(out)["tasks"]} == {"finished"}


def test_where_somebody_else_was_quicker_their_answer_counts(
    terminal: Callable[..., Terminal], buying: Path, crewgraph: Run
) -> None:
    desk = terminal("run", buying, "buy tea")
    desk.see("answer> ")
    edit = ("--edit", '{"amount": 2, "to": "Bob"}')
    assert crewgraph("answer", "last", *edit, "--later").returncode == 0
    desk.type("approve")
    desk.see("no open question")
    desk.see("paid 2 to Bob")
    assert desk.leave() == 0
    assert paid(buying) == ["Bob=2"]


@pytest.mark.parametrize("width", [80, 120])
def test_at_the_terminal_it_may_be_left_for_later(
    terminal: Callable[..., Terminal], buying: Path, crewgraph: Run, width: int
) -> None:
    desk = terminal("run", buying, "buy tea", width=width)
    desk.see("answer> ")
    desk.type("later")
    desk.see("--approve")
    assert desk.leave() == 4
    assert len(questions(crewgraph)) == 1
    again = terminal("resume", "last", width=width)
    again.see("answer> ")
    again.type("reject")
    again.see("Why (or nothing): ")
    again.type("no money")
    again.see("no money")
    assert again.leave() == 1
    assert paid(buying) == []


def test_in_a_chat_at_the_terminal_it_is_asked_there_too(
    terminal: Callable[..., Terminal], buying: Path
) -> None:
    desk = terminal("chat", buying)
    desk.see("you> ")
    desk.type("buy tea")
    desk.see("answer> ")
    desk.type("approve")
    desk.see("you> ")
    desk.type("/quit")
    assert desk.leave() == 0
    assert paid(buying) == ["Ann=30"]


def test_of_a_step_in_doubt_it_is_asked_at_the_terminal_whether_it_happened(
    terminal: Callable[..., Terminal], in_doubt: str, buying: Path
) -> None:
    desk = terminal("resume", in_doubt)
    desk.see("answer> ")
    assert "did it happen?" in " ".join(desk.seen.split()), "wherever the line is broken"
    desk.type("yes")
    desk.see("or nothing): ")
    desk.type("")
    assert desk.leave() == 0
    assert paid(buying) == ["Ann=30"]
