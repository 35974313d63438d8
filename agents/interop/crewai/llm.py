"""Owns `CrewgraphLLM`: the CrewAI `BaseLLM` whose every call goes through one `ModelClient`."""

from __future__ import annotations

import copy
import uuid
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any

# CrewAI is an extra: where it is not installed, checkers take its names for Any.
from crewai.events.types.llm_events import LLMCallType  # pyright: ignore[reportMissingImports]  # an extra
from crewai.hooks.dispatch import HookAborted  # pyright: ignore[reportMissingImports]  # an extra
from crewai.llms.base_llm import (  # pyright: ignore[reportMissingImports]  # an extra
    BaseLLM,
    LLMCallBlockedError,
    llm_call_context,
)
from crewai.utilities.exceptions.context_window_exceeding_exception import (  # pyright: ignore[reportMissingImports]  # an extra
    LLMContextLengthExceededError,
)
from pydantic import BaseModel, PrivateAttr

from ....runtime.errors import ContextTooLong, ModelError
from ...model import ModelDelta, ModelReply, ModelRequest
from ..asking import message_of, request_of, said_call, tool_of
from ..loops import ClientLoop
from ..tasks.model import TaskModel
from ..tasks.seat import Seat


@dataclass(frozen=True)
class _Call:
    """One call of CrewAI's: what it hands to every hook and event."""

    messages: Any
    tools: Any = None
    available_functions: Any = None
    from_task: Any = None
    from_agent: Any = None
    response_model: type[BaseModel] | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def source(self) -> dict[str, Any]:
        return {"from_task": self.from_task, "from_agent": self.from_agent}


class CrewgraphLLM(BaseLLM):  # type: ignore[misc]  # Any where CrewAI is not installed
    """A CrewAI LLM over a crewgraph model client; made by `as_crewai`."""

    _loop: ClientLoop = PrivateAttr()
    _native: bool = PrivateAttr(default=True)
    _window: int = PrivateAttr(default=4096)
    _defaults: dict[str, Any] = PrivateAttr(default_factory=dict)

    def serve(self, loop: ClientLoop, *, native_tools: bool, window: int, defaults: dict[str, Any]) -> None:
        """Take the client, and how it is to be asked."""
        self._loop = loop
        self._native = native_tools
        self._window = window
        self._defaults = dict(defaults)

    def twin(self) -> CrewgraphLLM:
        """Another LLM over the same client that counts its own tokens.

        CrewAI adds the LLMs of a crew's agents up, and one that several agents share as often as there are agents.
        """
        twin: CrewgraphLLM = self.model_copy()
        twin._token_usage = dict.fromkeys(self._token_usage, 0)
        return twin

    def bound(self, seat: Seat) -> CrewgraphLLM:
        """A twin whose every call is a step of the seat's task, on the client that this one has."""
        twin, client = self.twin(), self._loop.client
        twin._loop = ClientLoop(TaskModel(seat, None if isinstance(client, TaskModel) else client))
        return twin

    def close(self) -> None:
        """End the thread that was started for the client, if one was."""
        self._loop.close()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> CrewgraphLLM:
        return copy.copy(self)  # the client is one, however often CrewAI copies its agents

    def supports_function_calling(self) -> bool:
        """Whether tools go into the request, rather than into CrewAI's ReAct text."""
        return self._native

    def supports_stop_words(self) -> bool:
        """Always: the engine stops at them."""
        return True

    def get_context_window_size(self) -> int:
        """The tokens that CrewAI may fill, 85 % of the window as with its own LLMs."""
        return int(self._window * 0.85)

    def get_input_tokens_count(self, messages: Any, tools: Any = None, response_model: Any = None) -> int:
        """About how many tokens the messages are: one for four characters, as CrewAI counts where nobody can."""
        said = self._request(_Call(messages, tools)).messages
        return sum((len(message.content) + 3) // 4 for message in said)

    def call(
        self,
        messages: Any,
        tools: Any = None,
        callbacks: Any = None,
        available_functions: Any = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: type[BaseModel] | None = None,
    ) -> Any:
        """One call, for a thread: text, an instance of `response_model`, or the tool calls for CrewAI to carry out."""
        call = _Call(messages, tools, available_functions, from_task, from_agent, response_model)
        with llm_call_context():
            try:
                request = self._begin(call)
                if not self._effective_stream():
                    return self._end(call, self._loop.complete_now(request))
                with closing(self._loop.stream_now(request)) as deltas:
                    for delta in deltas:
                        if (reply := self._heard(call, delta)) is not None:
                            return self._end(call, reply)
            except Exception as error:
                self._failed(call, error)
                # In CrewAI's words, so that it shortens the conversation.
                if isinstance(error, ContextTooLong):
                    raise LLMContextLengthExceededError(f"context length exceeded: {error}") from error
                raise
        raise ModelError("The client's stream ended without its reply; look into the client.")

    async def acall(
        self,
        messages: Any,
        tools: Any = None,
        callbacks: Any = None,
        available_functions: Any = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: type[BaseModel] | None = None,
    ) -> Any:
        """One call, for a coroutine on any event loop; cancelling it frees the engine."""
        call = _Call(messages, tools, available_functions, from_task, from_agent, response_model)
        with llm_call_context():
            try:
                request = self._begin(call)
                if not self._effective_stream():
                    return self._end(call, await self._loop.complete(request))
                async with aclosing(self._loop.stream(request)) as deltas:
                    async for delta in deltas:
                        if (reply := self._heard(call, delta)) is not None:
                            return self._end(call, reply)
            except Exception as error:
                self._failed(call, error)
                # In CrewAI's words, so that it shortens the conversation.
                if isinstance(error, ContextTooLong):
                    raise LLMContextLengthExceededError(f"context length exceeded: {error}") from error
                raise
        raise ModelError("The client's stream ended without its reply; look into the client.")

    def _begin(self, call: _Call) -> ModelRequest:
        self._emit_call_started_event(
            messages=call.messages,
            tools=call.tools,
            available_functions=call.available_functions,
            **call.source,
        )
        self._invoke_before_llm_call_hooks(self._format_messages(call.messages), call.from_agent)
        return self._request(call)

    def _request(self, call: _Call) -> ModelRequest:
        said = self._format_messages(call.messages)
        messages = [message_of(entry, f"message {place}") for place, entry in enumerate(said, start=1)]
        tools = tuple(tool_of(tool) for tool in call.tools or ()) if self._native else ()
        given: dict[str, Any] = {
            "max_tokens": None if self.max_tokens is None else int(self.max_tokens),
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": tuple(self.stop_sequences) or None,
        }
        if call.response_model is not None and not tools:
            given["schema"] = call.response_model.model_json_schema()
        return request_of(messages, self._defaults, given, tools=tools)

    def _heard(self, call: _Call, delta: ModelDelta) -> ModelReply | None:
        if delta.text:
            kind = LLMCallType.LLM_CALL
            self._emit_stream_chunk_event(
                chunk=delta.text, call_type=kind, response_id=call.id, **call.source
            )
        return delta.reply

    def _end(self, call: _Call, reply: ModelReply) -> Any:
        usage = {
            "prompt_tokens": reply.usage.prompt_tokens,
            "completion_tokens": reply.usage.completion_tokens,
            "total_tokens": reply.usage.total_tokens,
            "cached_tokens": reply.usage.cached_tokens,
        }
        self._track_token_usage_internal(usage)
        calls = [said_call(one) for one in reply.tool_calls]
        kind = LLMCallType.TOOL_CALL if calls else LLMCallType.LLM_CALL
        self._emit_call_completed_event(
            response=calls or reply.text,
            call_type=kind,
            messages=call.messages,
            usage=usage,
            finish_reason=reply.finish_reason,
            response_id=call.id,
            **call.source,
        )
        if calls:
            if not call.available_functions:
                return calls
            wanted = reply.tool_calls[0]
            return self._handle_tool_execution(
                wanted.name, wanted.arguments, call.available_functions, **call.source
            )
        if call.response_model is not None:
            return self._validate_structured_output(reply.text, call.response_model)
        return self._invoke_after_llm_call_hooks(
            self._format_messages(call.messages), reply.text, call.from_agent
        )

    def _failed(self, call: _Call, error: Exception) -> None:
        if isinstance(error, HookAborted | LLMCallBlockedError):
            self._emit_call_denied_event(error, **call.source)
        else:
            self._emit_call_failed_event(error=str(error), **call.source)
