"""Owns which kinds of engines there are: the dialect of each, and how to know it from its list of models."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from .answers import listing_of
from .dialect import Dialect, EngineKind

_HOMES: dict[EngineKind, tuple[str, str]] = {
    "openai": ("openai", "OpenAI"),
    "vllm": ("vllm", "Vllm"),
    "llamacpp": ("llamacpp", "LlamaCpp"),
    "sglang": ("variants", "Sglang"),
    "lmstudio": ("variants", "LmStudio"),
    "tgi": ("tgi", "Tgi"),
    "ollama": ("ollama", "Ollama"),
}
_OWNERS: dict[str, EngineKind] = {
    "llamacpp": "llamacpp",
    "llama.cpp": "llamacpp",
    "vllm": "vllm",
    "sglang": "sglang",
    "organization_owner": "lmstudio",
    "library": "ollama",
}


def dialect_of(kind: EngineKind, extra: Mapping[str, Any] | None = None) -> Dialect:
    """A new dialect for one client. `extra` are body fields that go with every chat request."""
    module, name = _HOMES[kind]
    return cast(Dialect, getattr(import_module(f".{module}", __package__), name)(extra))


def kind_of(models_answer: bytes) -> EngineKind:
    """Which dialect a server speaks, from its answer to ``GET /v1/models``. Raises `NotAnEngine`: it lists no models."""
    entries = listing_of(models_answer)
    owners = {entry.owner for entry in entries}
    for owner, kind in _OWNERS.items():
        if owner in owners:
            return kind
    # TGI says of its one model that it belongs to itself.
    if any("/" in entry.name and entry.owner == entry.name.lower() for entry in entries):
        return "tgi"
    return "openai"
