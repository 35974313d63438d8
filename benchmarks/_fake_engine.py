"""A bare, fast stand-in for a model engine, run as a process of its own: what clients cost is measured against it.

    python benchmarks/_fake_engine.py --port N [--tokens T] [--interval-ms I]

It speaks the OpenAI chat API as vLLM does (each streamed event a chunk of its own) and knows no model: a reply is
`T` words, or as many as the request's `max_tokens` where that is less (always that many with `ignore_eos`). Every
stream gets one word each `I` milliseconds, or one in each turn of the loop where `I` is 0. It also answers
/v1/models, /health and /metrics (vLLM's names). ``ready PORT`` on stdout says that it listens; port 0 takes a free one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, cast

import httptools

MODEL = "fake"
_WORDS = tuple(f" word{number}" for number in range(64))
_HEAD = {"id": "chatcmpl-0123456789abcdef0123456789abcdef", "object": "chat.completion.chunk", "model": MODEL}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(choices: list[dict[str, Any]], **more: Any) -> bytes:
    said = {**_HEAD, "created": int(time.time()), "choices": choices, **more}
    return _chunk(b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n")


def _choice(delta: dict[str, str], finish: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}]


def _usage(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": prompt // 16 * 16},
    }


class Engine:
    """What all connections share: the streams under way, the clock that feeds them, the counts for /metrics."""

    def __init__(self, tokens: int, interval_s: float) -> None:
        self.tokens = tokens
        self.interval_s = interval_s
        self.streams: set[Connection] = set()
        self.served = self.written = 0
        self.first = _event(_choice({"role": "assistant", "content": ""}))
        self.words = tuple(_event(_choice({"content": word})) for word in _WORDS)
        self._timer: asyncio.Handle | None = None
        self._due = 0.0

    def begin(self, connection: Connection) -> None:
        self.streams.add(connection)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + self.interval_s
            self._timer = loop.call_later(self.interval_s, self._tick)

    def _tick(self) -> None:
        for connection in tuple(self.streams):
            connection.write_word()
        loop = asyncio.get_running_loop()
        self._due = max(self._due + self.interval_s, loop.time())
        if not self.streams:
            self._timer = None
        elif self.interval_s:
            self._timer = loop.call_at(self._due, self._tick)
        else:
            self._timer = loop.call_soon(self._tick)

    def metrics(self) -> bytes:
        figures = {
            "vllm:num_requests_running": len(self.streams),
            "vllm:num_requests_waiting": 0,
            "vllm:kv_cache_usage_perc": 0,
            "vllm:request_success_total": self.served,
            "vllm:generation_tokens_total": self.written,
        }
        return "".join(
            f'{name}{{model_name="{MODEL}"}} {value}\n' for name, value in figures.items()
        ).encode()


class Connection(asyncio.Protocol):
    """One client's connection; requests on it come one after another."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.transport: asyncio.Transport
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""
        self.body: list[bytes] = []
        self.left = self.said = self.prompt = 0
        self.finish = "stop"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is of no class of asyncio

    def connection_lost(self, exc: Exception | None) -> None:
        self.engine.streams.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self.url, self.body = b"", []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        path = self.url.decode()
        if path == "/v1/chat/completions":
            self._chat(json.loads(b"".join(self.body)))
        elif path == "/v1/models":
            entry = {"id": MODEL, "object": "model", "owned_by": "vllm", "max_model_len": 131072}
            self._answer(json.dumps({"object": "list", "data": [entry]}).encode())
        elif path == "/health":
            self._answer(b"")
        elif path == "/metrics":
            self._answer(self.engine.metrics(), "text/plain")
        else:
            self._answer(b'{"error": {"message": "Not Found"}}', status="404 Not Found")

    def _chat(self, asked: dict[str, Any]) -> None:
        most = int(asked.get("max_tokens") or asked.get("max_completion_tokens") or self.engine.tokens)
        self.left = most if asked.get("ignore_eos") else min(most, self.engine.tokens)
        self.finish = (
            "length" if self.left == most < self.engine.tokens or asked.get("ignore_eos") else "stop"
        )
        self.said, self.prompt = 0, sum(len(str(m.get("content"))) for m in asked["messages"]) // 4
        if asked.get("stream"):
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                b"transfer-encoding: chunked\r\n\r\n" + self.engine.first
            )
            self.engine.begin(self)
            return
        text = "".join(_WORDS[number % len(_WORDS)] for number in range(self.left))
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self.finish}
        said = {
            **_HEAD,
            "object": "chat.completion",
            "choices": [choice],
            "usage": _usage(self.prompt, self.left),
        }
        self.engine.served += 1
        self.engine.written += self.left
        body = json.dumps(said, separators=(",", ":")).encode()
        if self.engine.interval_s:
            delay = self.engine.interval_s * self.left
            asyncio.get_running_loop().call_later(delay, self._answer, body)
        else:
            self._answer(body)

    def write_word(self) -> None:
        """The next word of the stream, or its end."""
        if self.left:
            self.transport.write(self.engine.words[self.said % len(_WORDS)])
            self.left -= 1
            self.said += 1
            return
        self.engine.streams.discard(self)
        self.engine.served += 1
        self.engine.written += self.said
        end = _event(_choice({"content": ""}, self.finish)), _event([], usage=_usage(self.prompt, self.said))
        self.transport.write(b"".join(end) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    def _answer(self, body: bytes, kind: str = "application/json", status: str = "200 OK") -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


async def serve(port: int, tokens: int, interval_s: float) -> None:
    """Listen until the process is ended."""
    engine = Engine(tokens, interval_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(engine), "127.0.0.1", port, backlog=4096)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Run until the process is ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--tokens", type=int, default=64, help="words in a reply")
    parser.add_argument("--interval-ms", type=float, default=0.0, help="between two words of a stream")
    options = parser.parse_args()
    fastest: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        fastest = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=fastest) as runner:
        runner.run(serve(options.port, options.tokens, options.interval_ms / 1000))


if __name__ == "__main__":
    main()
