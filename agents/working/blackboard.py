"""Blackboard: what agents of one run tell each other beside their results: typed entries, each with who wrote it and when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError, create_model

from ...runtime.errors import InvalidCrew, ToolArgumentError
from ...runtime.journalling.row import fields
from .desk_tool import DeskTool, desk_tool

if TYPE_CHECKING:
    from ...runtime.context import RunContext
    from ..agent import Agent
    from ..desk import Desk

POST, LOOK = "post", "look"
_PLACE = "~board"
"""Stands where a task's id stands in the steps of posting, so that all entries of a run are found in one place."""


class Entry(BaseModel):
    """One entry: the agent's role, the task it worked on, and the how manieth of its run it is (its event has the time)."""

    model_config = ConfigDict(frozen=True)

    who: str
    task: str
    key: str
    value: JsonValue
    nth: int


@dataclass(frozen=True)
class Blackboard:
    """A board for the agents of a crew: ``Crew([…], board=Blackboard())``. Its entries belong to a run and stay in its journal.

    `keys` says what may be written under which key: a pydantic model or any other type (left out: any key, any JSON).
    `agents` are the roles who may post and look (left out: all). Entries are added, never changed: of several under a key
    the last one counts, and the ones before it can be seen.
    """

    keys: Mapping[str, Any] | None = None
    agents: Sequence[str] | None = None
    _types: dict[str, TypeAdapter[Any]] = field(init=False, repr=False, compare=False)
    _tools: list[DeskTool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            types = {key: TypeAdapter(kind) for key, kind in (self.keys or {}).items()}
        except Exception as error:  # pydantic raises several kinds for what it makes nothing of
            raise InvalidCrew(f"A key of the blackboard has no type that pydantic knows: {error}") from None
        object.__setattr__(self, "_types", types)
        object.__setattr__(self, "_tools", [self._post_tool(), self._look_tool()])

    def tools_of(self, agent: Agent) -> list[DeskTool]:
        """The tools `post` and `look`, for an agent that may use them."""
        return self._tools if self.agents is None or agent.role in self.agents else []

    def entries(self, ctx: RunContext) -> list[Entry]:
        """All entries of the run so far, the oldest first. No step: what an agent does by it, it does by `look`."""
        written: list[tuple[int, dict[str, Any]]] = []
        for step, _ in ctx.journal.steps.known(_PLACE):
            done = [row for row in step.outcomes if row.kind == "step_finished"]
            if done:
                written.append((done[-1].seq, fields(done[-1])["output"]))
        written.sort(key=lambda one: one[0])
        return [Entry(**entry, nth=nth) for nth, (_, entry) in enumerate(written, 1)]

    async def post(self, desk: Desk, key: str, value: JsonValue) -> Entry:
        """Write an entry, once, however often its task begins again.

        Raises:
            ToolArgumentError: there is no such key, or the value is not of its type; the message is the correction.
        """
        value = self._fitting(key, value)
        ctx = desk.ctx
        value = ctx.journal.redactor.value(value)  # as it will stand in the journal
        entry = {"who": desk.agent.role, "task": ctx.task_id, "key": key, "value": value}
        place = desk.counted(json.dumps([POST, entry], sort_keys=True))

        def same() -> list[Entry]:
            return [one for one in self.entries(ctx) if one.model_dump(exclude={"nth"}) == entry]

        async def write() -> dict[str, JsonValue]:
            return entry

        if place >= len(same()):  # else the task was broken off after it, or is tried again
            await ctx.for_task(_PLACE).step(f"board:{POST}", write, inputs={**entry, "nth": place})
        return same()[place]

    async def look(self, desk: Desk, key: str | None = None) -> list[Entry]:
        """What is on the board now, or under one key: a step, so that a replay sees the same."""

        async def read() -> list[Entry]:
            return [entry for entry in self.entries(desk.ctx) if key is None or entry.key == key]

        inputs = {"who": desk.agent.role, "key": key}
        found: list[Entry] = await desk.ctx.step(f"board:{LOOK}", read, inputs=inputs, returns=list[Entry])
        return found

    def _fitting(self, key: str, value: JsonValue) -> JsonValue:
        if self.keys is None:
            return value
        if key not in self._types:
            raise ToolArgumentError(
                f"{POST}: the blackboard has no key {key!r}; it has: {', '.join(self._types)}."
            )
        try:
            kind = self._types[key]
            made: JsonValue = kind.dump_python(kind.validate_python(value), mode="json")
        except ValidationError as error:
            from ..guarding.guardrail import problems

            raise ToolArgumentError(
                f"{POST}: the value for {key!r} does not fit: {problems(error)}"
            ) from None
        return made

    def _post_tool(self) -> DeskTool:
        async def post(desk: Desk, given: dict[str, Any]) -> str:
            entry = await self.post(desk, given["key"], given["value"])
            return f"{entry.key} is on the board."

        kinds = f" Keys: {', '.join(self._types)}." if self._types else ""
        said = f"Write something on the board that all colleagues see.{kinds}"
        key: Any = Literal[tuple(self._types)] if self._types else str
        value: Any = JsonValue
        return desk_tool(POST, said, create_model(POST, key=(key, ...), value=(value, ...)), post)

    def _look_tool(self) -> DeskTool:
        async def look(desk: Desk, given: dict[str, Any]) -> list[dict[str, Any]]:
            found = await self.look(desk, given["key"])
            return [e.model_dump(mode="json", exclude={"nth", "task"}) for e in found]

        said = "See what colleagues wrote on the board, all of it or under one key."
        key: Any = str | None
        return desk_tool(LOOK, said, create_model(LOOK, key=(key, None)), look)
