"""Owns any AutoGen `ChatCompletionClient` as a `ModelClient`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Any

# AutoGen is an extra: where it is not installed, checkers take its names for Any.
from autogen_core import CancellationToken  # pyright: ignore[reportMissingImports]  # an extra
from autogen_core.models import ChatCompletionClient  # pyright: ignore[reportMissingImports]  # an extra

from ....runtime.errors import InvalidRequest, ModelError
from ...model import FinishReason, ModelDelta, ModelReply, ModelRequest, ToolCall, Usage
from ..asking import arguments_of
from ..foreign import ForeignModel
from ..schema_class import schema_class
from .messages import theirs

_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "content_filter": "filtered",
    "function_calls": "tool_calls",
}


class AutoGenModel(ForeignModel):
    """A `ModelClient` over an AutoGen `ChatCompletionClient`; see `from_autogen`."""

    def __init__(self, client: Any, keep: Collection[str] = ()) -> None:
        if not isinstance(client, ChatCompletionClient):
            raise InvalidRequest(f"{type(client).__name__} is no AutoGen ChatCompletionClient; give one.")
        super().__init__(type(client).__name__, keep)
        self._client: Any = client

    async def ask(self, request: ModelRequest) -> ModelReply:
        """The client's whole reply."""
        token = CancellationToken()
        try:
            return self._reply(
                await self._client.create(
                    theirs(request.messages), cancellation_token=token, **self._given(request)
                )
            )
        finally:
            token.cancel()

    async def tell(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The client's reply as it writes it."""
        token = CancellationToken()
        whole: Any = None
        pieces: AsyncGenerator[Any, None] = self._client.create_stream(
            theirs(request.messages), cancellation_token=token, **self._given(request)
        )
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if not isinstance(piece, str):
                        whole = piece
                    elif piece:
                        yield ModelDelta(piece)
        finally:
            token.cancel()
        if whole is None:
            raise ModelError(f"{self.name} ended its stream without a result; ask again.")
        yield ModelDelta("", self._reply(whole))

    async def count_tokens(self, request: ModelRequest) -> int:
        """How many tokens the client says that the messages are."""
        return int(self._client.count_tokens(theirs(request.messages), tools=_schemas(request)))

    async def context_tokens(self, model: str | None = None) -> int | None:
        """The window, as the client tells it for no messages."""
        return int(self._client.remaining_tokens([]))

    def _given(self, request: ModelRequest) -> dict[str, Any]:
        can = self._client.model_info
        given: dict[str, Any] = {"extra_create_args": self.settings(request)}
        if request.schema is not None:
            if can.get("structured_output"):
                given["json_output"] = schema_class(request.schema)
            elif can.get("json_output"):
                given["json_output"] = True
            else:
                raise InvalidRequest(
                    f"{self.name} can be held neither to a schema nor to JSON; ask a model that can."
                )
        if request.tools and request.tool_choice != "none":
            if not can.get("function_calling"):
                raise InvalidRequest(f"{self.name} cannot call tools; ask a model that can.")
            given |= {"tools": _schemas(request), "tool_choice": request.tool_choice}
        return given

    def _reply(self, result: Any) -> ModelReply:
        used = Usage(result.usage.prompt_tokens, result.usage.completion_tokens)
        if isinstance(result.content, str):
            return ModelReply(result.content, _FINISH.get(result.finish_reason, "stop"), used, self.name)
        calls = tuple(
            ToolCall(call.id, call.name, arguments_of(call.arguments, call.name)) for call in result.content
        )
        return ModelReply(result.thought or "", "tool_calls", used, self.name, calls)


def _schemas(request: ModelRequest) -> list[dict[str, Any]]:
    return [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in request.tools]
