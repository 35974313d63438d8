"""Where plans that worked are kept for a user, and which model is used for it: only one that is there already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from crewgraph import Agent, Crew, Task, tool
from crewgraph.planner.likeness import by_words
from crewgraph.runtime.errors import InvalidInput
from crewgraph.runtime.journalling.redaction import Redactor
from crewgraph.serving.engines.models.embedding import embedder_folder
from crewgraph.serving.planmemory import local_embedding, place_of_plans, plan_memory
from crewgraph.serving.settings import Settings


@tool
def search(query: str) -> str:
    """Look for texts."""
    return query


CREW = Crew(name="office", agents=[Agent("clerk", "Look.")], tools=[search])
TASKS = (Task(id="t", description="d", agent="clerk", tool="search", args={"query": "wine"}),)


def of(home: Path, plans: str | None = None, keys: tuple[str, ...] = ()) -> Settings:
    return Settings(home=home, plans=plans, database_keys=keys)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_plans_lie_in_the_home_folder_where_nothing_else_is_said(tmp_path: Path) -> None:
    assert place_of_plans(of(tmp_path)) == tmp_path / "plans"
    assert place_of_plans(of(tmp_path, str(tmp_path / "x"))) == tmp_path / "x"
    assert place_of_plans(of(tmp_path, "http://qdrant:6333")) == "http://qdrant:6333"
    assert place_of_plans(of(tmp_path, " Off ")) is None
    with pytest.raises(InvalidInput, match="CREWGRAPH_PLANS"):
        place_of_plans(of(tmp_path, "redis://somewhere"))


def test_where_what_is_kept_is_encrypted_plans_are_kept_only_where_that_is_asked_for(tmp_path: Path) -> None:
    assert place_of_plans(of(tmp_path, keys=("key",))) is None
    assert place_of_plans(of(tmp_path, str(tmp_path / "x"), keys=("key",))) == tmp_path / "x"


async def test_without_a_model_words_serve_and_nothing_is_fetched(tmp_path: Path) -> None:
    settings = of(tmp_path)
    async with plan_memory(settings) as memory:
        assert memory is not None
        assert names(tmp_path) == [], "nothing is opened before it is needed"
        await memory.keep("Look for red wine", TASKS, CREW, run_id="r", strategy="model")
        found = await memory.recall("Look for white wine", CREW)
        assert [example.request for example in found] == ["Look for red wine"]
    assert names(tmp_path) == ["plans"]
    async with plan_memory(of(tmp_path, "off")) as memory:
        assert memory is None


async def test_a_damaged_model_is_passed_over(tmp_path: Path) -> None:
    settings = of(tmp_path)
    embedder_folder(settings).mkdir(parents=True)
    async with local_embedding(settings) as embedding:
        assert await embedding() is None
    async with plan_memory(settings) as memory:
        assert memory is not None
        await memory.keep("Look for red wine", TASKS, CREW, run_id="r", strategy="model")
        assert len(await memory.recall("Look for white wine", CREW)) == 1


async def test_a_pulled_model_finds_what_other_words_say(tmp_path: Path) -> None:
    models = Settings().models_dir
    if not embedder_folder(Settings()).is_dir():
        pytest.skip("the embedding model has not been pulled (crewgraph engine pull --help)")
    (tmp_path / "models").symlink_to(models)
    async with plan_memory(of(tmp_path)) as memory:
        assert memory is not None
        await memory.keep("How much does this notebook weigh?", TASKS, CREW, run_id="r", strategy="model")
        await memory.keep("Who wrote the letter?", TASKS, CREW, run_id="s", strategy="model")
        found = await memory.recall("Tell me the mass of the notepad", CREW, limit=1, at_least=0.1)
        assert [example.request for example in found] == ["How much does this notebook weigh?"]


async def test_the_house_says_what_makes_the_vectors_and_what_is_secret(tmp_path: Path) -> None:
    asked: list[str] = []

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        asked.extend(texts)
        return await by_words(texts)

    async def embedding() -> object:
        return embed

    secrets = Redactor(["the pass phrase"])
    async with plan_memory(of(tmp_path), redactor=secrets, embedding=embedding) as memory:  # type: ignore[arg-type]  # an Embed
        assert memory is not None
        assert not await memory.keep("Look for the pass phrase", TASKS, CREW, run_id="r", strategy="model")
        assert await memory.keep("Look for wine", TASKS, CREW, run_id="r", strategy="model")
        assert asked == []
        assert len(await memory.recall("Look for red wine", CREW)) == 1
        assert asked == ["Look for wine", "Look for red wine"]
