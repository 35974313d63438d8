"""Owns `CrewgraphChat`: the langchain-core chat model over one `ModelClient`, and so inside every LangGraph graph."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from pydantic import BaseModel, PrivateAttr

from ....runtime.errors import InvalidRequest
from ...model import Message, ModelDelta, ModelReply, ModelRequest
from ..asking import chosen, request_of, tool_of
from ..loops import ClientLoop
from .messages import message_for, ours, response_metadata, usage_metadata

FIELDS = ("model", "max_tokens", "temperature", "top_p", "seed")
"""Settings that are fields of the model, under the names that langchain-core's own models have for them."""

_THEIR_OWN = ("stream", "strict", "parallel_tool_calls", "ls_structured_output_format")


class CrewgraphChat(BaseChatModel):
    """A langchain-core chat model whose every call goes through one crewgraph `ModelClient`; see `as_langchain`."""

    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    _loop: ClientLoop = PrivateAttr()
    _defaults: dict[str, Any] = PrivateAttr()

    @property
    def _llm_type(self) -> str:
        return "crewgraph"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"client": type(self._loop.client).__name__, **self._settings()}

    def serve(self, loop: ClientLoop, defaults: Mapping[str, Any]) -> None:
        """Take the client, and the settings that are no fields of this model."""
        self._loop = loop
        self._defaults = dict(defaults)

    def _settings(self) -> dict[str, Any]:
        return {**self._defaults, **{name: getattr(self, name) for name in FIELDS}}

    def close(self) -> None:
        """End the thread that synchronous calls started for the client, if they did."""
        self._loop.close()

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with these tools to call; `tool_choice` is "auto", "any", "none" or a tool's name."""
        said = [convert_to_openai_tool(tool) for tool in tools]
        chosen(tuple(tool_of(tool) for tool in said), tool_choice)
        return self.bind(tools=said, tool_choice=tool_choice, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """The model with replies that keep to `schema`, decoded under it; `method` and `strict` change nothing."""
        kwargs.pop("method", None)
        kwargs.pop("strict", None)
        if "tools" in kwargs:
            raise InvalidRequest(
                "A reply is held to a schema or calls tools, not both; ask for them in two calls."
            )
        llm = self.bind(schema=convert_to_json_schema(schema), **kwargs)
        parser: Runnable[Any, Any]
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            parser = PydanticOutputParser(pydantic_object=schema)
        else:
            parser = JsonOutputParser()
        if not include_raw:
            return llm | parser
        tried = RunnablePassthrough.assign(
            parsed=(lambda both: both["raw"]) | parser, parsing_error=lambda _: None
        )
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=llm) | tried.with_fallbacks([failed], exception_key="parsing_error")

    def get_num_tokens(self, text: str) -> int:
        """How many tokens the engine says that the text is, in a message of its own."""
        return self._count([Message("user", text)])

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Any = None) -> int:
        """How many tokens the engine says that the messages are."""
        return self._count(ours(messages), convert_all(tools))

    def _count(self, messages: list[Message], tools: Sequence[Mapping[str, Any]] = ()) -> int:
        request = request_of(messages, self._settings(), tools=tuple(map(tool_of, tools)))
        return self._loop.run_now(lambda: self._loop.client.count_tokens(request))

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, said: Mapping[str, Any]
    ) -> ModelRequest:
        given = {name: value for name, value in said.items() if name not in _THEIR_OWN}
        tools, choice = chosen(
            tuple(tool_of(tool) for tool in given.pop("tools", None) or ()), given.pop("tool_choice", None)
        )
        if (form := given.pop("response_format", None)) is not None:
            given["schema"] = _schema_in(form)
        return request_of(
            ours(messages), self._settings(), given, {"stop": stop}, tools=tools, tool_choice=choice
        )

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result(await self._loop.complete(self._request(messages, stop, kwargs)))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result(self._loop.complete_now(self._request(messages, stop, kwargs)))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for delta in self._loop.stream(self._request(messages, stop, kwargs)):
            yield _chunk(delta)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for delta in self._loop.stream_now(self._request(messages, stop, kwargs)):
            yield _chunk(delta)


def convert_all(tools: Sequence[Any] | None) -> list[dict[str, Any]]:
    """Whatever langchain-core takes for tools, in OpenAI's shape."""
    return [convert_to_openai_tool(tool) for tool in tools or ()]


def _schema_in(form: Any) -> dict[str, Any] | None:
    """The JSON schema in OpenAI's `response_format`, which `langchain.agents` binds."""
    if isinstance(form, type):
        return convert_to_json_schema(form)
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind == "json_schema":
        return dict(form["json_schema"]["schema"])
    if kind == "json_object":
        return {"type": "object"}
    if kind == "text":
        return None
    raise InvalidRequest(f"A response_format {str(form)[:80]!r} is not known; there is json_schema.")


def _result(reply: ModelReply) -> ChatResult:
    message = message_for(reply)
    told = {"token_usage": message.usage_metadata, "model_name": reply.model}
    return ChatResult(
        generations=[ChatGeneration(message=message, generation_info={"finish_reason": reply.finish_reason})],
        llm_output=told,
    )


def _chunk(delta: ModelDelta) -> ChatGenerationChunk:
    if (reply := delta.reply) is None:
        return ChatGenerationChunk(message=AIMessageChunk(content=delta.text))
    calls = [
        tool_call_chunk(
            name=call.name, args=json.dumps(call.arguments, ensure_ascii=False), id=call.id, index=place
        )
        for place, call in enumerate(reply.tool_calls)
    ]
    message = AIMessageChunk(
        content=delta.text,
        tool_call_chunks=calls,
        usage_metadata=usage_metadata(reply.usage),
        response_metadata=response_metadata(reply),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message)
