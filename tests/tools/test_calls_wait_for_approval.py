"""A person is asked before a tool is called that needs it, and nothing has happened until they agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidCrew, Rejected, Suspended, ToolArgumentError, ToolError
from crewgraph.runtime.events import Answer, Answered, Asked, TaskStarted
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store import open_store
from crewgraph.tools.tool import Tool, tool
from crewgraph.tools.toolset import Toolset

ANN: dict[str, Any] = {"to": "Ann", "amount": 1200}
Approval = bool | Callable[..., bool]


def bank(calls: list[dict[str, Any]], approval: Approval = True) -> Tool:
    @tool(effect="once", approval=approval)
    async def pay(to: str, amount: int) -> str:
        """Pay somebody."""
        calls.append({"to": to, "amount": amount})
        return f"paid {to} {amount}"

    return pay


class Desk:
    """One task that wants to call a tool, and the person who is asked."""

    def __init__(self, approval: Approval = True) -> None:
        self.calls: list[dict[str, Any]] = []
        self.asked: list[Asked] = []
        self.tools = Toolset([bank(self.calls, approval)])
        self.ctx = RunContext(Journal("r-test"), listeners=[self._hear]).for_task("t")

    def _hear(self, event: object) -> None:
        if isinstance(event, Asked):
            self.asked.append(event)

    async def call(self, arguments: dict[str, Any] = ANN) -> Any:
        self.ctx.write(TaskStarted(task_id="t"))
        return await self.tools.call("pay", arguments, self.ctx, agent="clerk")

    async def say(self, decision: Any, value: JsonValue = None, note: str = "", by: str = "") -> None:
        answer = Answer(decision=decision, value=value, note=note, by=by)
        last = self.asked[-1]
        await self.ctx.emit(Answered(task_id="t", key=last.key, name=last.name, answer=answer))


async def test_the_question_names_tool_arguments_and_agent_and_comes_before_any_effect() -> None:
    desk = Desk()
    with pytest.raises(Suspended, match=r"May clerk call the tool pay\?"):
        await desk.call()
    assert [a.name for a in desk.asked] == ["approve:pay"]
    assert desk.asked[0].about == {"tool": "pay", "arguments": ANN, "agent": "clerk"}
    assert desk.asked[0].choices == ("approve", "edit", "reject")
    assert desk.calls == []
    assert desk.ctx.spent.tool_calls == 0


async def test_nobody_is_asked_twice_while_they_think() -> None:
    desk = Desk()
    for _ in range(3):
        with pytest.raises(Suspended):
            await desk.call()
    assert len(desk.asked) == 1


async def test_approved_it_is_called_once_as_asked() -> None:
    desk = Desk()
    with pytest.raises(Suspended):
        await desk.call()
    await desk.say("approve")
    assert (await desk.call())["value"] == "paid Ann 1200"
    await desk.call()
    assert desk.calls == [ANN]


async def test_an_edit_takes_the_place_of_the_arguments() -> None:
    desk = Desk()
    with pytest.raises(Suspended):
        await desk.call()
    await desk.say("edit", {"to": "Ann", "amount": 120})
    assert (await desk.call())["value"] == "paid Ann 120"
    assert desk.calls == [{"to": "Ann", "amount": 120}]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"to": "Ann", "amount": "many"}, "amount='many': input should be a valid integer"),
        ({"to": "Ann"}, "amount is missing"),
        ("120", "'120' is none"),
    ],
)
async def test_an_edit_that_does_not_fit_is_asked_about_again(edit: JsonValue, said: str) -> None:
    desk = Desk()
    with pytest.raises(Suspended):
        await desk.call()
    await desk.say("edit", edit)
    for _ in range(2):
        with pytest.raises(Suspended) as again:
            await desk.call()
        assert said in again.value.question
    assert len(desk.asked) == 2
    await desk.say("edit", edit)  # the same slip again is asked about again
    with pytest.raises(Suspended):
        await desk.call()
    assert len(desk.asked) == 3
    assert desk.calls == []
    await desk.say("edit", {"to": "Bob", "amount": 1})
    await desk.call()
    assert desk.calls == [{"to": "Bob", "amount": 1}]


async def test_a_no_is_told_with_the_persons_words_and_is_no_failure_of_the_tool() -> None:
    desk = Desk()
    with pytest.raises(Suspended):
        await desk.call()
    await desk.say("reject", note="Ann has left", by="Bob")
    for _ in range(2):
        with pytest.raises(Rejected, match="The call of pay was rejected by Bob: Ann has left") as no:
            await desk.call()
        assert not isinstance(no.value, ToolError)
    assert desk.calls == []


async def test_a_rule_says_which_calls_need_a_person() -> None:
    desk = Desk(lambda amount: amount > 1000)
    await desk.call({"to": "Ann", "amount": "1000"})
    assert desk.calls == [{"to": "Ann", "amount": 1000}]
    with pytest.raises(Suspended):
        await desk.call({"to": "Ann", "amount": "1001"})
    assert len(desk.calls) == 1


async def test_a_rule_that_breaks_lets_nothing_through() -> None:
    desk = Desk(lambda **_: bool(1 // 0))
    with pytest.raises(
        ToolError, match=r"approval rule of the tool pay failed \(ZeroDivisionError.*nothing was"
    ):
        await desk.call()
    assert desk.calls == []


async def test_wrong_arguments_are_corrected_without_bothering_anybody() -> None:
    desk = Desk()
    with pytest.raises(ToolArgumentError):
        await desk.call({"to": "Ann"})
    assert desk.asked == []


def test_a_rule_over_what_is_no_argument_is_refused() -> None:
    with pytest.raises(
        InvalidCrew, match=r"approval rule of the tool 'pay' cannot be called .*takes to, amount"
    ):
        bank([], lambda sum: sum > 5)


async def test_the_answer_may_come_weeks_later_into_another_process(tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []
    tools = Toolset([bank(calls)])
    async with open_store(tmp_path / "runs.db") as store, await store.create_run("c", "r") as journal:
        with pytest.raises(Suspended) as waits:
            await tools.call("pay", ANN, RunContext(journal).for_task("t"))
    async with open_store(tmp_path / "runs.db") as store:
        await store.answer(journal.run_id, waits.value.key, Answer(decision="approve"))
    async with open_store(tmp_path / "runs.db") as store, await store.open_run(journal.run_id) as journal:
        await tools.call("pay", ANN, RunContext(journal).for_task("t"))
    assert calls == [ANN]
