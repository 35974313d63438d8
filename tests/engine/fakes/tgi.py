"""A protocol fake of a text-generation-inference server (3.x), over any model client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from crewgraph.agents.model import Message, ModelClient, ModelReply, ModelRequest, Usage
from crewgraph.runtime.errors import ContextTooLong

WINDOW = 4096
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


class TgiFake:
    """Plays TGI's messages API for one model. `bodies` are the chats it was asked for."""

    def __init__(self, behind: ModelClient) -> None:
        self.behind = behind
        self.bodies: list[dict[str, Any]] = []
        self.app = Starlette(
            routes=[
                Route("/info", self.info),
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/chat_tokenize", self.tokenize, methods=["POST"]),
            ]
        )

    async def info(self, _: Request) -> Response:
        return JSONResponse(
            {
                "model_id": MODEL,
                "max_concurrent_requests": 128,
                "max_input_tokens": WINDOW - 1,
                "max_total_tokens": WINDOW,
                "router": "text-generation-router",
                "version": "3.3.6",
            }
        )

    async def models(self, _: Request) -> Response:
        entry = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
        return JSONResponse({"object": "list", "data": [entry]})

    async def tokenize(self, request: Request) -> Response:
        body = await request.json()
        count = await self.behind.count_tokens(ModelRequest(_messages(body)))
        tokens = [{"id": n, "text": "", "start": 0, "stop": 0} for n in range(count)]
        return JSONResponse({"tokenize_response": tokens, "templated_text": ""})

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        if not 0 < body.get("top_p", 0.5) < 1:
            return _refused("`top_p` must be > 0.0 and < 1.0")
        form = body.get("response_format")
        schema = None
        if form is not None:
            if form.get("type") not in ("json", "json_object") or "value" not in form:
                return _refused(f"unknown response_format {form}")
            schema = form["value"]
        asked = ModelRequest(
            _messages(body),
            max_tokens=body.get("max_tokens", 100),
            temperature=body.get("temperature", 1.0),
            seed=body.get("seed"),
            stop=tuple(body.get("stop") or ()),
            schema=schema,
        )
        if body.get("stream"):
            usage = (body.get("stream_options") or {}).get("include_usage", False)
            return StreamingResponse(self._events(asked, usage=usage), media_type="text/event-stream")
        try:
            reply = await self.behind.complete(asked)
        except ContextTooLong as error:
            return _too_long(error)
        message = {"role": "assistant", "content": reply.text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        return JSONResponse({**_head("chat.completion"), "choices": [choice], "usage": _usage(reply.usage)})

    async def _events(self, asked: ModelRequest, *, usage: bool) -> AsyncIterator[str]:
        async with aclosing(self.behind.stream(asked)) as deltas:
            async for delta in deltas:
                if delta.text:
                    yield _event(_choice(delta.text))
                if delta.reply is not None:
                    yield _event(_choice("", delta.reply))
                    if usage:
                        yield _event([], usage=_usage(delta.reply.usage))
        yield "data: [DONE]\n\n"


def _messages(body: dict[str, Any]) -> tuple[Message, ...]:
    return tuple(Message(m["role"], m["content"]) for m in body["messages"])


def _head(kind: str) -> dict[str, Any]:
    return {
        "object": kind,
        "id": "",
        "created": 1763800000,
        "model": MODEL,
        "system_fingerprint": "3.3.6-native",
    }


def _choice(text: str, reply: ModelReply | None = None) -> list[dict[str, Any]]:
    delta = {"role": "assistant", "content": text}
    return [
        {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": reply.finish_reason if reply else None,
        }
    ]


def _event(choices: list[dict[str, Any]], **more: Any) -> str:
    return f"data: {json.dumps({**_head('chat.completion.chunk'), 'choices': choices, **more})}\n\n"


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _refused(why: str) -> Response:
    error = {"error": f"Input validation error: {why}", "error_type": "validation"}
    return JSONResponse(error, status_code=422)


def _too_long(error: ContextTooLong) -> Response:
    given = WINDOW + (error.over or 1)
    return _refused(
        f"`inputs` tokens + `max_new_tokens` must be <= {WINDOW}. Given: {given - 1} `inputs` tokens and 1 `max_new_tokens`"
    )
