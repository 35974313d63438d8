"""Where memories are kept for a user, and which model is used for it: only one that is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import Agent, Crew, House, ModelRequest, Settings, Task
from crewgraph.agents.memory.entry import Scope
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.errors import InvalidInput
from crewgraph.runtime.journalling.redaction import Redactor
from crewgraph.serving.engines.models.embedding import embedder_folder
from crewgraph.serving.remembering import place_of_memories, remembering


def of(home: Path, memory: str | None = None, keys: tuple[str, ...] = ()) -> Settings:
    return Settings(home=home, memory=memory, database_keys=keys)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_memories_lie_in_the_home_folder_where_nothing_else_is_said(tmp_path: Path) -> None:
    assert place_of_memories(of(tmp_path)) == tmp_path / "memory"
    assert place_of_memories(of(tmp_path, str(tmp_path / "x"))) == tmp_path / "x"
    assert place_of_memories(of(tmp_path, "http://qdrant:6333")) == "http://qdrant:6333"
    assert place_of_memories(of(tmp_path, " Off ")) is None
    with pytest.raises(InvalidInput, match="CREWGRAPH_MEMORY"):
        place_of_memories(of(tmp_path, "redis://somewhere"))


def test_where_what_is_kept_is_encrypted_memories_are_kept_only_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    assert place_of_memories(of(tmp_path, keys=("key",))) is None
    assert place_of_memories(of(tmp_path, str(tmp_path / "x"), keys=("key",))) == tmp_path / "x"


async def test_without_a_model_words_serve_and_nothing_is_fetched(tmp_path: Path) -> None:
    async with remembering(of(tmp_path), redactor=Redactor(["pass phrase"])) as memory:
        assert memory is not None
        assert not await memory.recall("wine")
        assert names(tmp_path) == [], "nothing is opened before it is needed"
        await memory.remember("The red wine is in the cellar")
        assert await memory.remember("pass phrase") is None
        assert len((await memory.recall("Where is the wine?")).found) == 1
    assert names(tmp_path) == ["memory"]
    async with remembering(of(tmp_path, "off")) as memory:
        assert memory is None


async def test_a_pulled_model_finds_what_other_words_say(tmp_path: Path) -> None:
    models = Settings().models_dir
    if not embedder_folder(Settings()).is_dir():
        pytest.skip("the embedding model has not been pulled (crewgraph engine pull --help)")
    (tmp_path / "models").symlink_to(models)
    async with remembering(of(tmp_path)) as memory:
        assert memory is not None
        await memory.remember("My physician told me to avoid peanuts")
        await memory.remember("The meeting starts at nine")
        await memory.remember("I parked the car next to the library")
        found = await memory.recall("Which foods did the doctor forbid?")
        assert found.entries[0].text == "My physician told me to avoid peanuts"
        again = await memory.remember("My doctor has told me to avoid peanuts")
        assert again is not None
    async with remembering(of(tmp_path)) as memory:
        assert memory is not None
        found = await memory.recall("Where is my vehicle?")
        assert found.entries[0].text == "I parked the car next to the library"


async def test_a_crew_remembers_in_one_run_and_recalls_in_the_next_each_tenant_for_itself(
    settings: Settings, model: ScriptedModel
) -> None:
    async with remembering(settings) as memory, House.open(settings, client=model) as house:
        assert memory is not None
        clerk = Agent("clerk", "Know.", tools=[memory])
        text = "The red wine is in the cellar"
        keep = Task(id="k", description="keep", tool="remember", args={"text": text}, agent="clerk")
        look = Task(id="l", description="look", tool="recall", args={"query": "red wine"}, agent="clerk")
        writing = Crew([clerk], tasks=[keep], name="cellar")
        asking = Crew([clerk], tasks=[look], name="cellar")
        told = await house.ask(writing, text, tenant="acme")
        assert text in told.answer
        mine = await house.ask(asking, "Where is the red wine?", tenant="acme")
        assert text in mine.answer
        other = await house.ask(asking, "Where is the red wine?", tenant="other")
        assert "cellar" not in other.answer
        assert [entry.provenance[0].run_id for entry in await memory.entries()] == [told.run_id]
        assert [entry.scope for entry in await memory.entries()] == [Scope(tenant="acme")]
        await memory.forget_tenant("acme")
    async with House.open(settings, client=ForbiddenModel()) as house:
        again = await house.replay(mine.run_id, asking)
        assert again.answer == mine.answer


async def test_a_crew_with_a_memory_knows_in_another_conversation_what_somebody_said_of_themselves(
    tmp_path: Path,
) -> None:
    crew = Crew([Agent("host", "Talk with guests.")], name="inn", memory=True)
    heard: list[str] = []

    def say(request: ModelRequest) -> str:
        heard.append(request.messages[-1].content)
        return "Noted."

    async with House.open(of(tmp_path), client=ScriptedModel(say)) as house:
        await house.ask(crew, "My name is Ada, and I am allergic to nuts.", planner="rules")
        asked = await house.ask(crew, "What am I allergic to?", planner="rules")
        assert "nuts" in heard[-1]
        assert "Remembered" in heard[-1]
        other = Crew([Agent("host", "Talk with guests.")], name="another inn", memory=True)
        await house.ask(other, "What am I allergic to?", planner="rules")
        assert "nuts" not in heard[-1], "what one crew is told stays with it"
    async with remembering(of(tmp_path)) as memory:
        assert memory is not None
        await memory.forget_tenant("")
    async with House.open(of(tmp_path), client=ForbiddenModel()) as house:
        assert (await house.replay(asked.run_id, crew)).answer == asked.answer
