"""An evaluation that is broken off, or killed, goes on where it was: what is done is not run again."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Agent, Crew, Settings, Task, tool
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.errors import InvalidInput
from crewgraph.runtime.events import Answer, RunResumed
from crewgraph.runtime.reading.history import summarise as summarise_run
from crewgraph.runtime.store import open_store
from crewgraph.serving.evaluating.choosing import parse_wanted
from crewgraph.serving.evaluating.dataset import Dataset, read_dataset
from crewgraph.serving.evaluating.record import Trial, read_record, writing
from crewgraph.serving.evaluating.reporting.summary import summarise
from crewgraph.serving.evaluating.sitting import Sitting

from .conftest import QUIZ, Lines, Shop, price_case

CHILD = Path(__file__).with_name("killed_child.py")


@pytest.fixture
def sitting(settings: Settings, prices: Dataset, model: ScriptedModel) -> Sitting:
    return Sitting(settings, prices, planner="rules", client=model)


def child(folder: Path, die_at: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(folder), str(die_at)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("die_at", [1, 3, 4])
def test_killed_and_begun_again_it_does_only_what_is_left(lines: Lines, tmp_path: Path, die_at: int) -> None:
    lines(*({**price_case(item), "expected": len(item) + 0.5} for item in ("pen", "ink", "paper", "glue")))
    assert child(tmp_path, die_at).returncode == -signal.SIGKILL
    (path,) = tmp_path.glob("shop-cases-*.jsonl")
    before = read_record(path)
    done = {key: trial for key, trial in before.trials.items() if trial.ended is not None}
    under_way = [trial for trial in before.trials.values() if trial.ended is None]
    assert len(done) == die_at - 1
    assert len(under_way) == 1
    again = child(tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.split() == [str(path), "4", "4"]
    assert (tmp_path / "calls").read_text().split() == ["pen", "ink", "paper", "glue"]
    after = read_record(path)
    assert {key: after.trials[key] for key in done} == done
    assert after.trial(under_way[0].case, 0).run_id == under_way[0].run_id

    async def resumed() -> int:
        async with open_store(tmp_path / "home" / "crewgraph.db") as store:
            assert len(await store.list_runs(limit=20)) == 4
            return sum(isinstance(e, RunResumed) for e in await store.events(under_way[0].run_id))

    assert asyncio.run(resumed()) == 1


async def test_what_is_done_is_not_run_again_and_asks_no_model(sitting: Sitting, shop: Shop) -> None:
    _record, trials = await sitting.evaluate(shop.crew, "")
    assert [trial.passed for trial in trials] == [True] * 4
    assert sorted(shop.calls) == ["glue", "ink", "paper", "pen"]
    kept: list[bool] = []
    again = replace(sitting, client=ForbiddenModel())
    _, same = await again.evaluate(shop.crew, "", on_trial=lambda _, before: kept.append(before))
    assert same == trials
    assert kept == [True] * 4
    assert len(shop.calls) == 4


async def test_each_trial_is_a_run_that_can_be_looked_into(sitting: Sitting, shop: Shop) -> None:
    _, trials = await sitting.evaluate(shop.crew, "")
    async with open_store(sitting.settings.database) as store:
        for trial in trials:
            run = await store.find_run(trial.run_id)
            assert (run.status, run.answer, run.tokens) == ("finished", trial.answer, trial.tokens)
    assert all(trial.seconds > 0 and trial.tool_calls == 1 for trial in trials)


async def test_the_trajectory_is_that_of_the_run(sitting: Sitting, shop: Shop) -> None:
    _, trials = await sitting.evaluate(shop.crew, "")
    assert trials[0].scores["trajectory"].value == 1
    assert all("trajectory" not in trial.scores for trial in trials[1:])


async def test_another_scorer_is_added_without_running_anything(sitting: Sitting, shop: Shop) -> None:
    await sitting.evaluate(shop.crew, "")
    more = replace(sitting, scorers=[parse_wanted("semantic")], client=ForbiddenModel())
    priced = replace(more, dataset=sitting.dataset)
    _, trials = await priced.evaluate(shop.crew, "")
    assert all("semantic" not in trial.scores for trial in trials), "numbers have no meaning"
    exact = replace(more, scorers=[parse_wanted("exact,tolerance=0.5")])
    _, trials = await exact.evaluate(shop.crew, "")
    assert all({"contains", "exact"} <= trial.scores.keys() for trial in trials)
    assert len(shop.calls) == 4


async def test_a_limit_takes_the_first_cases_and_more_trials_are_added_to_those_there(
    sitting: Sitting, shop: Shop
) -> None:
    _, first = await replace(sitting, limit=2).evaluate(shop.crew, "")
    assert [trial.case for trial in first] == ["pen", "ink"]
    _, trials = await replace(sitting, repeat=2).evaluate(shop.crew, "")
    assert [(t.case, t.attempt) for t in trials[:4]] == [("pen", 0), ("pen", 1), ("ink", 0), ("ink", 1)]
    assert [t for t in trials if t.attempt == 0][:2] == first
    assert len({trial.run_id for trial in trials}) == 8
    assert len(shop.calls) == 8


async def test_a_case_that_fails_is_a_result_and_ends_nothing(sitting: Sitting, shop: Shop) -> None:
    shop.broken = {"ink"}
    _, trials = await sitting.evaluate(shop.crew, "")
    found = summarise(trials)
    assert next(case for case in found.cases if case.id == "ink").passes() is False
    assert found.whole.passed == 3


async def test_only_where_asked_is_a_failed_case_tried_again(
    settings: Settings, prices: Dataset, shop: Shop
) -> None:
    def silent(request: Any) -> str:
        raise ConnectionError("nobody is there")

    broken = Sitting(settings, prices, planner="rules", client=ScriptedModel(silent))
    _, trials = await broken.evaluate(shop.crew, "")
    assert {trial.ended for trial in trials} == {"failed"}
    assert all(s.value == 0 and s.passed is False for trial in trials for s in trial.scores.values())
    calm = replace(broken, client=ScriptedModel(lambda _: "With pleasure."))
    _, same = await calm.evaluate(shop.crew, "")
    assert same == trials
    _, better = await replace(calm, again=True).evaluate(shop.crew, "")
    assert {trial.ended for trial in better} == {"finished"}
    assert all(trial.passed for trial in better)


async def test_cases_go_on_side_by_side_and_no_more_than_allowed(
    sitting: Sitting, shop: Shop, lines: Lines
) -> None:
    many = read_dataset(lines(*({**price_case("ink"), "id": f"ink {n}"} for n in range(12))))
    going, most = set[str](), 0

    class Watching(ScriptedModel):
        async def complete(self, request: Any) -> Any:
            nonlocal most
            run = request.hints.run
            going.add(run)
            most = max(most, len(going))
            await asyncio.sleep(0.02)
            going.discard(run)
            return await super().complete(request)

    client = Watching(lambda _: "With pleasure.")
    _, trials = await replace(sitting, dataset=many, client=client, parallel=3).evaluate(shop.crew, "")
    assert most == 3
    assert [trial.case for trial in trials] == [case.id for case in many.cases]


async def test_stopped_in_the_middle_it_goes_on(sitting: Sitting, shop: Shop) -> None:
    reached = asyncio.Event()
    never = asyncio.Event()

    class Hanging(ScriptedModel):
        async def complete(self, request: Any) -> Any:
            if len(shop.calls) > 2:
                reached.set()
                await never.wait()
            return await super().complete(request)

    hanging = replace(sitting, client=Hanging(lambda _: "With pleasure."))
    task = asyncio.create_task(hanging.evaluate(shop.crew, ""))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, trials = await sitting.evaluate(shop.crew, "")
    assert [trial.passed for trial in trials] == [True] * 4
    assert sorted(shop.calls) == ["glue", "ink", "paper", "pen"], "the call of the stopped run is read back"


async def test_a_case_that_waits_for_a_person_goes_on_when_they_have_answered(
    settings: Settings, lines: Lines, model: ScriptedModel
) -> None:
    paid: list[int] = []

    @tool(effect="once", approval=True)
    def pay(amount: int) -> str:
        """Pay an amount."""
        paid.append(amount)
        return f"paid {amount}"

    task = Task(id="pay", description="pay", tool="pay", args={"amount": 3}, agent="clerk")
    crew = Crew([Agent("clerk", "Pay.", tools=[pay])], tasks=[task], name="till")
    dataset = read_dataset(lines({"id": "bill", "input": "Pay 3.", "tools": ["pay"]}))
    sitting = Sitting(settings, dataset, planner="rules", client=model)
    _, (waits,) = await sitting.evaluate(crew, "")
    assert (waits.ended, waits.passed, waits.scores["trajectory"].value) == ("waiting", False, 0)
    _, (still,) = await sitting.evaluate(crew, "")
    assert (still.ended, still.run_id, paid) == ("waiting", waits.run_id, [])
    async with open_store(settings.database) as store:
        (question,) = await store.questions(waits.run_id)
        await store.answer(waits.run_id, question.key, Answer(decision="approve"))
    _, (done,) = await sitting.evaluate(crew, "")
    assert (done.ended, done.run_id, done.passed, paid) == ("finished", waits.run_id, True, [3])


async def test_another_crew_dataset_or_planner_is_another_evaluation(
    sitting: Sitting, shop: Shop, lines: Lines
) -> None:
    other = replace(shop.crew, briefing="Be brief.")
    dataset = read_dataset(lines(price_case("pen"), name="other.jsonl"))
    places = {
        sitting.place(shop.crew, ""),
        sitting.place(other, ""),
        replace(sitting, dataset=dataset).place(shop.crew, ""),
        replace(sitting, planner="auto").place(shop.crew, ""),
    }
    assert len(places) == 4
    assert sitting.place(Shop().crew, "") == sitting.place(shop.crew, "")


async def test_begun_anew_it_forgets(sitting: Sitting, shop: Shop) -> None:
    _, first = await sitting.evaluate(shop.crew, "")
    _, second = await replace(sitting, fresh=True).evaluate(shop.crew, "")
    assert not {trial.run_id for trial in first} & {trial.run_id for trial in second}


async def test_a_run_that_was_deleted_before_it_ended_is_begun_again(sitting: Sitting, shop: Shop) -> None:
    record, trials = await replace(sitting, limit=1).evaluate(shop.crew, "")
    with writing(record.path, record.heading) as again:
        again.keep(Trial(case="pen", run_id="r-gone"))
    _, after = await replace(sitting, limit=1).evaluate(shop.crew, "")
    assert after[0].passed
    assert after[0].run_id not in ("r-gone", trials[0].run_id)


async def test_two_processes_do_not_work_on_one_record(sitting: Sitting, shop: Shop) -> None:
    record, _ = await sitting.evaluate(shop.crew, "")
    with writing(record.path, record.heading), pytest.raises(InvalidInput, match="Another process"):
        await sitting.evaluate(shop.crew, "")


async def test_a_line_that_was_cut_off_is_forgotten_and_a_damaged_one_is_said(
    sitting: Sitting, shop: Shop
) -> None:
    record, trials = await sitting.evaluate(shop.crew, "")
    with record.path.open("a") as file:
        file.write('{"kind": "trial", "case": "pen", "atte')
    assert read_record(record.path).trials == record.trials
    again, both = await replace(sitting, repeat=2).evaluate(shop.crew, "")
    assert [trial for trial in both if trial.attempt == 0] == trials
    assert len(again.trials) == 8
    record.path.write_text(record.path.read_text() + "{}\n")
    with pytest.raises(InvalidInput, match="damaged in line"):
        read_record(record.path)


async def test_where_the_database_is_encrypted_the_record_holds_no_words(
    settings: Settings, prices: Dataset, model: ScriptedModel, shop: Shop
) -> None:
    fernet = pytest.importorskip("cryptography.fernet").Fernet
    locked = replace(settings, database_keys=(fernet.generate_key().decode(),))
    shop.broken = {"ink"}
    record, trials = await Sitting(locked, prices, planner="rules", client=model).evaluate(shop.crew, "")
    assert [trial.passed for trial in trials] == [True, False, True, True]
    text = record.path.read_text()
    assert not any(word in text for word in ("locked", "precision", "missing"))
    assert "price of" not in text
    assert "12.5" not in text


@pytest.mark.parametrize("learn", [False, True])
async def test_no_case_helps_another_unless_they_may(
    settings: Settings, shop: Shop, lines: Lines, learn: bool
) -> None:
    def reply(request: Any) -> str:
        if request.choices:
            return next(name for part, name in QUIZ.items() if part in request.messages[-1].content)
        plan = {"tasks": [{"tool": "price", "args": {"item": "ink"}}]}
        return json.dumps(plan) if request.schema else "The ink price is 6 EUR."

    asked = (
        "Look up the price of ink, then plan a purchase.",
        "Look up the price of paper, then plan a purchase.",
    )
    dataset = read_dataset(lines(*({"input": text} for text in asked)))
    client = ScriptedModel(reply)
    await Sitting(settings, dataset, client=client, learn=learn).evaluate(shop.crew, "")
    async with open_store(settings.database) as store:
        plans = [summarise_run(await store.events(run.id)).strategy for run in await store.list_runs()]
    assert ("recalled" in plans) is learn
