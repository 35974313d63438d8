"""The sheet: one request laid out for a model to plan, and its replies read and held against the checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ....agents.model import Message, ModelRequest
from ....runtime.graph import Task
from ....tools.tool import Tool
from ...asked import Asked, call_key
from ...checking.checker import check, check_next
from ...checking.repairing import repair_prompt
from ...plan import ANSWER, Finding, wrong
from ...reading.shortlist import shortlist
from .items import Unreadable, answer_task, first_number, items_of, task_of
from .offers import Offers, offers_of
from .prompt import changing, examples, question, standing, system
from .schema import MOST_TASKS, MOST_TRUSTED, maps, plan_schema

MAX_TOOLS = 16
"""Of larger crews, so many tools are shown to a model, those nearest to the request."""

_TOKENS_A_TASK = 90
_TOKENS_BESIDE = 100


@dataclass(frozen=True)
class Sheet:
    """What a model is given, and what it may write on it: at most `most` tasks (None: 8, and 12 where it is trusted).

    `kept` are tasks of an earlier plan whose results stand.
    """

    asked: Asked
    most: int | None = None
    bounded: bool = True
    tools: tuple[Tool, ...] = field(init=False)
    kept: tuple[Task, ...] = field(init=False)
    offers: Offers = field(init=False)

    def __post_init__(self) -> None:
        asked, before = self.asked, self.asked.so_far
        changed = before is not None and bool(before.reason)
        done = [task for task in before.tasks if task.id in before.results] if before and changed else ()
        answered = [task for task in done if task.id != ANSWER]
        object.__setattr__(self, "tools", tuple(offered(asked)))
        object.__setattr__(self, "kept", tuple(answered))
        object.__setattr__(self, "offers", offers_of(asked.request, asked.budget, words=asked.trusted))

    @property
    def longest(self) -> int:
        """How many tasks a plan may have."""
        return self.most or (MOST_TRUSTED if self.asked.trusted else MOST_TASKS)

    @property
    def blank(self) -> bool:
        """Whether there is nothing that a plan could be made of: no tool, and nobody trusted to do without."""
        return not self.offers.words and all(tool.combines for tool in self.tools)

    def messages(self) -> list[Message]:
        """What the model is told: the crew's part, examples, the conversation, the request."""
        asked = self.asked
        said = question(asked, self.offers, mapping=maps(self.tools))
        if asked.so_far is not None and asked.so_far.reason:
            said = f"{said}\n\n{changing(asked.so_far, self.kept)}"
        return [
            system(asked.crew, self.tools),
            *examples(asked, words=self.offers.words),
            *asked.history,
            Message("user", said),
        ]

    def request(self, messages: Sequence[Message], given: Sequence[Task] = ()) -> ModelRequest:
        """The call of the model, whose reply goes on behind the tasks that are `given`."""
        return ModelRequest(
            tuple(messages),
            max_tokens=_TOKENS_BESIDE + _TOKENS_A_TASK * self.longest,
            schema=self.schema(given),
        )

    def schema(self, given: Sequence[Task] = ()) -> dict[str, Any]:
        """The form of the reply."""
        asked = self.asked
        return plan_schema(
            asked.crew,
            asked.request,
            tools=self.tools,
            stands=(*self.kept, *given),
            earlier=asked.earlier,
            budget=asked.budget,
            words=self.offers.words,
            most=self.longest,
            bounded=self.bounded,
        )

    def repair(self, text: str, findings: Sequence[Finding], given: Sequence[Task] = ()) -> list[Message]:
        """What the model is told of a reply that cannot be used, with the tasks that stand whatever it writes now."""
        said = repair_prompt(findings)
        if given:
            said = "\n".join((*said.splitlines()[:-1], standing(given, self.asked.crew)))
        return [*([Message("assistant", text)] if text else []), Message("user", said)]

    def read(self, text: str, given: Sequence[Task] = ()) -> tuple[tuple[Task, ...], list[Finding]]:
        """The tasks of a whole reply, behind those `given`, and what is wrong with the plan that they make."""
        try:
            items = items_of(text)
        except Unreadable as error:
            return (), [error.finding]
        return self.tasks(items, given)

    def tasks(
        self, items: Sequence[Any], given: Sequence[Task] = ()
    ) -> tuple[tuple[Task, ...], list[Finding]]:
        """The same of the tasks as they are written."""
        tasks: list[Task] = []
        findings: list[Finding] = []
        for item in items:
            try:
                tasks.append(self.task(item, (*given, *tasks)))
            except Unreadable as error:
                findings.append(error.finding)
        return tuple(tasks), findings or self.findings((*given, *tasks))

    def task(self, item: Any, given: Sequence[Task]) -> Task:
        """One written task behind those `given`. Raises `Unreadable`."""
        before = (*self.kept, *given)
        return task_of(item, first_number(before), self.asked.crew, [task.id for task in before])

    def findings(self, tasks: Sequence[Task]) -> list[Finding]:
        """What is wrong with a plan of these tasks."""
        found = wrong(check(self.whole(tasks), self.asked.crew, budget=self.asked.budget))
        return found or [self._again(task) for task in tasks if self._failed_before(task)]

    def next_findings(self, task: Task, given: Sequence[Task]) -> list[Finding]:
        """What is wrong with a task behind those `given`, before it is known what comes behind it."""
        before = (*self.kept, *given)
        found = wrong(check_next(task, before, self.asked.crew, budget=self.asked.budget))
        return found or ([self._again(task)] if self._failed_before(task) else [])

    def whole(self, tasks: Sequence[Task]) -> tuple[Task, ...]:
        """The plan of these tasks: what is kept before them, the task that answers behind them."""
        every = (*self.kept, *tasks)
        return (*every, answer_task(self.asked.crew, self.asked.request, every))

    def _failed_before(self, task: Task) -> bool:
        before = self.asked.so_far
        if before is None or not before.reason:
            return False
        failed = {call_key(one) for one in before.tasks if one.id in before.failures}
        return call_key(task) in failed | before.tried

    def _again(self, task: Task) -> Finding:
        return Finding(
            task=task.id, problem="the same call has failed before", mend="call it otherwise, or do without"
        )


def offered(asked: Asked, most: int = MAX_TOOLS) -> list[Tool]:
    """The tools that a model is shown for a request, in the crew's order: all, or of many those nearest to the request,
    those of plans that are shown with it, and those that combine results."""
    every = list(asked.crew.toolset.values())
    plain = [tool for tool in every if not tool.combines]
    if len(plain) <= most:
        return every
    before = asked.so_far.tasks if asked.so_far is not None else ()
    used = [task.tool for tasks in (before, *(example.tasks for example in asked.examples)) for task in tasks]
    near = [tool.name for tool in shortlist(f"{asked.earlier}\n{asked.request}", plain, most)]
    names = [*(name for name in used if name), *near, *(tool.name for tool in plain)]
    kept = set(list(dict.fromkeys(names))[:most])
    return [tool for tool in every if tool.combines or tool.name in kept]
