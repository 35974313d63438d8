"""Owns `CrewgraphChatCompletionClient`: the AutoGen `ChatCompletionClient` over one `ModelClient`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

# AutoGen is an extra: where it is not installed, checkers take its names for Any.
from autogen_core import FunctionCall  # pyright: ignore[reportMissingImports]  # an extra
from autogen_core.models import (  # pyright: ignore[reportMissingImports]  # an extra
    ChatCompletionClient,
    CreateResult,
    RequestUsage,
)
from pydantic import BaseModel

from ....runtime.errors import EngineError, ModelError
from ...model import Message, ModelReply, ModelRequest, ToolSpec
from ..asking import chosen, request_of, tool_of
from ..loops import ClientLoop
from ..tasks.model import TaskModel
from .messages import ours

_FINISH = {"stop": "stop", "length": "length", "tool_calls": "function_calls", "filtered": "content_filter"}
_UNKNOWN_WINDOW = 4096
_CHARACTERS_PER_TOKEN = 4.0


class CrewgraphChatCompletionClient(ChatCompletionClient):  # type: ignore[misc]  # Any where AutoGen is not installed
    """An AutoGen model client over a crewgraph one; made by `as_autogen`."""

    def __init__(
        self,
        loop: ClientLoop,
        *,
        tools: bool,
        context_tokens: int | None,
        name_speakers: bool,
        defaults: Mapping[str, Any],
    ) -> None:
        self._loop = loop
        self._tools = tools
        self._window = context_tokens
        self._asked_window = context_tokens is not None
        self._name_speakers = name_speakers
        self._defaults = dict(defaults)
        self._last = RequestUsage(prompt_tokens=0, completion_tokens=0)
        self._total = RequestUsage(prompt_tokens=0, completion_tokens=0)
        self._characters_per_token = _CHARACTERS_PER_TOKEN

    async def create(
        self,
        messages: Sequence[Any],
        *,
        tools: Sequence[Any] = (),
        tool_choice: Any = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: Any = None,
    ) -> Any:
        """The whole reply: text, or the tools to call."""
        request = self._request(messages, tools, tool_choice, json_output, extra_create_args)
        call = asyncio.create_task(self._whole(request))
        if cancellation_token is not None:
            cancellation_token.link_future(call)
        return self._count(request, await call)

    async def create_stream(
        self,
        messages: Sequence[Any],
        *,
        tools: Sequence[Any] = (),
        tool_choice: Any = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: Any = None,
    ) -> AsyncGenerator[Any, None]:
        """The reply's text as it is written, and then the whole."""
        request = self._request(messages, tools, tool_choice, json_output, extra_create_args)
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        pump = asyncio.create_task(self._pump(request, pieces))
        pump.add_done_callback(lambda _: pieces.put_nowait(None))
        if cancellation_token is not None:
            cancellation_token.link_future(pump)
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield self._count(request, await pump)
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    async def close(self) -> None:
        """End the thread that was started for the client, if one was; the client itself is its owner's."""
        await asyncio.to_thread(self._loop.close)

    def actual_usage(self) -> Any:
        """What the last call used."""
        return self._last

    def total_usage(self) -> Any:
        """What all calls have used."""
        return self._total

    def count_tokens(self, messages: Sequence[Any], *, tools: Sequence[Any] = ()) -> int:
        """About how many tokens the messages are, by the characters a token had in the last call that the engine counted."""
        written = _characters(ours(messages, self._name_speakers), _specs(tools))
        return -int(-written // self._characters_per_token)

    def remaining_tokens(self, messages: Sequence[Any], *, tools: Sequence[Any] = ()) -> int:
        """About how many tokens of the window the messages leave."""
        return (self._window or _UNKNOWN_WINDOW) - self.count_tokens(messages, tools=tools)

    @property
    def serves_tasks(self) -> bool:
        """Whether its calls are steps of a task."""
        return isinstance(self._loop.client, TaskModel)

    @property
    def capabilities(self) -> Any:
        """The same as `model_info`, under its old name."""
        return self.model_info

    @property
    def model_info(self) -> Any:
        """What the client can do."""
        return {
            "vision": False,
            "function_calling": self._tools,
            "json_output": True,
            "family": "unknown",
            "structured_output": True,
            "multiple_system_messages": True,
        }

    def _request(
        self, messages: Sequence[Any], tools: Sequence[Any], choice: Any, json_output: Any, extra: Any
    ) -> ModelRequest:
        callable_now, must = chosen(_specs(tools), choice if isinstance(choice, str) else choice.name)
        given: dict[str, Any] = {}
        if isinstance(json_output, type) and issubclass(json_output, BaseModel):
            given["schema"] = json_output.model_json_schema()
        elif json_output:
            given["schema"] = {"type": "object"}
        return request_of(
            ours(messages, self._name_speakers),
            self._defaults,
            given,
            extra or {},
            tools=callable_now,
            tool_choice=must,
        )

    async def _whole(self, request: ModelRequest) -> ModelReply:
        await self._learn_window(request)
        return await self._loop.complete(request)

    async def _pump(self, request: ModelRequest, pieces: asyncio.Queue[str | None]) -> ModelReply:
        await self._learn_window(request)
        async with aclosing(self._loop.stream(request)) as deltas:
            async for delta in deltas:
                if delta.text:
                    pieces.put_nowait(delta.text)
                if delta.reply is not None:
                    return delta.reply
        raise ModelError("The client's stream ended without its reply; look into the client.")

    async def _learn_window(self, request: ModelRequest) -> None:
        if not self._asked_window:
            self._asked_window = True
            with contextlib.suppress(EngineError):  # what is wrong with the engine, the call itself will say
                self._window = await self._loop.run(lambda: self._loop.client.context_tokens(request.model))

    def _count(self, request: ModelRequest, reply: ModelReply) -> Any:
        used = reply.usage
        self._last = RequestUsage(prompt_tokens=used.prompt_tokens, completion_tokens=used.completion_tokens)
        self._total = RequestUsage(
            prompt_tokens=self._total.prompt_tokens + used.prompt_tokens,
            completion_tokens=self._total.completion_tokens + used.completion_tokens,
        )
        if used.prompt_tokens:
            self._characters_per_token = max(
                1.0, _characters(request.messages, request.tools) / used.prompt_tokens
            )
        calls = [
            FunctionCall(id=call.id, name=call.name, arguments=json.dumps(call.arguments, ensure_ascii=False))
            for call in reply.tool_calls
        ]
        return CreateResult(
            finish_reason=_FINISH.get(reply.finish_reason, "unknown"),
            content=calls or reply.text,
            usage=self._last,
            cached=used.saved_tokens > 0,
            thought=(reply.text or None) if calls else None,
        )


def _specs(tools: Sequence[Any]) -> tuple[ToolSpec, ...]:
    return tuple(tool_of(tool if isinstance(tool, Mapping) else tool.schema) for tool in tools)


def _characters(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> int:
    told = sum(len(json.dumps(tool.parameters)) + len(tool.description) for tool in tools)
    return told + sum(len(message.content) for message in messages)
