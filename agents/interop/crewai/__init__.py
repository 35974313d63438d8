"""Owns the doors to and from CrewAI, and that nothing of it talks to anybody outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ....runtime.errors import InvalidRequest
from ....runtime.events import Effect
from ...model import Message, ModelClient
from ..asking import request_of
from ..loops import ClientLoop

if TYPE_CHECKING:
    from ...desk import Desk
    from .crews import CrewAIAgent
    from .llm import CrewgraphLLM

_QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "ANONYMIZED_TELEMETRY": "False",
}
"""What keeps CrewAI, LiteLLM and Chroma from telling their makers what they are used for."""


def as_crewai(
    client: ModelClient,
    *,
    name: str = "crewgraph",
    tools: Literal["native", "text"] = "native",
    stream: bool = False,
    context_tokens: int = 4096,
    **defaults: Any,
) -> CrewgraphLLM:
    """The client as a CrewAI `BaseLLM`, for ``Agent(llm=…)``.

    CrewAI calls models from threads; the calls are carried out on the client's own event loop, wherever that is. With
    `tools` "native" an agent's tools go into the request (for an engine without native tool calls wrap the client in
    one that makes them by schema); with "text" CrewAI asks for them in its ReAct text. `stream` tells CrewAI each piece
    as an event. `context_tokens` is the window that CrewAI shortens conversations to. `defaults` are settings of every
    call: fields of `ModelRequest`. A crew that may be cancelled is run inside a `CallScope`; for right
    sums of tokens each of its agents gets a `twin()` of the LLM.

    CrewAI's telemetry is switched off by its environment variables, unless they are set already. Raises
    `InvalidRequest`: CrewAI is not installed, or a default is no setting.
    """
    request_of([Message("user", "")], defaults)
    silence()
    try:
        from .llm import CrewgraphLLM
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    llm = CrewgraphLLM(model=name, provider="crewgraph", stream=stream)
    llm.serve(ClientLoop(client), native_tools=tools == "native", window=context_tokens, defaults=defaults)
    return llm


def from_crewai(llm: Any, *, keep: Collection[str] = ()) -> ModelClient:
    """A CrewAI LLM (a `BaseLLM`, not the name of one) as our client, for crewgraph's agents.

    A request's `max_tokens`, `temperature`, `seed` and `top_p` are set on a copy of it; those named in `keep` stay as
    they are. A schema becomes a `response_model`, tools go the way of its function calling: `InvalidRequest` where it has
    none. Cancelling ends a call at once where the LLM has an async door; one that has only a synchronous door is left to
    finish in its thread.
    """
    silence()
    try:
        from .client import CrewAIModel
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return CrewAIModel(llm, keep)


def crewai_agent(
    made: Any,
    *,
    given: Callable[[Desk], Mapping[str, Any]] | None = None,
    effects: Mapping[str, Effect] | None = None,
    tools: Literal["native", "text"] = "native",
    context_tokens: int = 4096,
    aloud: bool = False,
    name: str | None = None,
) -> CrewAIAgent:
    """A CrewAI crew, agent or flow as an agent's way of working: ``Agent("press", "…", architecture=crewai_agent(crew))``.

    `made` is a `Crew`, an `Agent`, a `Flow` class, or a function that makes one of these for each task (given the LLM to
    use, where it takes a parameter). Each task works on a copy of its own, in a thread of its own. In crews and agents every
    LLM is replaced by the model of ours that the agent has, except those made by `as_crewai`; the agents of a flow have to
    be made with ``as_crewai(task_model())``. A crew's descriptions may name ``{request}``, ``{task}``, ``{known}`` (results so
    far) and ``{asked}`` (all three); where none does, its first task is told all. A flow gets them as inputs. `given` makes
    other inputs of the desk.

    Calls of its tools are steps: `effects` says by name what calling one twice would do (left out: `once`). In a flow only
    those made by `crewai_tools` are; what else a flow's methods do is hidden from the journal. `tools` and
    `context_tokens` are as in `as_crewai`; `aloud` shows what its models write.

    Raises:
        InvalidCrew: it is nothing of CrewAI's.
        InvalidRequest: CrewAI is not installed.
    """
    silence()
    try:
        from .crews import CrewAIAgent
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    settings = {"tools": tools, "context_tokens": context_tokens}
    return CrewAIAgent(made, given=given, effects=effects, settings=settings, aloud=aloud, name=name)


def crewai_tools(given: Sequence[object]) -> list[Any]:
    """Tools as CrewAI's whose calls go by the task's desk: ours with their own effect, approval and limits.

    CrewAI's own become steps too; crews need that for none of theirs, flows for all. Raises `InvalidRequest`: CrewAI is not
    installed; `InvalidCrew`: one of them is no tool.
    """
    silence()
    try:
        from .tools import task_tool
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return [task_tool(one) for one in given]


def silence() -> None:
    """Switch off what CrewAI and its parts send home, where nobody has set it otherwise."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def _missing(error: ModuleNotFoundError) -> Exception:
    if (error.name or "").partition(".")[0] != "crewai":
        return error
    return InvalidRequest(
        "CrewAI is not installed; pip install 'crewgraph[crewai]' in an environment without vLLM."
    )
