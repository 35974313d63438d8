"""A model judges only where it can be believed; its verdicts are journalled, and one that contradicts itself is not sure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from crewgraph import ModelRequest, Settings
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.store import open_store
from crewgraph.serving.evaluating.dataset import Dataset, read_dataset
from crewgraph.serving.evaluating.record import writing
from crewgraph.serving.evaluating.reporting.summary import summarise
from crewgraph.serving.evaluating.sitting import Sitting

from .conftest import QUIZ, Lines, Shop, polite


def judge(meets: str, fails: str) -> ScriptedModel:
    """A model that passes the quiz, and answers the two questions so."""

    def reply(request: ModelRequest) -> str:
        if not request.choices:
            return "With pleasure."
        asked = request.messages[-1].content
        if "Criterion: " in asked:
            return meets if "meet the criterion" in asked else fails
        return next(name for part, name in QUIZ.items() if part in asked)

    return ScriptedModel(reply)


@pytest.fixture
def judged(lines: Lines) -> Dataset:
    return read_dataset(
        lines({"id": "pen", "input": "What is the price of pen?", "judge": "It names a price."})
    )


@pytest.mark.parametrize(
    ("meets", "fails", "value", "passed"),
    [
        ("yes", "no", 1.0, True),
        ("no", "yes", 0.0, False),
        ("yes", "yes", 0.5, False),
        ("no", "no", 0.5, False),
    ],
)
async def test_both_questions_have_to_agree(
    settings: Settings, judged: Dataset, shop: Shop, meets: str, fails: str, value: float, passed: bool
) -> None:
    sitting = Sitting(settings, judged, planner="rules", client=judge(meets, fails))
    _, (trial,) = await sitting.evaluate(shop.crew, "")
    assert (trial.scores["judge"].value, trial.scores["judge"].passed) == (value, passed)
    assert trial.scores["judge"].by == "scripted"


async def test_a_verdict_is_a_run_of_its_own_and_is_read_back(
    settings: Settings, judged: Dataset, shop: Shop
) -> None:
    sitting = Sitting(settings, judged, planner="rules", client=judge("yes", "no"))
    record, (trial,) = await sitting.evaluate(shop.crew, "")
    async with open_store(settings.database) as store:
        kept = await store.find_run(trial.judged_in)
        assert (kept.crew, kept.status, kept.answer) == ("judge", "finished", "meets: yes; fails: no")
        assert kept.options["judges"] == trial.run_id
    with writing(record.path, record.heading) as again:
        again.keep(trial.model_copy(update={"scores": {}}))
    silent = ForbiddenModel()
    _, (same,) = await replace(sitting, client=silent).evaluate(shop.crew, "")
    assert same.scores == trial.scores
    assert same.judged_in == trial.judged_in


async def test_a_model_that_failed_the_quiz_is_not_asked_and_it_is_said(
    settings: Settings, judged: Dataset, shop: Shop
) -> None:
    asked: list[ModelRequest] = []
    reply: Callable[[ModelRequest], str] = lambda request: (asked.append(request), polite(request))[1]  # noqa: E731
    _, trials = await Sitting(settings, judged, planner="rules", client=ScriptedModel(reply)).evaluate(
        shop.crew, ""
    )
    assert trials[0].scores["judge"].value is None
    assert "of 10 trial questions" in trials[0].scores["judge"].why
    assert not any("Criterion" in request.messages[-1].content for request in asked)
    (figure,) = summarise(trials).figures
    assert (figure.cases, figure.mean, figure.silent) == (0, None, 1)
