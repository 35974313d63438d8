"""What users rely on of a memory: what was said is found again, once, with who said it; what is newer takes its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from crewgraph.agents.memory.entry import Entry, Provenance, Scope
from crewgraph.agents.memory.memory import Meaning, Memory
from crewgraph.runtime.errors import InvalidInput, StoreError
from crewgraph.runtime.journalling.redaction import Redactor

USER = Provenance(by="user", run_id="r-1", thread="t-1")


async def texts(memory: Memory, query: str, asker: Scope | None = None) -> list[str]:
    return [entry.text for entry in (await memory.recall(query, asker)).entries]


async def test_what_was_said_is_found_in_english_and_chinese_and_nothing_else_is(memory: Memory) -> None:
    assert not await memory.recall("anything")
    for text in (
        "The printer is on the second floor",
        "Ann works on Mondays",
        "我喜欢喝绿茶",
        "会议室在三楼",
    ):
        await memory.remember(text)
    assert (await texts(memory, "Which floor is the printer on?"))[0] == "The printer is on the second floor"
    assert (await texts(memory, "我喜欢喝什么茶？"))[0] == "我喜欢喝绿茶"
    assert (await texts(memory, "会议室在哪里"))[0] == "会议室在三楼"
    assert await texts(memory, "How high is the Matterhorn?") == []
    assert await texts(memory, "   ") == []


async def test_a_memory_knows_who_said_it_where_and_when(memory: Memory) -> None:
    before = time.time()
    made = await memory.remember("I prefer tea", kind="preference", said=USER, confidence=0.9, key="k")
    assert made is not None
    (found,) = (await memory.recall("tea")).entries
    assert found == made
    assert found.provenance[0].model_copy(update={"at": 0.0, "key": ""}) == USER
    assert before <= found.at <= time.time()
    assert (found.kind, found.confidence) == ("preference", 0.9)


async def test_what_is_said_again_is_one_memory_that_knows_both(memory: Memory) -> None:
    first = await memory.remember("The printer is on the second floor.", said=USER)
    again = await memory.remember("the Printer is on the second floor", said=Provenance(by="clerk"))
    assert first is not None
    assert again is not None
    assert again.id == first.id
    assert [said.by for said in again.provenance] == ["user", "clerk"]
    for other in (
        "The printer is not on the second floor.",
        "The printer is on the third floor.",
        "The second printer is on the floor.",
    ):
        made = await memory.remember(other)
        assert made is not None
        assert made.id != first.id, other
    assert len(await memory.entries()) == 4


async def test_a_newer_value_takes_the_place_of_the_one_before_and_both_keep_who_said_them(
    memory: Memory,
) -> None:
    oslo = await memory.remember("Ann lives in Oslo", about=("Ann", "city", "Oslo"), said=USER)
    await memory.remember("Bob lives in Oslo", about=("Bob", "city", "Oslo"))
    same = await memory.remember("Ann's city is still oslo", about=("ann", "City", "oslo"))
    rome = await memory.remember(
        "Ann lives in Rome", about=("Ann", "city", "Rome"), said=Provenance(by="clerk")
    )
    assert oslo is not None
    assert same is not None
    assert rome is not None
    assert same.id == oslo.id, "the same value is no other one"
    told = await texts(memory, "Where does Ann live? Her city?")
    assert told[0] == "Ann lives in Rome"
    assert "Ann lives in Oslo" not in told
    now, before = await memory.history("ANN", "city")
    assert (now.value, now.superseded_by, now.provenance[0].by) == ("Rome", "", "clerk")
    assert (before.value, before.superseded_by, before.provenance[0].by) == ("Oslo", rome.id, "user")
    assert before.superseded_at == now.at
    back = await memory.remember("Ann lives in Oslo again", about=("Ann", "city", "Oslo"))
    assert back is not None
    assert back.id != oslo.id, "she has been elsewhere"
    assert [entry.value for entry in await memory.history("Ann", "city")] == ["Oslo", "Rome", "Oslo"]


async def test_one_agents_value_does_not_take_the_place_of_everybodys(memory: Memory) -> None:
    await memory.remember("The code name is Fox", about=("project", "code name", "Fox"))
    own = Scope(agent="spy")
    await memory.remember("The code name is Owl", about=("project", "code name", "Owl"), scope=own)
    assert await texts(memory, "code name of the project") == ["The code name is Fox"]
    assert set(await texts(memory, "code name of the project", own)) == {
        "The code name is Fox",
        "The code name is Owl",
    }


async def test_the_same_key_is_the_same_remembering_however_late(memory: Memory) -> None:
    first = await memory.remember("Ann lives in Oslo", about=("Ann", "city", "Oslo"), key="run/1")
    again = await memory.remember("Ann lives in Oslo", about=("Ann", "city", "Oslo"), key="run/2")
    await memory.remember("Ann lives in Rome", about=("Ann", "city", "Rome"), key="run/3")
    assert first is not None
    assert again is not None
    for key in ("run/1", "run/2", "run/1"):
        late = await memory.remember("Ann lives in Oslo", about=("Ann", "city", "Oslo"), key=key)
        assert late is not None
        assert late.id == first.id
    assert [entry.value for entry in await memory.history("Ann", "city")] == ["Rome", "Oslo"]
    assert len((await memory.history("Ann", "city"))[1].provenance) == 2


async def test_what_has_expired_is_not_told(memory: Memory) -> None:
    now = time.time()
    await memory.remember("The lift is broken today", expires=now - 1)
    await memory.remember("The lift is broken this week", expires=now + 1_000)
    assert await texts(memory, "Is the lift broken?") == ["The lift is broken this week"]


async def test_a_word_that_stands_for_another_is_never_lost_however_alike_the_texts_are(
    tmp_path: Path,
) -> None:
    async def alike(said: Sequence[str]) -> list[list[float]]:
        return [[1.0, 0.0] for _ in said]

    memory = Memory(tmp_path, Meaning("all alike", alike))
    every = [
        "The room is on the left", "The room is on the right", "I like red wine", "I like white wine", "Ann likes Bob",
        "Bob likes Ann", "Ann works on Mondays", "Ann hardly works on Mondays", "It costs 5", "It costs 6", "我喜欢茶",
        "我喜欢茶壶",
    ]  # fmt: skip
    for text in every:
        await memory.remember(text)
    assert {entry.text for entry in await memory.entries()} == set(every)
    await memory.aclose()
    other = Memory(":memory:", Meaning("all alike", alike))
    await other.remember("The room is on the left")
    await other.remember("The room is located on the left")
    assert len(await other.entries()) == 1, "it says no more"
    await other.aclose()


async def test_of_two_that_fit_as_well_the_later_comes_first(memory: Memory) -> None:
    year = 365 * 86400.0
    for text, ago in (
        ("The key is in the drawer, says Ann", 2 * year),
        ("The key is in the locker, says Bob", 0.0),
    ):
        await memory.remember(text, said=Provenance(at=time.time() - ago))
    assert (await texts(memory, "Where is the key?"))[0] == "The key is in the locker, says Bob"


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_secrets_are_taken_out_before_anything_is_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path, redactor=Redactor(["open sesame now"]))
    assert await memory.remember("The door hears open sesame now at night") is not None
    assert await memory.remember("open sesame now") is None
    assert await memory.remember("The token is x", about=("door", "word", "open sesame now")) is None
    assert await memory.remember("Use sk-abcdefghij0123456789 for the door") is not None
    for said in ("My password is hunter2", "我的密码是 hunter2", "the API key = hunter2"):
        assert await memory.remember(said) is None
    await memory.aclose()
    kept = on_disk(tmp_path)
    assert b"sesame" not in kept
    assert b"hunter2" not in kept
    assert b"abcdefghij" not in kept
    assert b"door" in kept


async def test_what_is_no_memory_is_refused_in_words(memory: Memory) -> None:
    for text in ("", "  ", "x" * 2_001):
        with pytest.raises(InvalidInput, match="2,000"):
            await memory.remember(text)
    with pytest.raises(InvalidInput, match="all three"):
        await memory.keep([Entry(text="x", kind="entity", subject="Ann")])


async def test_many_at_once_are_all_kept_and_one_thing_keeps_one_value(memory: Memory) -> None:
    numbers = range(30)
    await asyncio.gather(
        *(memory.remember(f"Box {n} is on shelf {n}") for n in numbers),
        *(memory.remember(f"Ann is {n}", about=("Ann", "age", str(n))) for n in numbers),
    )
    every = await memory.entries()
    assert len(every) == 60
    assert len([e for e in every if e.kind == "entity" and not e.superseded_by]) == 1


async def test_of_too_many_those_give_way_of_which_least_is_left(tmp_path: Path) -> None:
    for where in (":memory:", tmp_path):
        memory = Memory(where, most=20)
        day = 86400.0
        for n in range(30):
            await memory.remember(f"Box {n} is here", said=Provenance(at=time.time() - (100 - n) * day))
        left = {entry.text for entry in await memory.entries()}
        assert len(left) <= 20
        assert "Box 29 is here" in left
        assert "Box 0 is here" not in left
        await memory.aclose()


async def test_a_place_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for where in (tmp_path / "file", "http://127.0.0.1:9"):
        memory = Memory(where)
        with pytest.raises(StoreError, match="CREWGRAPH_MEMORY"):
            await memory.remember("Ann works on Mondays")
        await memory.aclose()
