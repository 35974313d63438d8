"""Owns any CrewAI LLM as a `ModelClient`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from typing import Any

# CrewAI is an extra: where it is not installed, checkers take its names for Any.
from crewai.events.stream_context import (  # pyright: ignore[reportMissingImports]  # an extra
    add_stream_sink,
    reset_stream_sinks,
)
from crewai.events.utils.console_formatter import (  # pyright: ignore[reportMissingImports]  # an extra
    set_suppress_console_output,
    should_suppress_console_output,
)
from crewai.llms.base_llm import (  # pyright: ignore[reportMissingImports]  # an extra
    BaseLLM,
    call_stop_override,
    call_stream_override,
)
from crewai.types.usage_metrics import UsageMetrics  # pyright: ignore[reportMissingImports]  # an extra
from pydantic import BaseModel

from ....runtime.errors import InvalidRequest
from ...model import FinishReason, ModelDelta, ModelReply, ModelRequest, ToolCall, Usage
from ..asking import said_of, said_tool, tool_call_of
from ..foreign import ForeignModel
from ..schema_class import schema_class

_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "filtered",
    "cancelled": "cancelled",
}


class CrewAIModel(ForeignModel):
    """A `ModelClient` over a CrewAI LLM; see `from_crewai`."""

    def __init__(self, llm: Any, keep: Collection[str] = ()) -> None:
        if not isinstance(llm, BaseLLM):
            raise InvalidRequest(
                f"{type(llm).__name__} is no CrewAI LLM; give a BaseLLM, such as crewai.LLM(model=…)."
            )
        super().__init__(str(llm.model), keep)
        self._llm: Any = llm

    async def ask(self, request: ModelRequest) -> ModelReply:
        """The LLM's whole reply."""
        return await self._call(request, lambda _: None, stream=False)

    async def tell(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The LLM's reply, each piece as CrewAI tells of it; in one piece where it tells of none."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()

        def hear(piece: str | None) -> None:  # CrewAI tells of pieces in the thread that calls the LLM
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        call = asyncio.create_task(self._call(request, hear, stream=True))
        call.add_done_callback(lambda _: hear(None))
        heard = ""
        try:
            while (piece := await pieces.get()) is not None:
                heard += piece
                yield ModelDelta(piece)
            reply = await call
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        if not heard and reply.text:
            yield ModelDelta(reply.text)
        yield ModelDelta("", reply)

    async def _call(self, request: ModelRequest, hear: Callable[[str], None], *, stream: bool) -> ModelReply:
        tools = () if request.tool_choice == "none" else request.tools
        if tools and not getattr(self._llm, "supports_function_calling", bool)():
            raise InvalidRequest(f"{self.name} cannot call tools; ask a model that can.")
        settings = self.settings(request)
        stop = settings.pop("stop", None)
        settings.pop("model", None)  # CrewAI chooses the provider by it when the LLM is made
        llm = self._llm.model_copy(update=settings)
        given: dict[str, Any] = {"messages": [said_of(message) for message in request.messages]}
        if tools:
            given["tools"] = [said_tool(tool) for tool in tools]
        if request.schema is not None:
            given["response_model"] = schema_class(request.schema)
        over: list[Any] = []

        def sink(_: Any, event: Any) -> None:
            if event.type == "llm_stream_chunk" and event.tool_call is None and event.chunk:
                hear(event.chunk)
            elif event.type == "llm_call_completed":
                over.append(event)

        token = add_stream_sink(sink)
        silent = should_suppress_console_output()
        # CrewAI draws every reply on the terminal, which is not its own here.
        set_suppress_console_output(True)
        try:
            with call_stream_override(llm, stream), call_stop_override(llm, stop):
                if type(llm).acall is BaseLLM.acall:
                    answer = await asyncio.to_thread(llm.call, **given)
                else:
                    answer = await llm.acall(**given)
        finally:
            set_suppress_console_output(silent)
            reset_stream_sinks(token)
        return _reply(answer, over[-1] if over else None, self.name)


def _reply(answer: Any, told: Any, name: str) -> ModelReply:
    calls: tuple[ToolCall, ...] = ()
    if isinstance(answer, list):
        calls, text = tuple(tool_call_of(call) for call in answer), ""
    else:
        text = answer.model_dump_json() if isinstance(answer, BaseModel) else str(answer or "")
    reason = str(getattr(told, "finish_reason", None) or "stop").lower()
    finish = "tool_calls" if calls else _FINISH.get(reason, "stop")
    return ModelReply(text, finish, _usage(getattr(told, "usage", None)), name, calls)


def _usage(said: dict[str, Any] | None) -> Usage:
    used = UsageMetrics.from_provider_dict(said)
    if used is None:
        return Usage()
    return Usage(used.prompt_tokens, used.completion_tokens, used.cached_prompt_tokens)
