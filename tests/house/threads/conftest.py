"""A talking crew, and models that tell how many tokens they read and count what they are sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from crewgraph import Agent, Crew, ModelRequest, Settings
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineError

WINDOW = 2048

crew = Crew([Agent("companion", "Talk with the user.", max_tokens=200)], name="talk")


class Windowed(ScriptedModel):
    """A scripted model with a window of so many words and signs; `longest` is the longest call with its reply."""

    def __init__(
        self, script: Callable[[ModelRequest], str], *, window: int | None = WINDOW, counts: bool = False
    ) -> None:
        super().__init__(script)
        self.window, self.counts = window, counts

    @property
    def longest(self) -> int:
        return max(size(request) + request.max_tokens for request in self.requests)

    async def context_tokens(self, model: str | None = None) -> int | None:
        return self.window

    async def count_tokens(self, request: ModelRequest) -> int:
        if not self.counts:
            raise EngineError("It cannot count.")
        return size(request)


def size(request: ModelRequest) -> int:
    """Words, signs and Chinese characters, and what stands around each message."""
    found = (re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]", m.content) for m in request.messages)
    return sum(4 + len(tokens) for tokens in found)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", model_url=None, model=None)
