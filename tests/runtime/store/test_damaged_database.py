"""A damaged database is set aside under a new name and said aloud; it is never overwritten."""
# ruff: noqa: ASYNC240 - looking at small files is what these tests do

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import StoreCorrupt, StoreError
from crewgraph.runtime.store import open_store


async def filled(database: Path, notes: int = 300) -> None:
    async with open_store(database) as store:
        journal = await store.create_run("crew", "r")
        ctx = RunContext(journal)
        await asyncio.gather(*(ctx.note(f"{n} " * 100) for n in range(notes)))


def set_aside(database: Path) -> list[Path]:
    return sorted(database.parent.glob(f"{database.name}.damaged-*"))


async def refused_once_then_new(database: Path, content: bytes) -> None:
    with pytest.raises(
        StoreCorrupt, match=r"was damaged and has been set aside as .*\.damaged-.* run the comm"
    ):
        await open_store(database)
    assert not database.exists()
    (kept,) = [path for path in set_aside(database) if not path.name.endswith(("-wal", "-shm"))]
    assert kept.read_bytes() == content
    async with open_store(database) as store:
        assert await store.list_runs() == []
        await store.create_run("crew", "again")
    assert kept.read_bytes() == content


@pytest.mark.parametrize("content", [b"x", b"not a database at all " * 500, random.Random(1).randbytes(9000)])
async def test_a_file_that_is_no_database(database: Path, content: bytes) -> None:
    database.write_bytes(content)
    await refused_once_then_new(database, content)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
async def test_a_truncated_database(database: Path, share: float) -> None:
    await filled(database)
    content = database.read_bytes()
    database.write_bytes(content[: int(len(content) * share)])
    await refused_once_then_new(database, database.read_bytes())


async def test_a_database_whose_beginning_is_garbage(database: Path) -> None:
    await filled(database)
    content = bytearray(database.read_bytes())
    content[16:200] = random.Random(2).randbytes(184)
    database.write_bytes(bytes(content))
    await refused_once_then_new(database, bytes(content))


async def test_an_emptied_file_beside_its_log_is_not_taken_for_a_new_one(database: Path) -> None:
    database.touch()
    log = database.with_name(database.name + "-wal")
    log.write_bytes(b"what was not yet carried over")
    with pytest.raises(StoreCorrupt):
        await open_store(database)
    assert [path.read_bytes() for path in set_aside(database) if path.name.endswith("-wal")] == [
        b"what was not yet carried over"
    ]


async def test_an_empty_file_is_a_new_database(database: Path) -> None:
    database.touch()
    async with open_store(database) as store:
        await store.create_run("crew", "r")


async def test_damage_found_only_while_reading_is_set_aside_then(database: Path) -> None:
    await filled(database, notes=2000)
    content = bytearray(database.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 40 * 4096] = random.Random(3).randbytes(40 * 4096)
    database.write_bytes(bytes(content))
    store = await open_store(database)
    try:
        with pytest.raises(StoreCorrupt, match="set aside as"):
            await store.events("last")
        assert not database.exists()
    finally:
        await store.aclose()
    assert any(path.read_bytes() == bytes(content) for path in set_aside(database))


async def test_two_that_find_the_damage_set_it_aside_once(database: Path) -> None:
    database.write_bytes(b"rubbish" * 1000)
    outcomes = await asyncio.gather(*(open_store(database)._open() for _ in range(3)), return_exceptions=True)
    opened = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert sum(isinstance(outcome, StoreCorrupt) for outcome in outcomes) == 1
    assert len(opened) == 2
    for store in opened:
        await store.aclose()
    assert len(set_aside(database)) == 1


async def test_a_second_damage_in_the_same_second_overwrites_nothing(database: Path) -> None:
    for content in (b"first" * 300, b"second" * 300, b"third" * 300):
        database.write_bytes(content)
        with pytest.raises(StoreError):
            await open_store(database)
    assert {path.read_bytes()[:5] for path in set_aside(database)} == {b"first", b"secon", b"third"}
