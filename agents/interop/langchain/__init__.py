"""Owns the doors to and from langchain-core, and so LangGraph."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ...model import Message, ModelClient
from ..asking import request_of
from ..loops import ClientLoop

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from .chat import CrewgraphChat


def as_langchain(client: ModelClient, **defaults: Any) -> CrewgraphChat:
    """The client as a langchain-core chat model, for LangGraph and everything else that takes one.

    `defaults` are settings of every call that names no other: fields of `ModelRequest` such as `max_tokens`,
    `temperature`, `model`. Its async doors go straight to the client; `invoke` and `stream` wait in their thread while
    the client works on its own event loop. Errors are crewgraph's. Raises `InvalidRequest`: a default is no setting.
    """
    from .chat import FIELDS, CrewgraphChat

    request_of([Message("user", "")], defaults)
    chat = CrewgraphChat(**{name: defaults[name] for name in FIELDS if name in defaults})
    chat.serve(ClientLoop(client), {name: value for name, value in defaults.items() if name not in FIELDS})
    return chat


def from_langchain(model: BaseChatModel, *, keep: Collection[str] = ()) -> ModelClient:
    """A langchain-core chat model as our client, for crewgraph's agents.

    A request's `max_tokens`, `temperature`, `seed`, `top_p` and `model` are set on a copy of it wherever it has a field
    for them; those named in `keep` stay as they are. A schema goes through its `with_structured_output`, tools through
    its `bind_tools`: `InvalidRequest` where it has none. A constrained reply comes in one piece.
    """
    from .client import LangChainModel

    return LangChainModel(model, keep)
