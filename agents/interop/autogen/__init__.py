"""Owns the doors to and from AutoGen."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ....runtime.errors import InvalidRequest
from ...model import Message, ModelClient
from ..asking import request_of
from ..loops import ClientLoop

if TYPE_CHECKING:
    from .chat import CrewgraphChatCompletionClient


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


def _missing(error: ModuleNotFoundError) -> Exception:
    if (error.name or "").partition(".")[0] != "autogen_core":
        return error
    return InvalidRequest("AutoGen is not installed; pip install 'crewgraph[autogen]'.")
