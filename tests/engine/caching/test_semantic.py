"""What users rely on who let a question be answered by the reply to another one: never a stale, never a stranger's."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from crewgraph.agents.model import Embeddings, Hints, Message, ModelRequest, ToolSpec
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineUnreachable, InvalidInput
from crewgraph.serving.client.caching import Cached, Semantic, open_cache

WORDS = ("capital", "france", "germany", "river", "city", "seat", "government")


class Worded(ScriptedModel):
    """An embedder whose vectors are the words of a text, so that a test knows what is near; `texts` are those it got."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.away = False

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        if self.away:
            raise EngineUnreachable("the embedder is away")
        self.texts += texts
        vectors = tuple((0.1, *(float(word in text.lower()) for word in WORDS)) for text in texts)
        return Embeddings(vectors, model=model or "words")


class Numbered(ScriptedModel):
    """A model whose every reply is another one."""

    def __init__(self) -> None:
        super().__init__(lambda _: f"reply {len(self.requests)}")


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Qdrant's client, which takes seconds to load on a busy machine: longer than a call waits for it, perhaps."""
    importlib.import_module("qdrant_client")


@pytest_asyncio.fixture
async def parts() -> AsyncIterator[tuple[Numbered, Worded, Cached]]:
    inner, embedder = Numbered(), Worded()
    cached = Cached(inner, open_cache("memory://"), semantic=Semantic(embedder, threshold=0.9))
    yield inner, embedder, cached
    await cached.aclose()


def question(text: str, before: tuple[Message, ...] = (), **more: Any) -> ModelRequest:
    return ModelRequest((*before, Message("user", text)), **more)


FRANCE = "What is the capital of France?"
SAME = "Tell me: the capital of France!"


async def said(cached: Cached, request: ModelRequest) -> str:
    reply = await cached.complete(request)
    await cached.settle()
    return reply.text


async def test_the_same_in_other_words_costs_no_call(parts: tuple[Numbered, Worded, Cached]) -> None:
    inner, _, cached = parts
    assert await said(cached, question(FRANCE)) == "reply 1"
    assert await said(cached, question(SAME)) == "reply 1"
    assert await said(cached, question("What is the capital of Germany?")) == "reply 2"
    assert (cached.tally.semantic, cached.tally.misses, cached.tally.saved_tokens) == (1, 2, 8)
    assert len(inner.requests) == 2


async def test_the_same_words_are_found_without_a_vector(parts: tuple[Numbered, Worded, Cached]) -> None:
    _, embedder, cached = parts
    await said(cached, question(FRANCE))
    await said(cached, question(FRANCE))
    assert (cached.tally.exact, len(embedder.texts)) == (1, 1)


OTHERWISE: dict[str, ModelRequest] = {
    "system prompt": question(SAME, (Message("system", "Answer in French."),)),
    "history": question(SAME, (Message("user", "Hi"), Message("assistant", "Hello"))),
    "model": question(SAME, model="another"),
    "length": question(SAME, max_tokens=3),
    "constraint": question(SAME, choices=("a", "b", "reply 2")),
    "tenant": question(SAME, hints=Hints(tenant="b")),
    "figure": question("Tell me 2: the capital of France!"),
    "denial": question("What is not the capital of France?"),
    "tools": question(SAME, tools=(ToolSpec("f", "", {}),)),
    "role": ModelRequest((Message("assistant", SAME),)),
    "too long": question(SAME + " " * 2000),
}


@pytest.mark.parametrize("what", OTHERWISE)
async def test_it_is_another_question_where_anything_else_differs(
    parts: tuple[Numbered, Worded, Cached], what: str
) -> None:
    _, _, cached = parts
    await said(cached, question(FRANCE))
    assert await said(cached, OTHERWISE[what]) == "reply 2"
    assert cached.tally.semantic == 0


async def test_the_author_can_exclude_requests() -> None:
    embedder = Worded()
    semantic = Semantic(embedder, threshold=0.9, excludes=lambda request: request.schema is None)
    cached = Cached(Numbered(), open_cache("memory://"), semantic=semantic)
    await said(cached, question(FRANCE))
    assert await said(cached, question(SAME)) == "reply 2"
    assert embedder.texts == []
    await cached.aclose()


async def test_an_expired_or_cleared_reply_is_never_given() -> None:
    cached = Cached(
        Numbered(), open_cache("memory://"), semantic=Semantic(Worded(), threshold=0.9), ttl_s=0.05
    )
    await said(cached, question(FRANCE))
    await asyncio.sleep(0.06)
    assert await said(cached, question(SAME)) == "reply 2"
    await cached.store.clear()
    assert await said(cached, question(FRANCE)) == "reply 3"
    await cached.aclose()


async def test_an_embedder_that_is_away_costs_no_call(
    parts: tuple[Numbered, Worded, Cached], caplog: pytest.LogCaptureFixture
) -> None:
    _, embedder, cached = parts
    caplog.set_level(logging.WARNING)
    embedder.away = True
    for number in (1, 2, 3):
        assert await said(cached, question(f"{number}")) == f"reply {number}"
    assert cached.tally.semantic_errors == 1
    assert len([line for line in caplog.messages if "the embedder is away" in line]) == 1


async def test_a_model_without_embeddings_is_said_once() -> None:
    cached = Cached(Numbered(), open_cache("memory://"), semantic=Semantic(ScriptedModel()))
    assert await said(cached, question(FRANCE)) == "reply 1"
    assert cached.tally.semantic_errors == 1
    await cached.aclose()


async def test_questions_outlive_the_process(tmp_path: Path) -> None:
    for expected, text in (("reply 1", FRANCE), ("reply 1", SAME)):
        inner = Numbered()
        cached = Cached(
            inner,
            open_cache(tmp_path / "replies.db"),
            semantic=Semantic(Worded(), tmp_path / "questions", threshold=0.9),
        )
        assert await said(cached, question(text)) == expected
        assert len(inner.requests) == (text == FRANCE)
        await cached.aclose()


async def test_the_index_is_bounded() -> None:
    semantic = Semantic(Worded(), threshold=0.99, max_entries=20)
    cached = Cached(Numbered(), open_cache("memory://"), semantic=semantic)
    for number in range(60):
        await said(cached, question(f"{number}"))
    assert await semantic.count() <= 22
    await cached.aclose()


async def test_another_embedding_model_has_its_own_questions(tmp_path: Path) -> None:
    for model, expected in (("one", 1), ("two", 2)):
        store = open_cache(tmp_path / "replies.db")
        semantic = Semantic(Worded(), tmp_path / "questions", threshold=0.9, model=model)
        cached = Cached(Numbered(), store, semantic=semantic)
        await said(cached, question(FRANCE if expected == 1 else SAME))
        assert cached.tally.misses == 1
        await cached.aclose()


def test_a_threshold_that_is_no_cosine_is_refused() -> None:
    for wrong in (0, -1, 1.01):
        with pytest.raises(InvalidInput, match="cosine"):
            Semantic(Worded(), threshold=wrong)


# Qdrant's client leaves the lock file that it could not lock to the garbage collector.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*questions/.lock:pytest.PytestUnraisableExceptionWarning"
)
async def test_a_folder_that_another_one_uses_or_a_server_that_is_away_costs_no_call(tmp_path: Path) -> None:
    holder = Semantic(Worded(), tmp_path / "questions")
    assert await holder.count() == 0
    for where in (tmp_path / "questions", "http://127.0.0.1:1"):
        cached = Cached(Numbered(), open_cache("memory://"), semantic=Semantic(Worded(), where))
        assert await said(cached, question(FRANCE)) == "reply 1"
        assert await said(cached, question(FRANCE)) == "reply 1"
        assert (cached.tally.semantic_errors, cached.tally.exact) == (1, 1)
        await cached.aclose()
    await holder.aclose()


async def test_closing_twice_is_fine_and_leaves_no_thread() -> None:
    semantic = Semantic(Worded())
    await semantic.count()
    await semantic.aclose()
    await semantic.aclose()
    assert not [t.name for t in threading.enumerate() if t.name.startswith("crewgraph-semantic")]
