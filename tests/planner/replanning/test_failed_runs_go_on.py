"""A tool fails in the middle of a run, and the run goes on: the cheapest way that may do comes first."""

from __future__ import annotations

from crewgraph import Task
from crewgraph.runtime.errors import Rejected, TaskFailed
from crewgraph.runtime.policy import Condition, Retry

from .conftest import Gauges, Runs, answer, at

BROKEN = OSError("the gauge is broken")
CUT = ConnectionError("connection reset")


async def test_another_tool_that_tells_the_same_is_asked(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", BROKEN)
    came = await runs.run(gauges.crew(stand_in=True), [at("t1", "Aba"), at("t2", "Bex"), answer("t1", "t2")])
    assert "120" in came.answer
    assert "340" in came.answer
    assert came.missing == ()
    assert gauges.calls == {("level", "Aba"): 1, ("level", "Bex"): 1, ("backup_level", "Aba"): 1}
    replaced = next(task for task in came.plans[-1].tasks if task.id == "t1-r1")
    assert (replaced.tool, replaced.agent) == ("backup_level", "neighbour")
    assert came.plans[-1].tasks[-1].depends_on == ("t1-r1", "t2")
    assert "the gauge is broken" in came.plans[-1].reason


async def test_a_passing_error_is_tried_once_more_and_no_oftener(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", CUT)
    came = await runs.run(gauges.crew(), [at("t1", "Aba"), answer("t1")])
    assert "120" in came.answer
    gauges.breaks("level", "Bex", *[CUT] * 9)
    came = await runs.run(gauges.crew(), [at("t1", "Bex"), at("t2", "Aba"), answer("t1", "t2")])
    assert gauges.calls["level", "Bex"] == 2
    assert "120" in came.answer
    assert "Missing: level: Bex" in came.answer


async def test_where_somebody_said_how_often_to_try_that_is_how_often(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Bex", *[CUT] * 9)
    task = at("t1", "Bex", retry=Retry(attempts=3, wait=0, jitter=0))
    came = await runs.run(gauges.crew(), [task, at("t2", "Aba"), answer("t1", "t2")])
    assert gauges.calls["level", "Bex"] == 3
    assert len(came.plans) == 2


def high(task_id: str, name: str) -> Task:
    return Task(id=task_id, description=f"height: {name}", agent="gauger", tool="height", args={"name": name})


async def test_arguments_are_corrected_where_only_the_pen_slipped(gauges: Gauges, runs: Runs) -> None:
    came = await runs.run(gauges.crew(), [high("t1", "aba"), high("t2", "B.ex"), answer("t1", "t2")])
    assert "1,200" in came.answer
    assert "3,400" in came.answer
    assert came.missing == ()
    assert "t1: height is asked about 'Aba', for it does not know 'aba'." in came.plans[-1].notes


async def test_another_thing_of_a_similar_name_is_not_asked_about(gauges: Gauges, runs: Runs) -> None:
    """ "Dunar" may be a place of its own that the tool does not know: nobody is told of Dun instead."""
    came = await runs.run(gauges.crew(), [high("t1", "Dunar"), high("t2", "Bex"), answer("t1", "t2")])
    assert "3,400" in came.answer
    assert "9,000" not in came.answer
    assert len(came.missing) == 1
    assert "height: Dunar" in came.missing[0]


async def test_a_comparison_goes_on_with_two_of_three(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Bex", BROKEN)
    join = Task(
        id="join",
        description="compare",
        agent="gauger",
        tool="compare",
        args={"facts": ["$t1", "$t2", "$t3"]},
    )
    came = await runs.run(
        gauges.crew(), [at("t1", "Aba"), at("t2", "Bex"), at("t3", "Cam"), join, answer("join")]
    )
    assert "Aba has the higher level: 120 mm against 75 mm for Cam." in came.answer
    assert "Missing: level: Bex (The tool level failed: OSError: the gauge is broken)." in came.answer
    assert came.missing == ("level: Bex (The tool level failed: OSError: the gauge is broken).",)


async def test_of_a_comparison_of_two_what_is_known_is_said(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Bex", BROKEN)
    join = Task(
        id="join", description="compare them", agent="gauger", tool="compare", args={"facts": ["$t1", "$t2"]}
    )
    came = await runs.run(gauges.crew(), [at("t1", "Aba"), at("t2", "Bex"), join, answer("join")])
    assert "120" in came.answer
    assert "higher" not in came.answer
    assert [said.split(" (")[0] for said in came.missing] == ["level: Bex", "compare them"]


async def test_a_call_about_several_things_is_made_for_each(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("levels", "Aba,Bex,Cam", BROKEN)
    gauges.breaks("level", "Bex", BROKEN)
    tasks = [
        Task(
            id="t1",
            description="levels",
            agent="gauger",
            tool="levels",
            args={"places": ["Aba", "Bex", "Cam"]},
        ),
        Task(id="t2", description="compare", agent="gauger", tool="compare", args={"facts": "$t1"}),
        answer("t2"),
    ]
    came = await runs.run(gauges.crew(), tasks)
    assert "Aba has the higher level: 120 mm against 75 mm for Cam." in came.answer
    assert len(came.missing) == 1
    assert "Bex" in came.missing[0]
    assert gauges.done == {("level", "Aba"): 1, ("level", "Cam"): 1}


async def test_where_nothing_is_left_the_run_ends_and_says_what_is_missing(
    gauges: Gauges, runs: Runs
) -> None:
    gauges.breaks("level", "Aba", BROKEN)
    came = await runs.run(gauges.crew(), [at("t1", "Aba"), answer("t1")])
    assert isinstance(came.error, TaskFailed)
    assert "the gauge is broken" in str(came.error)
    notes = [event.text for event in came.events if event.kind == "noted"]
    assert any("nothing left to answer with" in note and "level: Aba" in note for note in notes)


async def test_a_condition_that_cannot_be_told_takes_its_task_with_it(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", BROKEN)
    high = Condition(value="$t1.value", test="above", to=1)
    came = await runs.run(
        gauges.crew(),
        [at("t1", "Aba"), at("t2", "Bex", when=high), at("t3", "Cam"), answer("t1", "t2", "t3")],
    )
    assert "75" in came.answer
    assert ("level", "Bex") not in gauges.calls
    assert [said.split(" (")[0] for said in came.missing] == ["level: Aba", "level: Bex"]


async def test_an_effect_is_not_carried_out_when_what_it_was_to_follow_is_gone(
    gauges: Gauges, runs: Runs
) -> None:
    gauges.breaks("level", "Aba", BROKEN)
    filed = Task(
        id="t2",
        description="report",
        agent="gauger",
        tool="file_report",
        args={"place": "Aba"},
        depends_on=("t1",),
    )
    came = await runs.run(gauges.crew(), [at("t1", "Aba"), filed, at("t3", "Cam"), answer("t2", "t3")])
    assert not gauges.calls["file_report", "Aba"]
    assert "75" in came.answer
    assert any(said.startswith("report") for said in came.missing)


async def test_failures_one_after_the_other_come_to_an_end(gauges: Gauges, runs: Runs) -> None:
    """Each round something else breaks; after the fourth nothing new is tried, and the run still ends with an answer."""
    places = ("Aba", "Bex", "Cam", "Dun")
    for place in places[:3]:
        gauges.breaks("level", place, *[CUT] * 9)
        gauges.breaks("backup_level", place, *[CUT] * 9)
    tasks = [at(f"t{n}", place, depends_on=(f"t{n - 1}",) if n else ()) for n, place in enumerate(places)]
    came = await runs.run(gauges.crew(stand_in=True), [*tasks, answer("t0", "t1", "t2", "t3")])
    assert "900" in came.answer
    assert len(came.missing) == 3
    assert max(gauges.calls.values()) <= 2
    assert any("what fails now is given up" in note for plan in came.plans for note in plan.notes)


async def test_what_a_person_refused_is_not_asked_again(gauges: Gauges, runs: Runs) -> None:
    """Beside another failure, for a run in which everything was refused ends by that."""
    gauges.breaks("level", "Bex", BROKEN)
    gauges.breaks("level", "Aba", Rejected("The call of level was rejected by Ann: no"))
    came = await runs.run(
        gauges.crew(), [at("t1", "Aba"), at("t2", "Bex"), at("t3", "Cam"), answer("t1", "t2", "t3")]
    )
    assert "75" in came.answer
    assert gauges.calls["level", "Aba"] == 1
