"""A crew's tool that needs a person's word: the run pauses, holds nothing, and does as it was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Agent, Answer, Crew, House, IdempotencyKey, Settings, Task, tool
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import InvalidRequest, Rejected, RunWaiting, StepInDoubt, TaskFailed


class Office:
    """A crew that pays bills: one task, one `once` tool that a person has to approve above 100."""

    def __init__(self) -> None:
        self.paid: list[float] = []
        self.broken = False

        @tool(effect="once", approval=lambda amount: amount > 100)
        async def pay(amount: float, key: IdempotencyKey) -> str:
            """Pay a bill."""
            self.paid.append(amount)
            if self.broken:
                raise ConnectionResetError("the bank hung up")
            return f"paid {amount:g} under {key}"

        self.pay = pay

    def crew(self, amount: float, **more: Any) -> Crew:
        task = Task(
            id="bill", description="Pay it", agent="clerk", tool="pay", args={"amount": amount}, **more
        )
        return Crew([Agent("clerk", "Pay bills.", tools=[self.pay])], tasks=[task], name="office")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def house(settings: Settings, model: ScriptedModel) -> AsyncIterator[House]:
    async with House.open(settings, client=model) as opened:
        yield opened


async def test_small_sums_are_paid_unasked_and_large_ones_wait(house: House, office: Office) -> None:
    assert (await house.ask(office.crew(50), "Pay the bill")).answer.startswith("paid 50 under r-")
    with pytest.raises(RunWaiting, match="crewgraph answer"):
        await house.ask(office.crew(500), "Pay the bill")
    assert office.paid == [50]
    record = await house.store.find_run("last")
    assert record.status == "waiting"
    (question,) = await house.questions(record.id)
    assert question.about == {"tool": "pay", "arguments": {"amount": 500}, "agent": "clerk"}


async def test_the_run_goes_on_in_another_process_with_what_was_said(
    settings: Settings, model: ScriptedModel, office: Office
) -> None:
    async with House.open(settings, client=model) as first:
        with pytest.raises(RunWaiting):
            await first.ask(office.crew(500), "Pay the bill")
    async with House.open(settings, client=model) as second:
        (question,) = await second.questions("last")
        edit = Answer(decision="edit", value={"amount": 499.0}, by="Ann")
        await second.answer("last", question.key[:8], edit)
        outcome = await second.resume("last", office.crew(500))
        assert outcome.answer.startswith("paid 499")
        assert office.paid == [499]
        assert (await second.replay("last", office.crew(500))).answer == outcome.answer
        assert office.paid == [499]


async def test_a_no_ends_the_task_with_the_words_that_were_said(house: House, office: Office) -> None:
    with pytest.raises(RunWaiting):
        await house.ask(office.crew(500), "Pay the bill")
    (question,) = await house.questions("last")
    await house.answer("last", question.key, Answer(decision="reject", note="too much", by="Ann"))
    with pytest.raises((Rejected, TaskFailed), match=r"rejected by Ann: too much"):
        await house.resume("last", office.crew(500))
    assert office.paid == []
    assert (await house.store.find_run("last")).status == "failed"


async def test_a_task_may_wait_for_a_word_before_it_begins(house: House, office: Office) -> None:
    with pytest.raises(RunWaiting):
        await house.ask(office.crew(50, approval=True), "Pay the bill")
    (question,) = await house.questions("last")
    await house.answer("last", question.key, Answer(decision="answer", value="Bob has paid it"))
    assert (await house.resume("last", office.crew(50, approval=True))).answer == "Bob has paid it"
    assert office.paid == []


async def test_a_payment_in_doubt_waits_for_a_word_and_is_never_made_twice(
    house: House, office: Office
) -> None:
    office.broken = True
    with pytest.raises(StepInDoubt, match="the bank hung up"):
        await house.ask(office.crew(50), "Pay the bill")
    record = await house.store.find_run("last")
    assert record.status == "waiting"
    with pytest.raises(StepInDoubt):
        await house.resume("last", office.crew(50))
    assert office.paid == [50]
    (question,) = await house.questions("last")
    assert question.in_doubt
    with pytest.raises(InvalidRequest, match="answer, reject"):
        await house.answer("last", question.key, Answer(decision="approve"))
    await house.answer("last", question.key, Answer(decision="answer", value="paid 50, says the bank"))
    assert (await house.resume("last", office.crew(50))).answer == "paid 50, says the bank."
    assert office.paid == [50]


async def test_a_payment_that_did_not_happen_is_made(house: House, office: Office) -> None:
    office.broken = True
    with pytest.raises(StepInDoubt):
        await house.ask(office.crew(50), "Pay the bill")
    office.broken = False
    (question,) = await house.questions("last")
    await house.answer("last", question.key, Answer(decision="reject"))
    assert (await house.resume("last", office.crew(50))).answer.startswith("paid 50")
    assert office.paid == [50, 50]


async def test_a_second_answer_is_refused(house: House, office: Office) -> None:
    with pytest.raises(RunWaiting):
        await house.ask(office.crew(500), "Pay the bill")
    (question,) = await house.questions("last")
    await house.answer("last", question.key, Answer(decision="approve"))
    with pytest.raises(InvalidRequest):
        await house.answer("last", question.key, Answer(decision="reject"))


async def test_a_waiting_runs_secret_is_in_no_file(house: House, office: Office, tmp_path: Path) -> None:
    with pytest.raises(RunWaiting):
        await house.ask(office.crew(500), "Pay it, the password is sesame-very-secret")
    assert files_with(tmp_path, b"sesame-very-secret") == []
    assert files_with(tmp_path, b"Pay it, the password is") != []


def files_with(folder: Path, text: bytes) -> list[str]:
    return [file.name for file in folder.rglob("*") if file.is_file() and text in file.read_bytes()]
