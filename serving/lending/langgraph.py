"""Owns a crew as a compiled LangGraph graph, over messages."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from ...agents.crew import Crew
from ...runtime.errors import InvalidRequest, NotFound, RunWaiting, StepInDoubt
from ...runtime.events import Answer
from ..house import House
from ..outcome import Outcome
from ..settings import Settings
from .loan import Loan

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph


def as_langgraph(
    crew: Crew, house: House | None = None, *, settings: Settings | None = None, checkpointer: Any = None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The crew as a compiled graph over ``messages``: to be invoked, streamed, or a node of another graph.

    The last message is the request, those before it are its history; the answer comes as a message under the crew's
    name. The request is a run, of the same id when LangGraph carries the node out again (in a thread, with a checkpointer),
    which then goes on where it was. Where the run asks a person, the graph calls ``interrupt()`` with the run, the
    question and its choices: resume it with the answer's value, True, False, or ``{"decision": …, "value": …}``.
    """
    from langchain_core.messages import AIMessage
    from langgraph.config import get_config
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.types import Command, interrupt

    from ...agents.interop.langchain.messages import ours

    loan = Loan(crew, house, settings)

    class State(MessagesState, total=False):
        """The conversation, and the run that works on its last message while it waits for a person."""

        crew_run: str

    async def work(state: State) -> Any:
        said = ours(state["messages"])
        if not said:
            raise InvalidRequest(f"The crew {crew.name!r} was asked nothing: there is no message.")
        run_id = state.get("crew_run") or _run_id(get_config())
        try:
            outcome = await loan.at_home(lambda at: _carry(at, crew, run_id, said))
        except (RunWaiting, StepInDoubt):
            return Command(update={"crew_run": run_id}, goto="ask")
        message = AIMessage(outcome.answer, name=loan.name, response_metadata={"run_id": outcome.run_id})
        return Command(update={"messages": [message], "crew_run": ""}, goto=END)

    async def ask(state: State) -> Any:
        run_id = state.get("crew_run", "")
        questions = await loan.at_home(lambda at: at.questions(run_id))
        if questions:
            first = questions[0]
            answered = interrupt(
                {
                    "run": run_id,
                    "question": first.question,
                    "about": first.about,
                    "choices": list(first.choices),
                }
            )
            await loan.at_home(lambda at: at.answer(run_id, first.key, _answer(answered)))
        return Command(goto="crew")

    builder = StateGraph(State)
    builder.add_node("crew", work, destinations=("ask", END))
    builder.add_node("ask", ask, destinations=("crew",))
    builder.add_edge(START, "crew")
    return builder.compile(checkpointer=checkpointer, name=loan.name)


async def _carry(house: House, crew: Crew, run_id: str, said: list[Any]) -> Outcome:
    """The run of that id, begun where there is none."""
    try:
        await house.store.find_run(run_id)
    except NotFound:
        journal = await house.enter(crew, said[-1].content, history=said[:-1], run_id=run_id)
        await journal.aclose()
    return await house.resume(run_id, crew)


def _run_id(config: Any) -> str:
    """The same for the same node of the same step of a thread, so that what was begun is gone on with."""
    here = config.get("configurable") or {}
    if not (thread := here.get("thread_id")):
        return f"lent-{uuid.uuid4().hex[:16]}"
    place = f"{thread}/{here.get('checkpoint_ns', '')}"
    return f"lent-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


def _answer(said: Any) -> Answer:
    if isinstance(said, dict) and "decision" in said:
        return Answer.model_validate(said)
    if isinstance(said, bool):
        return Answer(decision="approve" if said else "reject")
    return Answer(decision="edit", value=said)
