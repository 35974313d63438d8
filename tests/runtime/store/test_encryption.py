"""With a key nothing that was said can be read from the files; without the right one nothing opens."""
# ruff: noqa: ASYNC240 - looking at small files is what these tests do

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from crewgraph.runtime.errors import InvalidInput, StoreError
from crewgraph.runtime.events import (
    Answer,
    Asked,
    RunErred,
    RunFinished,
    RunStarted,
    StepFinished,
    StepIntended,
)
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.sql.tables import metadata
from crewgraph.runtime.store.store import SqlStore

SECRET = "kirschkuchen"
LARGE = f"{SECRET} " * 10_000


async def fill(store: SqlStore) -> str:
    thread = await store.create_thread(f"about {SECRET}")
    await store.add_message(thread.id, "user", f"I want {SECRET}")
    async with await store.create_run(
        "crew", f"find {SECRET}", options={"note": SECRET}, thread_id=thread.id
    ) as journal:
        journal.write(RunStarted(at=1.0, crew="crew", request=f"find {SECRET}"))
        journal.write(StepIntended(at=1.0, task_id="t", name="s", key="k", inputs={"q": SECRET}))
        journal.write(StepFinished(at=1.0, task_id="t", name="s", key="k", output=LARGE))
        await journal.append(Asked(at=1.0, task_id="t", key="q", question=f"More {SECRET}?"))
        await store.answer(journal.run_id, "q", Answer(decision="answer", value=SECRET))
        await journal.take_answers()
        await journal.append(RunFinished(at=time.time(), answer=f"here is {SECRET}"))
    async with await store.create_run("crew", "r") as failing:
        await failing.append(RunErred(at=time.time(), error=f"no {SECRET}", code="c"))
    return journal.run_id


def files_that_say(folder: Path, word: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


@pytest.mark.parametrize("encrypted", [False, True])
async def test_nothing_that_was_said_is_in_the_files(tmp_path: Path, encrypted: bool) -> None:
    key = Fernet.generate_key() if encrypted else None
    async with open_store(tmp_path / "runs.db", key=key) as store:
        run_id = await fill(store)
        while_open = files_that_say(tmp_path, SECRET)
        assert (await store.find_run(run_id)).answer == f"here is {SECRET}"
    afterwards = files_that_say(tmp_path, SECRET)
    if encrypted:
        assert while_open == afterwards == []
    else:  # or the search would find nothing anywhere
        assert while_open != []
        assert afterwards == ["runs.db"]


async def test_nothing_that_was_said_is_in_any_table(opener: object, where: str, key: bytes | None) -> None:
    store = await open_store(where, key=key)
    try:
        await fill(store)
        said = [
            table
            for table in metadata.tables
            if SECRET in repr(await store.database.fetch(f"SELECT * FROM {table}"))
        ]
    finally:
        await store.aclose()
    assert (said == []) == (key is not None)


async def test_what_could_be_guessed_by_its_hash_is_not_there_either(where: str, key: bytes | None) -> None:
    async with open_store(where, key=key) as store:
        await fill(store)
        keys = {found for (found,) in await store.database.fetch("SELECT key FROM events")}
        digests = [found for (found,) in await store.database.fetch("SELECT digest FROM blobs")]
        rows = await store.rows("last") + await store.rows((await store.list_runs())[-1].id)
        plain = [part.digest for row in rows for part in row.large]
        assert (keys == {""}) == (key is not None)
        assert (digests == plain) == (key is None)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "runs.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


async def test_the_wrong_key_or_none_is_one_sentence(place: str) -> None:
    key = Fernet.generate_key()
    async with open_store(place, key=key) as store:
        await fill(store)
    with pytest.raises(StoreError, match=r"is encrypted: give its key\."):
        await open_store(place)
    with pytest.raises(
        StoreError, match=r"The key does not fit the database .*: give the one it was made with\."
    ):
        await open_store(place, key=Fernet.generate_key())
    async with open_store(place, key=key.decode()) as store:
        assert len(await store.list_runs()) == 2


async def test_a_database_that_is_not_encrypted_is_not_half_encrypted(place: str) -> None:
    async with open_store(place) as store:
        await fill(store)
    with pytest.raises(StoreError, match="is not encrypted: open it without a key, or export its runs"):
        await open_store(place, key=Fernet.generate_key())
    async with open_store(place) as store:
        assert len(await store.list_runs()) == 2


async def test_keys_can_be_changed(place: str) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    async with open_store(place, key=old) as store:
        run_id = await fill(store)
    async with open_store(place, key=[new, old]) as store:
        assert (await store.find_run(run_id)).answer == f"here is {SECRET}"
        async with await store.open_run(
            run_id
        ) as journal:  # the chain goes on: its secret is the database's own
            await journal.append(RunFinished(at=time.time(), answer="new"))
        assert (await store.events(run_id))[-1].kind == "run_finished"
    async with open_store(place, key=[old, new]) as store:
        assert (await store.find_run(run_id)).answer == "new"
    with pytest.raises(StoreError, match="key does not fit"):
        await open_store(place, key=[new])


async def test_what_was_written_under_a_key_that_is_not_given_is_one_sentence(place: str) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    async with open_store(place, key=old):
        pass
    async with open_store(place, key=[new, old]) as store:
        run_id = await fill(store)
    async with open_store(place, key=old) as store:
        with pytest.raises(StoreError, match="encrypted with a key that is not given: open it with all keys"):
            await store.find_run(run_id)
        with pytest.raises(StoreError, match="encrypted with a key that is not given"):
            await store.events(run_id)


@pytest.mark.parametrize("key", ["", "short", b"\0" * 32, "é" * 44, []])
async def test_what_is_no_key_is_one_sentence(tmp_path: Path, key: str | bytes | list[str]) -> None:
    with pytest.raises(
        InvalidInput, match=r"32 random bytes in URL-safe base64: make one with .*generate_key"
    ):
        await open_store(tmp_path / "runs.db", key=key)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "sys.modules['cryptography'] = sys.modules['asyncpg'] = None\n"
        "from crewgraph.runtime.store import open_store\n"
        "async def main(*where, **key):\n"
        "    try:\n"
        "        await open_store(*where, **key)\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, error)\n"
        "asyncio.run(main(sys.argv[1], key='x'))\n"
        "asyncio.run(main('postgresql://localhost/x'))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "runs.db")], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said == [
        "StoreError Encryption needs a package that is not installed: run `pip install 'crewgraph[encryption]'`.",
        "StoreError PostgreSQL needs packages that are not installed: run `pip install 'crewgraph[postgres]'`.",
    ]
