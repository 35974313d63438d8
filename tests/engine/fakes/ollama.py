"""A protocol fake of an Ollama server (0.12 and later), over any model client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from crewgraph.agents.model import Message, ModelClient, ModelReply, ModelRequest
from crewgraph.runtime.errors import ContextTooLong

WINDOW = 4096


class OllamaFake:
    """Plays Ollama's API for one model. `bodies` are the chats it was asked for."""

    def __init__(self, behind: ModelClient, name: str) -> None:
        self.behind = behind
        self.name = name
        self.bodies: list[dict[str, Any]] = []
        self.app = Starlette(
            routes=[
                Route("/api/tags", self.tags),
                Route("/api/show", self.show, methods=["POST"]),
                Route("/api/chat", self.chat, methods=["POST"]),
                Route("/v1/models", self.openai_models),
            ]
        )

    async def tags(self, _: Request) -> Response:
        return JSONResponse({"models": [{"name": self.name, "model": self.name, "details": {}}]})

    async def openai_models(self, _: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [{"id": self.name, "object": "model", "owned_by": "library"}]}
        )

    async def show(self, request: Request) -> Response:
        asked = await request.json()
        if asked["model"] != self.name:
            return self._unknown(asked["model"])
        return JSONResponse(
            {
                "parameters": f'stop                           "<|im_end|>"\nnum_ctx                        {WINDOW}',
                "details": {"family": "llama"},
                "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
                "capabilities": ["completion"],
            }
        )

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        if body["model"] != self.name:
            return self._unknown(body["model"])
        options = body.get("options", {})
        form = body.get("format")
        asked = ModelRequest(
            tuple(Message(m["role"], m["content"]) for m in body["messages"]),
            max_tokens=options.get("num_predict", 128),
            temperature=options.get("temperature", 0.8),
            seed=options.get("seed"),
            stop=tuple(options.get("stop", ())),
            schema=form,
        )
        if body.get("stream", True):
            return StreamingResponse(self._lines(asked), media_type="application/x-ndjson")
        try:
            return JSONResponse(self._last(await self.behind.complete(asked), whole=True))
        except ContextTooLong as error:
            return JSONResponse({"error": _too_long(error)}, status_code=400)

    async def _lines(self, asked: ModelRequest) -> AsyncIterator[str]:
        try:
            async with aclosing(self.behind.stream(asked)) as deltas:
                async for delta in deltas:
                    if delta.reply is not None:
                        yield json.dumps(self._last(delta.reply, whole=False)) + "\n"
                    elif delta.text:
                        message = {"role": "assistant", "content": delta.text}
                        yield json.dumps({"model": self.name, "message": message, "done": False}) + "\n"
        except ContextTooLong as error:
            yield json.dumps({"error": _too_long(error)}) + "\n"

    def _last(self, reply: ModelReply, *, whole: bool) -> dict[str, Any]:
        return {
            "model": self.name,
            "created_at": "2026-11-22T12:00:00Z",
            "message": {"role": "assistant", "content": reply.text if whole else ""},
            "done": True,
            "done_reason": reply.finish_reason,
            "total_duration": 1,
            "prompt_eval_count": reply.usage.prompt_tokens,
            "eval_count": reply.usage.completion_tokens,
        }

    def _unknown(self, model: str) -> Response:
        return JSONResponse({"error": f"model '{model}' not found"}, status_code=404)


def _too_long(error: ContextTooLong) -> str:
    told = {
        "code": 400,
        "message": f"request ({WINDOW + (error.over or 1)} tokens) exceeds the available context size ({WINDOW} tokens), "
        "try increasing it",
        "type": "exceed_context_size_error",
    }
    return json.dumps({"error": told})
