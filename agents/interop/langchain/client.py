"""Owns any langchain-core chat model as a `ModelClient`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable

from ....runtime.errors import EngineError, InvalidRequest, ModelError
from ...model import ModelDelta, ModelReply, ModelRequest
from ..asking import said_tool
from ..foreign import ForeignModel
from .messages import reply_for, theirs

_FIELDS = {
    "model": ("model", "model_name", "model_id"),
    "max_tokens": (
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "num_predict",
        "max_new_tokens",
    ),
    "temperature": ("temperature",),
    "seed": ("seed",),
    "top_p": ("top_p",),
}
"""What the fields of langchain's many chat models are called that set what a request sets."""


class LangChainModel(ForeignModel):
    """A `ModelClient` over a langchain-core chat model; see `from_langchain`."""

    def __init__(self, model: BaseChatModel, keep: Collection[str] = ()) -> None:
        named = getattr(model, "model_name", None) or getattr(model, "model", None) or model._llm_type
        super().__init__(str(named), keep)
        self._model = model

    async def ask(self, request: ModelRequest) -> ModelReply:
        """The model's whole reply."""
        stop = list(request.stop) or None
        if request.schema is not None:
            return await self._constrained(request, request.schema)
        bound = self._bound(request)
        return reply_for(await bound.ainvoke(theirs(request.messages), stop=stop), self.name)

    async def tell(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The model's reply as it writes it."""
        stop = list(request.stop) or None
        whole: AIMessageChunk | None = None
        chunks: AsyncIterator[Any] = self._bound(request).astream(theirs(request.messages), stop=stop)
        async with aclosing(cast("AsyncGenerator[Any, None]", chunks)) as pieces:
            async for piece in pieces:
                whole = piece if whole is None else whole + piece
                if text := piece.text:
                    yield ModelDelta(str(text))
        if whole is None:
            raise ModelError(f"{self.name} ended its reply without a word; ask again.")
        yield ModelDelta("", reply_for(whole, self.name))

    async def count_tokens(self, request: ModelRequest) -> int:
        """How many tokens it says that the messages are. Raises `EngineError`: it cannot tell by itself.

        langchain-core's own way is not taken: it fetches another model's tokenizer from a hub.
        """
        kind = type(self._model)
        counters = ("get_num_tokens_from_messages", "get_num_tokens", "get_token_ids")
        if all(getattr(kind, name) is getattr(BaseChatModel, name) for name in counters):
            raise EngineError(f"{self.name} cannot count tokens.")
        return await asyncio.to_thread(self._model.get_num_tokens_from_messages, theirs(request.messages))

    def _bound(self, request: ModelRequest) -> Runnable[Any, AIMessage]:
        model = self._set(request)
        if not request.tools or request.tool_choice == "none":
            return model
        choice = "any" if request.tool_choice == "required" else "auto"
        try:
            return model.bind_tools([said_tool(tool) for tool in request.tools], tool_choice=choice)
        except NotImplementedError:  # how langchain-core says that a model has no tools
            raise InvalidRequest(f"{self.name} cannot call tools; ask a model that can.") from None

    async def _constrained(self, request: ModelRequest, schema: dict[str, Any]) -> ModelReply:
        named = {"title": "Reply", "description": "The reply.", **schema}
        stop = list(request.stop) or None
        try:
            bound = self._set(request).with_structured_output(named, include_raw=True)
        except NotImplementedError:  # the same, of schemas
            raise InvalidRequest(f"{self.name} cannot be held to a schema; ask a model that can.") from None
        both = cast("dict[str, Any]", await bound.ainvoke(theirs(request.messages), stop=stop))
        reply = reply_for(both["raw"], self.name)
        if both.get("parsing_error") is not None or both.get("parsed") is None:
            return reply  # what is wrong with it is said where it is checked
        finish = "stop" if reply.finish_reason == "tool_calls" else reply.finish_reason
        text = json.dumps(both["parsed"], ensure_ascii=False)
        return ModelReply(text, finish, reply.usage, reply.model)

    def _set(self, request: ModelRequest) -> BaseChatModel:
        fields = type(self._model).model_fields
        update: dict[str, Any] = {}
        for setting, value in self.settings(request).items():
            names = [name for name in _FIELDS.get(setting, ()) if name in fields]
            update |= {names[0]: value} if names else {}
        return self._model.model_copy(update=update) if update else self._model
