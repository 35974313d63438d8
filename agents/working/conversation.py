"""Conversation: agents who speak in turns, each turn a task of its own, until one says that it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...runtime.events import TasksAdded
from ...runtime.graph import Task, TaskResult
from ..guarding.guardrail import Guardrail
from ..model import Message
from .shift import Shift

if TYPE_CHECKING:
    from ..agent import Agent
    from ..crew import Crew
    from ..desk import Desk

ANSWER = "answer"
"""Id of the task that has the last word."""

_TURN = "turn-"
_DONE, _ON = "done", "go on"
_CHOICE_TOKENS = 16
_HEARD = 2800
"""Characters: what was said last, as much as fits into what an agent is shown."""
_SPEAK = (
    "It is your turn in a conversation with {others}. Say what you have to add, briefly and only what is new."
)
_CLOSE = "The conversation is over. Give the answer that all of you have come to."


def opening_tasks(crew: Crew, request: str) -> tuple[Task, Task]:
    """The tasks that a conversation begins with: the first turn, and the last word, before which all others will be laid."""
    first = _turn(1, crew.agents[0], crew, ())
    closer = crew.manager or crew.agents[-1]
    last = Task(id=ANSWER, description=_CLOSE, agent=closer.role, depends_on=(first.id,))
    return first, last


def most_turns(crew: Crew) -> int:
    """How often somebody speaks at most, before the last word."""
    return crew.turns if crew.turns is not None else 3 * len(crew.agents)


async def turn(desk: Desk, guardrails: Sequence[Guardrail], added: Sequence[TasksAdded]) -> TaskResult:
    """What an agent says when it is its turn; who speaks next is found out, and its turn laid in. Or the last word.

    Raises:
        EngineError, ModelError, ToolError: what it needed could not be had.
        OutputRefused: a guardrail refuses what it says.
    """
    from ..desk import desk_tools, tools_at

    if desk_tools(desk.agent, desk.crew):
        desk = replace(desk, toolset=tools_at(desk.agent, desk.crew))
    speakers = _speakers(desk, added)
    texts = [
        f"{speakers[need]}: {result.text}" for need, result in desk.ctx.results.items() if need in speakers
    ]
    others = [result.text for need, result in desk.ctx.results.items() if need not in speakers]
    desk = replace(desk, brief=replace(desk.brief, written=[*others, *latest(texts)], stated=()))
    result = await Shift(desk, guardrails).work()
    if desk.task.id == ANSWER:
        return result
    number = int(desk.task.id.removeprefix(_TURN))
    if number >= most_turns(desk.crew):
        await desk.ctx.note(f"The conversation ends after {number} turns, as many as this crew may take.")
        return result
    speaker = await _next(desk, [*texts, f"{desk.agent.role}: {result.text}"], number)
    if speaker is not None:
        before = tuple(f"{_TURN}{n}" for n in range(1, number + 1))
        await desk.ctx.add_tasks([_turn(number + 1, speaker, desk.crew, before)], then=(ANSWER,))
    return result


def _turn(number: int, agent: Agent, crew: Crew, before: tuple[str, ...]) -> Task:
    others = ", ".join(one.role for one in crew.agents if one.role != agent.role)
    return Task(
        id=f"{_TURN}{number}",
        description=_SPEAK.format(others=others),
        agent=agent.role,
        depends_on=before,
    )


def _speakers(desk: Desk, added: Sequence[TasksAdded]) -> dict[str, str]:
    """Who spoke in which turn."""
    first = desk.crew.agents[0].role
    return {f"{_TURN}1": first} | {
        task.id: task.agent or first for event in added for task in event.tasks if task.id.startswith(_TURN)
    }


async def _next(desk: Desk, said: Sequence[str], number: int) -> Agent | None:
    """Who speaks next; None where the conversation is over. The manager chooses, else they speak round and round."""
    crew, manager = desk.crew, desk.crew.manager
    so_far = "\n\n".join(latest(said))
    head = f"Request: {desk.brief.request}\n\nSo far:\n{so_far}\n\n"
    if manager is None:
        asked = f"{head}Is the request answered? Choose {_DONE!r} if nothing is left to say, else {_ON!r}."
        messages = [desk.agent.system(), Message("user", asked)]
        reply = await desk.say(messages, choices=(_DONE, _ON), max_tokens=_CHOICE_TOKENS)
        return None if reply.text == _DONE else crew.agents[number % len(crew.agents)]
    listed = "\n".join(f"- {one.description}" for one in crew.agents)
    asked = f"{head}Who speaks next?\n{listed}\nChoose {_DONE!r} if the request is answered."
    leading = replace(desk, agent=manager)
    roles = [one.role for one in crew.agents]
    choices = (*roles, _DONE if _DONE not in roles else "the end")
    reply = await leading.say(
        [manager.system(), Message("user", asked)], choices=choices, max_tokens=_CHOICE_TOKENS
    )
    return None if reply.text == choices[-1] else crew.agent(reply.text)


def latest(said: Sequence[str]) -> list[str]:
    """What was said last, in its order; at least the last thing."""
    kept: list[str] = []
    left = _HEARD
    for text in reversed(said):
        left -= len(text)
        if kept and left < 0:
            break
        kept.append(text[:_HEARD])
    return kept[::-1]
