"""Owns the doors to and from AutoGen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ....runtime.errors import InvalidRequest
from ....runtime.events import Effect
from ...model import Message, ModelClient
from ..asking import request_of
from ..loops import ClientLoop

if TYPE_CHECKING:
    from .chat import CrewgraphChatCompletionClient
    from .teams import AutoGenAgent


def as_autogen(
    client: ModelClient,
    *,
    tools: bool = True,
    context_tokens: int | None = None,
    name_speakers: bool = False,
    **defaults: Any,
) -> CrewgraphChatCompletionClient:
    """The client as an AutoGen `ChatCompletionClient`, for ``AssistantAgent(model_client=…)`` and teams.

    `tools` says that the client can call tools (for an engine without native tool calls wrap it in one that makes them
    by schema). `context_tokens` is the model's window; None asks the engine with the first call, and means 4096 until
    then. With `name_speakers` each message of a team says who wrote it. `defaults` are settings of every call that names
    no other in its `extra_create_args`: fields of `ModelRequest`. An AutoGen cancellation token ends the engine's work.

    Raises `InvalidRequest`: AutoGen is not installed, or a default is no setting.
    """
    request_of([Message("user", "")], defaults)
    try:
        from .chat import CrewgraphChatCompletionClient
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return CrewgraphChatCompletionClient(
        ClientLoop(client),
        tools=tools,
        context_tokens=context_tokens,
        name_speakers=name_speakers,
        defaults=defaults,
    )


def from_autogen(client: Any, *, keep: Collection[str] = ()) -> ModelClient:
    """An AutoGen `ChatCompletionClient` as our client, for crewgraph's agents.

    A request's `max_tokens`, `temperature`, `seed`, `top_p`, `stop` and `model` go to it as extra arguments of the
    call, as OpenAI's client takes them; name in `keep` those that it does not take. A schema goes as its structured
    output, or as its JSON mode, tools as its function calling: `InvalidRequest` where it has none.
    """
    try:
        from .client import AutoGenModel
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return AutoGenModel(client, keep)


def autogen_agent(
    made: Any,
    *,
    effects: Mapping[str, Effect] | None = None,
    context_tokens: int | None = None,
    aloud: bool = False,
    name: str | None = None,
) -> AutoGenAgent:
    """An AutoGen AgentChat agent or team as an agent's way of working: ``Agent("panel", "…", architecture=autogen_agent(make))``.

    `made` is a function that makes the agent or team for each task, given the model client to use, as
    ``lambda model: RoundRobinGroupChat([AssistantAgent("a", model_client=model)], max_turns=2)``; or one agent or team, whose
    agents were made with ``as_autogen(task_model())``: it remembers, so it is reset for each task and works on one at a time.
    It is given the thread's messages and what is asked; its last message is the result.

    Calls of its assistants' tools and workbenches are steps: `effects` says by name what calling one twice would do (left
    out: `once`). AutoGen makes a tool's error a result, so a call that failed is over and not in doubt. `aloud` shows what its
    models write. What agents of other classes do by themselves is hidden from the journal, except by `task_context`.

    Raises:
        InvalidCrew: it is nothing of AutoGen's, or (at its first task) has a model that is not the task's.
        InvalidRequest: AutoGen is not installed.
    """
    try:
        from .teams import AutoGenAgent
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return AutoGenAgent(made, effects=effects, context_tokens=context_tokens, aloud=aloud, name=name)


def autogen_tools(given: Sequence[object]) -> list[Any]:
    """Tools of ours as AutoGen's, for ``AssistantAgent(tools=…)``: each call goes by the desk of the task that it is made in.

    Raises `InvalidRequest`: AutoGen is not installed; `InvalidCrew`: one of them is no tool.
    """
    try:
        from .tools import task_tool
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return [task_tool(one) for one in given]


def _missing(error: ModuleNotFoundError) -> Exception:
    if (error.name or "").partition(".")[0] not in ("autogen_core", "autogen_agentchat"):
        return error
    return InvalidRequest("AutoGen is not installed; pip install 'crewgraph[autogen]'.")
