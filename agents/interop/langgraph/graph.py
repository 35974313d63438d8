"""Owns `LangGraphAgent`: a compiled graph of LangGraph's as an agent of a crew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel
from langgraph.types import Command
from pydantic_core import to_jsonable_python

from ....runtime.errors import InvalidCrew, Rejected
from ....runtime.events import Answer, Decision, Effect
from ...architectures.architecture import Concluded
from ...desk import Desk
from ..langchain.messages import theirs
from ..tasks.foreign_agent import ForeignAgent, concluded
from ..tasks.seat import Seat
from .tools import stepping

_CHOICES: tuple[Decision, ...] = ("answer", "approve", "edit", "reject")


class LangGraphAgent(ForeignAgent):
    """An `Architecture` over a compiled graph; made by `langgraph_agent`."""

    framework = "The LangGraph graph"

    def __init__(
        self,
        graph: Any,
        *,
        given: Callable[[Desk], Any] | None = None,
        taken: Callable[[Any], Any] | None = None,
        effects: Mapping[str, Effect] | None = None,
        aloud: bool | str = False,
        name: str | None = None,
    ) -> None:
        if not isinstance(graph, Pregel):
            raise InvalidCrew(
                f"{type(graph).__name__} is no compiled LangGraph graph; give `builder.compile()`."
            )
        if given is None and "messages" not in graph.channels:
            raise InvalidCrew(
                f"The graph {graph.name!r} has no `messages` in its state: say what it is given "
                "(`given=lambda desk: …`) and what its result is (`taken=lambda state: …`)."
            )
        super().__init__(name or graph.name, effects=effects, aloud=aloud is True)
        self._graph: Any = graph
        self._given = given or _messages
        self._taken = taken or _last_message
        self._node = aloud if isinstance(aloud, str) else ""
        self._nodes = stepping(graph)

    def graph(self, desk: Desk | None = None) -> Any:
        """The graph as it was given."""
        return self._graph

    async def work(self, seat: Seat) -> Concluded:
        """What the graph's last state says."""
        seat.place = _place
        if self._node:
            seat.aloud_where = lambda: _metadata().get("langgraph_node") == self._node
        desk = seat.desk
        thread = f"{seat.ctx.run_id}/{seat.ctx.task_id}"
        config: Any = {"configurable": {"thread_id": thread}}
        graph = self._graph.copy({"nodes": self._nodes, "checkpointer": await self._saver(seat, thread)})
        told: Any = self._given(desk)
        while True:
            state = await graph.ainvoke(told, config)
            if asked := list(state.get("__interrupt__") or ()) if isinstance(state, Mapping) else []:
                told = Command(resume={one.id: await self._ask(seat, one.value) for one in asked})
            elif stopped := await self._stopped(graph, config):
                if (
                    await self._ask(seat, f"{desk.agent.role} is about to go on with {stopped}. May it?")
                    is False
                ):
                    raise Rejected(f"A person said no to {stopped} of the agent {desk.agent.role!r}.")
                told = None
            else:
                return concluded(self._taken(state))
            seat.again()

    async def _saver(self, seat: Seat, thread: str) -> BaseCheckpointSaver[Any]:
        """Where the thread's state lies: the graph's own checkpointer, emptied, for the journal is what is resumed from."""
        own = self._graph.checkpointer
        if not isinstance(own, BaseCheckpointSaver) or seat.ctx.replaying:
            return InMemorySaver()
        await own.adelete_thread(thread)
        return own

    async def _stopped(self, graph: Any, config: Any) -> str:
        if not (graph.interrupt_before_nodes or graph.interrupt_after_nodes):
            return ""
        return ", ".join((await graph.aget_state(config)).next)

    async def _ask(self, seat: Seat, value: Any) -> Any:
        about = to_jsonable_python(value)
        said = about if isinstance(about, str) else about.get("question") if isinstance(about, dict) else None
        question = said if isinstance(said, str) else f"{seat.desk.agent.role} has a question."
        answer: Answer = await seat.effect(
            ("ask", about),
            lambda: seat.ctx.ask(question, about=about, choices=_CHOICES, name=f"interrupt:{self.name}"),
        )
        return answer.value if answer.value is not None else answer.decision != "reject"


def _messages(desk: Desk) -> Any:
    return {"messages": [*theirs(desk.brief.history), HumanMessage(desk.asked)]}


def _last_message(state: Any) -> Concluded:
    said = state["messages"][-1] if state.get("messages") else ""
    made = concluded(said.text if isinstance(said, BaseMessage) else str(said))
    if (whole := state.get("structured_response")) is not None:
        return replace(made, value=concluded(whole).value)
    return made


def _place() -> str:
    """Which running of which node this code belongs to; one that begins again after a question keeps its name."""
    config: Any = var_child_runnable_config.get() or {}
    return str(config.get("configurable", {}).get("checkpoint_ns") or "")


def _metadata() -> Mapping[str, Any]:
    config: Any = var_child_runnable_config.get() or {}
    found: Mapping[str, Any] = config.get("metadata") or {}
    return found
