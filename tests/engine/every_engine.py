"""The engines that the contract is held against, in one place, and what each of them can.

To add one: a line in `ENGINES`, and a way to reach it in `opened`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crewgraph.agents.model import ModelClient, ModelReply, ModelRequest
from crewgraph.agents.wrapping import Wrapping
from crewgraph.runtime.errors import ReplyTruncated
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.client.answers.checked import Checked
from crewgraph.serving.client.answers.shapes.shape import shape_of
from crewgraph.serving.engines import Adapter, Wishes, engine_client, start_engine
from crewgraph.serving.settings import Settings

from .making_adapters import make_gguf

MODEL = "smollm2-135m-instruct"
ADAPTERS = ("odd", "strange")
ALL = frozenset(
    {
        "adapters",  # LoRA adapters by name
        "begun",  # goes on with a message that was begun
        "cached",  # tells how much of a prompt it had
        "count",  # counts tokens before a call
        "grammar",
        "key",  # can be told to ask for a key
        "names",  # serves only what it is asked for by name
        "regex",
        "tenants",  # keeps a prefix cache for each tenant
        "window",  # tells how many tokens fit
    }
)


@dataclass(frozen=True)
class Kind:
    """An engine, the marker of the tests that need it, and what it lacks of `ALL`."""

    name: str
    mark: str
    lacks: frozenset[str] = frozenset()


ENGINES = (
    Kind("embedded", "engine", frozenset({"adapters", "tenants"})),
    Kind(
        "adapted", "engine", frozenset({"cached", "tenants"})
    ),  # the embedded one with adapters keeps no prompts
    Kind("vllm", "vllm"),
    # Their servers cannot be had: fakes play their protocols over the embedded engine.
    Kind(
        "ollama",
        "engine",
        frozenset({"adapters", "cached", "count", "grammar", "key", "regex", "tenants", "begun"}),
    ),
    # TGI has patterns and adapters; its fake does not play them.
    Kind(
        "tgi",
        "engine",
        frozenset({"adapters", "cached", "grammar", "key", "regex", "tenants", "begun", "names"}),
    ),
)


def able(*abilities: str) -> list[Any]:
    """The engines that can all of this, as parameters of the fixture `engine`."""
    assert set(abilities) <= ALL
    return [
        pytest.param(kind.name, marks=getattr(pytest.mark, kind.mark))
        for kind in ENGINES
        if not kind.lacks & set(abilities)
    ]


def unable(ability: str, *, but: str = "") -> list[Any]:
    """The engines that cannot do it, without the one that is named."""
    return [
        pytest.param(kind.name, marks=getattr(pytest.mark, kind.mark))
        for kind in ENGINES
        if ability in kind.lacks and kind.name != but
    ]


@dataclass(frozen=True)
class Engine:
    """An engine that answers: the client that speaks to it, and the one that also checks replies."""

    name: str
    raw: HttpModelClient
    checked: Checked

    @property
    def port(self) -> int:
        """The port of its server on this machine."""
        return int(self.raw.base_url.rpartition(":")[2].partition("/")[0])


async def with_adapters(settings: Settings, folder: Path) -> None:
    """Start the embedded engine with the adapters, unless it runs."""
    files = []
    for number, name in enumerate(ADAPTERS, 1):
        path = folder / f"{name}-{number}.gguf"
        files.append(Adapter(name, path if path.exists() else make_gguf(path, number)))
    await start_engine(settings, wishes=Wishes(adapters=tuple(files)))


@asynccontextmanager
async def opened(name: str, request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """The engine of that name."""
    if name == "vllm":
        url = request.getfixturevalue("vllm_url")
        async with HttpModelClient(url) as client:
            yield Engine(name, client, Checked(client, shape=shape_of("vllm")))
        return
    settings: Settings = request.getfixturevalue("adapted_home" if name == "adapted" else "shared_home")
    if name == "adapted":
        await with_adapters(settings, settings.home)
    async with engine_client(settings) as behind:
        if name in ("embedded", "adapted"):
            yield Engine(name, behind, Checked(behind, shape=shape_of("llamacpp")))
            return
        async with _faked(name, Unchecked(behind)) as url, HttpModelClient(url) as client:
            yield Engine(name, client, Checked(client, shape=shape_of(name)))


class Unchecked(Wrapping):
    """What is cut off is passed on as it is, as engines do: their clients have to see it."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        try:
            return await self.inner.complete(request)
        except ReplyTruncated as error:
            if isinstance(error.reply, ModelReply):
                return error.reply
            raise


@asynccontextmanager
async def _faked(name: str, behind: ModelClient) -> AsyncIterator[str]:
    from .fakes.ollama import OllamaFake
    from .fakes.serving import served
    from .fakes.tgi import TgiFake

    app = OllamaFake(behind, MODEL).app if name == "ollama" else TgiFake(behind).app
    async with served(app) as url:
        yield url
