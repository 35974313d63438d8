"""Owns what a person asks of an engine when it is started, and its LoRA adapters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import EngineError, InvalidInput, NotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter: the name by which requests ask for it, and its folder (vLLM) or GGUF file (llama.cpp)."""

    name: str
    path: Path

    @classmethod
    def parse(cls, text: str) -> Adapter:
        """The adapter that ``NAME=PATH`` means. Raises `InvalidInput`: that is not its form, or no name."""
        name, _, path = text.partition("=")
        if not path or not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{text!r} names no adapter; write NAME=PATH, the name of letters, digits, dots, dashes and "
                "underscores, such as --adapter lawyer=adapters/lawyer."
            )
        return cls(name, Path(path).expanduser().absolute())


@dataclass(frozen=True, slots=True)
class Wishes:
    """How an engine is to be started; what is None or empty is decided by the engine's own module.

    `model` is a folder, a file, or a name in the Hugging Face cache; `name` is what requests call it. `context` is how
    many tokens prompt and reply may have together, `slots` how many requests are answered at once, `extra` goes to
    vLLM's command line as it is.
    """

    model: str | None = None
    name: str | None = None
    adapters: tuple[Adapter, ...] = ()
    threads: int | None = None
    slots: int | None = None
    context: int | None = None
    extra: tuple[str, ...] = ()


def checked(adapters: Iterable[Adapter], model: str) -> tuple[Adapter, ...]:
    """The adapters. Raises `InvalidInput` or `NotFound`: two share a name, one has the model's, one is not there."""
    names: set[str] = {model}
    found = []
    for adapter in adapters:
        if adapter.name in names:
            raise InvalidInput(
                f"Two things are called {adapter.name!r}; give each adapter a name of its own."
            )
        names.add(adapter.name)
        if not adapter.path.exists():
            raise NotFound(f"There is no adapter at {adapter.path}; correct --adapter {adapter.name}=….")
        found.append(adapter)
    return tuple(found)


def refuse_extra(wishes: Wishes, engine: str) -> None:
    """Raises `EngineError`: flags were given for an engine that takes none."""
    if wishes.extra:
        raise EngineError(
            f"The {engine} engine takes no flags of its own ({' '.join(wishes.extra)}); those are for vllm."
        )
