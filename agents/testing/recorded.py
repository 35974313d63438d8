"""Recorded models: a live model's replies kept in a file beside the tests, and given from there ever after."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ...runtime.errors import EngineError, InvalidRequest
from ...runtime.journalling.redaction import Redactor
from ..model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from .scripted import in_words

Live = Callable[[], AbstractAsyncContextManager[ModelClient]]
"""Opens the model that is recorded, such as ``lambda: engine_client(Settings())``."""

_REPLY: TypeAdapter[ModelReply] = TypeAdapter(ModelReply)
_VECTORS: TypeAdapter[Embeddings] = TypeAdapter(Embeddings)
_SHOWN = 30


class RecordedModel(ModelClient):
    """A `ModelClient` that gives what was recorded for exactly the same request, and else asks `live` and records that.

    Where the file exists, and wherever there is no `live`, only recordings count: a request that is not among them is an
    AssertionError that shows how it differs from the nearest one. Delete the file to record anew. A request that was made
    several times gets its replies in the order in which they came, and the last one from then on. The file is JSON Lines,
    written whole after each new reply; known shapes of secrets are taken out before.

    Raises:
        InvalidRequest: the file is not a recording.
    """

    def __init__(self, path: str | os.PathLike[str], live: Live | None = None) -> None:
        self.path = Path(path)
        self.recording = live is not None and not self.path.exists()
        self._live = live
        self._stack = AsyncExitStack()
        self._client: ModelClient | None = None
        self._redactor = Redactor()
        self._lines = _read(self.path)
        self._told: dict[str, int] = {}

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply that was recorded for this request."""

        async def ask(client: ModelClient) -> Any:
            return asdict(await client.complete(request))

        return _REPLY.validate_python(await self._given("complete", request.identity(), ask))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The same, word by word."""
        reply = await self.complete(request)
        for piece in in_words(reply.text):
            yield ModelDelta(piece)
        yield ModelDelta("", reply)

    async def models(self) -> list[str]:
        """The names that were recorded."""

        async def ask(client: ModelClient) -> Any:
            return await client.models()

        names: list[str] = await self._given("models", None, ask)
        return names

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """The vectors that were recorded for these texts."""

        async def ask(client: ModelClient) -> Any:
            return asdict(await client.embed(texts, model=model))

        return _VECTORS.validate_python(
            await self._given("embed", {"texts": list(texts), "model": model}, ask)
        )

    async def count_tokens(self, request: ModelRequest) -> int:
        """The count that was recorded."""

        async def ask(client: ModelClient) -> Any:
            return await client.count_tokens(request)

        return int(await self._given("count_tokens", request.identity(), ask))

    async def context_tokens(self, model: str | None = None) -> int | None:
        """The window that was recorded."""

        async def ask(client: ModelClient) -> Any:
            return await client.context_tokens(model)

        found: int | None = await self._given("context_tokens", {"model": model}, ask)
        return found

    async def aclose(self) -> None:
        """Close the live model, where one was opened. It is opened again where it is needed again."""
        self._client = None
        await self._stack.aclose()

    async def _given(self, call: str, asked: Any, ask: Callable[[ModelClient], Any]) -> Any:
        asked = self._clean(asked)
        key = _key(call, asked)
        known = [line for line in self._lines if _key(line["call"], line["asked"]) == key]
        told = self._told.get(key, 0)
        self._told[key] = told + 1
        if told < len(known) or (known and not self.recording):
            line = known[min(told, len(known) - 1)]
        else:
            assert self.recording, self._unknown(call, asked)
            line = {"call": call, "asked": asked, **await self._ask(ask, keep=call != "complete")}
            self._lines.append(line)
            self._write()
        if "failed" in line:
            raise EngineError(line["failed"])
        return line["gave"]

    async def _ask(self, ask: Callable[[ModelClient], Any], *, keep: bool) -> dict[str, Any]:
        if self._client is None:
            assert self._live is not None, "only what has a live model records"
            self._client = await self._stack.enter_async_context(self._live())
        try:
            return {"gave": self._clean(json.loads(json.dumps(await ask(self._client))))}
        except EngineError as error:
            if not keep:  # a failed reply may come another time; what an engine cannot do stays so
                raise
            return {"failed": str(error)}

    def _clean(self, value: Any) -> Any:
        return self._redactor.value(value)

    def _unknown(self, call: str, asked: Any) -> str:
        others = [line["asked"] for line in self._lines if line["call"] == call]
        if not self.path.exists():
            return f"there is no recording {self.path}: make it once with a live model (pytest --live-models)"
        said = f"{self.path} has no reply to this call ({call})"
        if not others:
            return f"{said}, nor to any of its kind; delete the file and record it anew"
        new = _pretty(asked)
        old = max(
            (_pretty(one) for one in others), key=lambda one: difflib.SequenceMatcher(None, one, new).ratio()
        )
        lines = list(difflib.unified_diff(old, new, "recorded", "asked for now", lineterm="", n=1))[:_SHOWN]
        return "\n".join([f"{said}; the nearest differs so (delete the file to record it anew):", *lines])

    def _write(self) -> None:
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines)
        aside.write_text(text, "utf-8", newline="\n")
        aside.replace(self.path)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"The recording {path} cannot be read ({error}): delete it, and record it anew."
        ) from None
    if not all(isinstance(line, dict) and {"call", "asked"} <= line.keys() for line in lines):
        raise InvalidRequest(f"{path} is not a recording of a model's replies: name another file.")
    return lines


def _key(call: str, asked: Any) -> str:
    return json.dumps([call, asked], sort_keys=True)


def _pretty(asked: Any) -> list[str]:
    """Lines to compare, with the messages' own lines apart."""
    text = json.dumps(asked, indent=1, ensure_ascii=False, sort_keys=True)
    return [part for line in text.split("\n") for part in line.split("\\n")]
