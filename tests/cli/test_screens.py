"""A run can be followed in a terminal of any width, and in a pipe without a control character."""

from __future__ import annotations

import io
import re
from functools import partial

import pytest
from rich.cells import cell_len
from rich.console import Console

from crewgraph.runtime.events import (
    Answer,
    Answered,
    Asked,
    BudgetLow,
    Event,
    Noted,
    PlanMade,
    RunFinished,
    RunForked,
    RunStarted,
    StepFinished,
    StepIntended,
    TaskErred,
    TaskFinished,
    TaskRetried,
    TasksAdded,
    TaskSkipped,
    TaskStarted,
    TextDelta,
)
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.serving.cli.pictures.console import Column, print_table
from crewgraph.serving.cli.screens.live import LiveScreen
from crewgraph.serving.cli.screens.plain import PlainScreen
from crewgraph.serving.cli.screens.text import calls, clean, money, one_line, seconds, size, tokens
from crewgraph.serving.engines import Progress

WIDE = "比较法国和德国的人口并说明差异" * 3
HOSTILE = "\x1b[31mred\x1b[0m\x1b]0;title\x07\u202egnp\r\x08"

RUN: list[Event] = [
    RunStarted(crew="桌", request=WIDE),
    PlanMade(
        tasks=(
            Task(id="t1", description=f"look up {WIDE}", agent="研究员"),
            Task(id="t2", description="compare", agent="analyst", depends_on=("t1",)),
            Task(id="t3", description="write", agent="editor", depends_on=("t2",)),
        ),
        strategy="rules",
        notes=("the model is too small to plan",),
    ),
    TaskStarted(task_id="t1"),
    StepIntended(task_id="t1", name="model", key="k1"),
    TextDelta(task_id="t1", text=WIDE + HOSTILE),
    StepFinished(task_id="t1", name="model", key="k1", tokens=1234, seconds=1.0),
    Noted(task_id="t1", text=f"a draft was set aside {HOSTILE}"),
    TaskFinished(task_id="t1", result=TaskResult(text=WIDE + HOSTILE), seconds=61.2, tokens=1234),
    TaskStarted(task_id="t2"),
    TextDelta(task_id="t2", text=f"{WIDE} thinking {HOSTILE} about\nit "),
    TaskErred(task_id="t2", error="the tool failed"),
    TaskSkipped(task_id="t3", because="t2 has no result"),
    RunFinished(answer="done"),
]


def live_screen(width: int, events: list[Event]) -> str:
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, width=width, height=40, highlight=False, legacy_windows=False
    )
    with LiveScreen(console) as screen:
        for event in events:
            screen.event(event)
    return file.getvalue()


def visible(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").split("\n")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("upto", [1, 3, 5, 10, len(RUN)])
def test_the_live_tree_fits_every_terminal_with_wide_signs_counted_as_two(width: int, upto: int) -> None:
    shown = live_screen(width, RUN[:upto])
    assert max(map(cell_len, visible(shown))) <= width


def test_the_live_tree_shows_roles_states_tokens_seconds_notes_and_what_is_written() -> None:
    under_way = "\n".join(visible(live_screen(100, RUN[:10])))
    for said in (
        "研究员",
        "analyst",
        "1,234 tokens",
        "1 min 01 s",
        "●",
        "○",
        "about it",
        "note: the model is too",
    ):
        assert said in under_way
    ended = "\n".join(visible(live_screen(100, RUN)))
    assert "✗ analyst" in ended
    assert "– editor" in ended
    assert "the tool failed" in ended


def test_what_models_write_cannot_drive_the_terminal() -> None:
    assert clean(HOSTILE + "a\tb\nc") == "redgnpa\tb\nc"
    shown = live_screen(100, RUN)
    assert "\x1b[31mred" not in shown
    assert "\x1b]0;" not in shown
    assert "\u202e" not in shown


def test_the_start_of_an_engine_is_shown_with_its_size() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, highlight=False)
    with LiveScreen(console) as screen:
        screen.progress(Progress("pulling the model", 50_000_000, 100_000_000))
        screen._live.refresh()
    assert "50 MB of 100 MB" in file.getvalue()


def test_in_a_pipe_every_event_that_matters_is_one_line_without_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with PlainScreen() as screen:
        screen.progress(Progress("pulling the model", 1, 2))
        screen.progress(Progress("pulling the model", 2, 2))
        for event in RUN:
            screen.event(event)
    said = capsys.readouterr()
    assert said.err == "pulling the model\n"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said.out)
    lines = said.out.splitlines()
    assert lines[1] == "plan (rules): 3 tasks"
    assert lines[3] == "  t2 analyst: compare (after t1)"
    assert "plan: note: the model is too small to plan" in lines
    assert "t1 研究员: started" in lines
    assert any(line.startswith("t1 研究员: done in 1 min 01 s, 1,234 tokens: ") for line in lines)
    assert "t2 analyst: failed: the tool failed" in lines
    assert "t3 editor: skipped: t2 has no result" in lines


GROWING: list[Event] = [
    RunStarted(crew="desk", request="buy"),
    RunForked(origin="r-old", at_seq=7),
    PlanMade(
        tasks=(
            Task(id="t1", description="look up", agent="clerk"),
            Task(id="t2", description="pay", agent="clerk"),
        ),
        strategy="rules",
    ),
    TaskStarted(task_id="t1"),
    TaskRetried(task_id="t1", attempt=1, error=f"no line {HOSTILE}", wait=2.0),
    TasksAdded(task_id="t1", tasks=(Task(id="t3", description=WIDE, agent="clerk"),)),
    TasksAdded(task_id="", tasks=(Task(id="t4", description="later", agent="clerk"),)),
    TaskStarted(task_id="t2"),
    Asked(task_id="t2", key="k" * 32, question=f"May clerk pay {HOSTILE}?", about={"amount": 3}),
    BudgetLow(task_id="", of="run", what="tokens", used=80, limit=100),
    TaskSkipped(task_id="t4", because="Its condition is not met: 3 above 5.", reason="condition"),
]


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_the_live_tree_shows_who_asks_what_is_tried_again_and_what_was_added(width: int) -> None:
    shown = visible(live_screen(width, GROWING))
    assert max(map(cell_len, shown)) <= width
    if width < 80:
        return
    tree = "\n".join(shown)
    assert "↻ clerk  retrying  look up" in tree
    assert "? clerk  asking  pay" in tree
    assert "asks: May clerk pay" in tree
    assert "added by t1" in tree
    assert "added while planning" in tree
    assert "The run has used 80 of 100 tokens" in tree
    assert "Its condition is not met: 3 above 5." in tree
    assert "forked from r-old at event #7" in tree
    answered = Answered(task_id="t2", key="k" * 32, answer=Answer(decision="approve", by="Ann"))
    tree = "\n".join(visible(live_screen(width, [*GROWING, answered, TaskStarted(task_id="t2")])))
    assert "asks:" not in tree
    assert "Ann answered approve" in tree


def test_of_a_task_done_for_each_of_a_list_the_live_tree_counts_and_shows_those_under_way() -> None:
    each = Task(id="each", description="prices", agent="clerk", each=["a", "b", "c"], tool="price")
    events: list[Event] = [
        RunStarted(crew="desk", request="prices"),
        PlanMade(tasks=(each,), strategy="rules"),
        TaskStarted(task_id="each"),
        *(TaskStarted(task_id=f"each.{n}") for n in range(3)),
        TaskFinished(task_id="each.1", result=TaskResult(text="two")),
        Asked(task_id="each.2", key="k" * 32, question="May I?"),
    ]
    under_way = "\n".join(visible(live_screen(100, events)))
    assert "1 of 3 entries done" in under_way
    assert "each.0" in under_way
    assert "each.1" not in under_way
    assert "asks: May I?" in under_way
    done = TaskFinished(task_id="each", result=TaskResult(text="all of them"))
    ended = "\n".join(visible(live_screen(100, [*events[:-1], done])))
    assert "entries done" not in ended
    assert "all of them" in ended


def test_in_a_pipe_questions_retries_and_growth_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainScreen() as screen:
        for event in GROWING:
            screen.event(event)
        said = Answer(decision="reject", note="too\ndear", by="Ann")
        screen.event(Answered(task_id="t2", key="k" * 32, answer=said))
    out = capsys.readouterr().out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
    lines = out.splitlines()
    for line in (
        "forked from r-old at event #7",
        "t1 clerk: attempt 1 failed, again in 2.0 s: no line redgnp",
        "t1 clerk: added 1 task",
        "run: added 1 task",
        "t2 clerk: asks: May clerk pay redgnp?",
        "run: low budget: the run has used 80 of 100 tokens, the cheaper way is gone",
        "t4 clerk: skipped: Its condition is not met: 3 above 5.",
        "t2 clerk: Ann answered reject: too dear",
    ):
        assert line in lines


def test_with_json_stdout_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainScreen(quiet=True) as screen:
        for event in RUN:
            screen.event(event)
    assert capsys.readouterr().out == ""
    assert screen.view.summary.tasks[0].result is not None


def test_figures_are_readable() -> None:
    assert [seconds(s) for s in (0.04, 9.94, 9.96, 59.6, 125)] == [
        "0.0 s",
        "9.9 s",
        "10 s",
        "1 min 00 s",
        "2 min 05 s",
    ]
    assert [tokens(n) for n in (0, 1, 12345)] == ["0 tokens", "1 token", "12,345 tokens"]
    assert [calls(n) for n in (1, 1200)] == ["1 tool call", "1,200 tool calls"]
    assert [money(m) for m in (1234.5, 0.01234, 0.00001)] == ["cost 1,234.50", "cost 0.0123", "cost 1e-05"]
    assert [size(n) for n in (12, 4_000, 271_000_000, 3_500_000_000)] == ["12 B", "4 kB", "271 MB", "3.5 GB"]
    assert one_line("a\n b  c" * 3, 9) == "a b ca b…"


def test_a_list_fits_the_terminal_and_leaves_its_least_columns_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [
        Column("RUN"),
        Column("TOOK", right=True, spare=1),
        Column("CREW", spare=2),
        Column("REQUEST", rest=True),
    ]
    rows = [("r-20261122-132653-aaf5", "0.2 s", "counting", WIDE)]
    for width, shown in ((40, ["RUN"]), (60, ["RUN", "CREW"]), (80, ["RUN", "TOOK", "CREW"])):
        monkeypatch.setattr(
            "crewgraph.serving.cli.pictures.console.make_console", partial(Console, width=width)
        )
        print_table(columns, rows)
        head, line = capsys.readouterr().out.splitlines()
        assert head.split() == [*shown, "REQUEST"]
        assert line.startswith("r-20261122-132653-aaf5 ")
        assert cell_len(line) <= width
    monkeypatch.undo()
    print_table(columns, rows)
    assert WIDE in capsys.readouterr().out
