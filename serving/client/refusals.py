"""Owns what an engine's refusals mean to people: one typed error, one sentence, for each way to say no."""

from __future__ import annotations

import re

from ...agents.model import ModelRequest
from ...runtime.errors import (
    ContextTooLong,
    EngineBusy,
    EngineError,
    InvalidSchema,
    KeyRefused,
    ModelError,
    NotAnEngine,
    UnknownModel,
)
from .dialects.answers import error_text

BUSY = (429, 502, 503)

_TOO_LONG = re.compile(r"context[ _](length|size|window)|maximum model length|max_model_len", re.IGNORECASE)
# vLLM over the years: "... is 2048 tokens. However, you requested 2100 tokens", "(3000 > 2048 - 31)",
# "You passed 2049 input tokens and requested 16 output tokens. However, the model's context length is only 2048 ..."
_WINDOW_AND_ASKED = re.compile(r"is (\d+) tokens\. However, you requested (\d+) tokens")
_TOO_LARGE = re.compile(r"\((\d+) > (\d+) - (\d+)\)")
_PASSED = re.compile(
    r"passed (\d+) input tokens and requested (\d+) output tokens\. .*?context length is (?:only )?(\d+)"
)
_CONSTRAINT = re.compile(r"grammar|schema|regex|pattern|structured", re.IGNORECASE)


def refusal(url: str, status: int, body: bytes, *, model: str, request: ModelRequest | None) -> Exception:
    """The error for an answer that is not 200 (see `no_model` and `no_api` for 404 and 405)."""
    said = error_text(body) or "it gave no reason"
    if status in (401, 403):
        return KeyRefused(
            f"The engine at {url} refused the key ({status}); set CREWGRAPH_MODEL_KEY to a valid one."
        )
    if status >= 500:
        return EngineError(f"The engine at {url} failed ({status}: {said}); look into its log.")
    if status < 400:
        return NotAnEngine(f"The server at {url} sends elsewhere ({status}); give the URL that it means.")
    if request is not None and _TOO_LONG.search(said):
        return ContextTooLong(
            f"The engine at {url} refused the request ({status}): {said}; shorten the messages or lower max_tokens.",
            _over(said),
        )
    if request is not None and request.constrained and _CONSTRAINT.search(said):
        return InvalidSchema(
            f"The engine at {url} cannot hold {model} to what the request asks for ({status}): {said}; correct it."
        )
    return ModelError(f"The engine at {url} refused the request ({status}): {said}")


def busy(url: str, status: int, body: bytes, retry_after_s: float) -> EngineBusy:
    """The error for an engine that takes no more, however often it is asked."""
    return EngineBusy(
        f"The engine at {url} is overloaded ({status}: {error_text(body)}); try again later.", retry_after_s
    )


def no_model(url: str, model: str, names: list[str]) -> UnknownModel:
    """The error for a model that the engine does not serve."""
    there = ", ".join(names) or "see 'crewgraph engine status'"
    return UnknownModel(
        f"The engine at {url} has no model {model!r}; it serves: {there}. "
        "Name one of these, or none to take the first."
    )


def no_api(url: str, status: int, body: bytes) -> NotAnEngine:
    """The error for a path that is not there though the model is."""
    return NotAnEngine(
        f"{url} is not an OpenAI-compatible API ({status}: {error_text(body)}); its URL should end in /v1."
    )


def no_room(model: str, prompt: int, reply: int, window: int) -> ContextTooLong:
    """The error for a request that does not fit, before it is sent."""
    over = prompt + reply - window
    return ContextTooLong(
        f"The prompt is {prompt} tokens and the reply may be {reply}, {over} more than the window of {model} has "
        f"({window}); shorten the messages or lower max_tokens.",
        over,
    )


def _over(said: str) -> int | None:
    if found := _WINDOW_AND_ASKED.search(said):
        return int(found[2]) - int(found[1])
    if found := _TOO_LARGE.search(said):
        return int(found[1]) - int(found[2]) + int(found[3])
    if found := _PASSED.search(said):
        return int(found[1]) + int(found[2]) - int(found[3])
    return None
