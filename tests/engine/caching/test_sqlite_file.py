"""What holds of the file in which replies are kept: bounded, private, whole after a crash, never taken for another."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from crewgraph.runtime.errors import StoreError
from crewgraph.runtime.store import open_store
from crewgraph.serving.client.caching import open_cache

WRITER = """
import asyncio, sys
from crewgraph.serving.client.caching import open_cache

async def main():
    store = open_cache(sys.argv[1])
    number = 0
    while True:
        group = range(number, number + 20)
        await asyncio.gather(*(store.put(f"{n:064}", str(n).encode() * 400) for n in group))
        number += 20
        print(number, flush=True)

asyncio.run(main())
"""


def writing(path: Path) -> subprocess.Popen[str]:
    """A process that puts reply after reply, and says how many it has put."""
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)


def contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


def modes(folder: Path) -> set[str]:
    return {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()}


async def test_it_stays_within_its_bound_and_keeps_what_is_asked_for(tmp_path: Path) -> None:
    store = open_cache(tmp_path / "replies.db", max_bytes=200_000)
    await store.put("wanted", b"w" * 1000)
    for number in range(600):
        await store.put(f"{number:064}", os.urandom(1000))
        if number % 50 == 0:
            assert await store.get("wanted") is not None, number
    entries, size = await store.size()
    assert size is not None
    assert entries is not None
    assert 150_000 < size <= 200_000
    assert await store.get(f"{0:064}") is None
    assert await store.get(f"{599:064}") is not None
    await store.put("huge", b"x" * 100_000)
    assert await store.get("huge") is None, "one entry may not push out all others"
    await store.aclose()
    assert (tmp_path / "replies.db").stat().st_size < 2 * 200_000


async def test_what_was_asked_for_is_remembered_over_a_restart(tmp_path: Path) -> None:
    store = open_cache(tmp_path / "replies.db", max_bytes=50_000)
    for number in range(20):
        await store.put(str(number), b"x" * 1000)
    await store.get("0")
    await store.aclose()
    store = open_cache(tmp_path / "replies.db", max_bytes=15_000)
    await store.put("new", b"x" * 1000)
    assert await store.get("0") is not None
    assert await store.get("1") is None
    await store.aclose()


async def test_expired_entries_go_first_and_are_counted_when_pruned(tmp_path: Path) -> None:
    store = open_cache(tmp_path / "replies.db")
    for number in range(10):
        await store.put(str(number), b"x", 0.01 if number < 4 else None)
    await asyncio.sleep(0.02)
    assert await store.prune() == 4
    assert (await store.size()).entries == 6
    await store.aclose()


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "replies.db"
    store = open_cache(path)
    await store.put("key", b"x")
    assert len(contents(path.parent)) == 3
    assert modes(path.parent) == {"0o600"}
    await store.aclose()


async def test_what_was_cleared_is_in_no_file_any_more(tmp_path: Path) -> None:
    store = open_cache(tmp_path / "replies.db")
    for number in range(100):
        await store.put(str(number), b"the-secret-word" * 50)
    await store.clear()
    assert all(b"the-secret-word" not in content for content in contents(tmp_path))
    assert (tmp_path / "replies.db").stat().st_size < 60_000
    await store.aclose()


async def test_a_process_killed_while_it_puts_leaves_whole_replies(tmp_path: Path) -> None:
    path = tmp_path / "replies.db"
    for _ in range(3):
        process = writing(path)
        assert process.stdout is not None
        said = 0
        while said < 400:
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = open_cache(path)
        kept = (await store.size()).entries
        assert kept is not None
        assert kept >= said, "what was put is there"
        for number in range(kept):
            assert await store.get(f"{number:064}") == str(number).encode() * 400
        await store.put("after", b"x")
        assert await store.get("after") == b"x"
        await store.clear()
        await store.aclose()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_two_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "replies.db"
    process = writing(path)
    assert process.stdout is not None
    process.stdout.readline()
    store = open_cache(path)
    for number in range(50):
        await store.put(f"mine-{number}", b"m")
    for number in range(20):
        assert await store.get(f"{number:064}") == str(number).encode() * 400
    process.kill()
    process.wait()
    process.stdout.close()
    assert [await store.get(f"mine-{number}") for number in range(50)] == [b"m"] * 50
    await store.aclose()


async def test_a_damaged_cache_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "replies.db"
    store = open_cache(path)
    for number in range(200):
        await store.put(f"{number:064}", os.urandom(2000))
    await store.aclose()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    store = open_cache(path)
    with pytest.raises(StoreError, match="set aside"):
        await asyncio.gather(*(store.get(f"{number:064}") for number in range(200)))
    await store.put("new", b"x")
    assert await store.get("new") == b"x"
    await store.aclose()
    assert (tmp_path / "replies.db.damaged").exists()


@pytest.mark.parametrize("content", [b"", b"not a database, but somebody's text " * 100])
async def test_a_file_of_somebody_else_is_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "replies.db"
    path.write_bytes(content)
    store = open_cache(path)
    if content:
        with pytest.raises(StoreError, match="remove it, or name another file"):
            await store.put("key", b"x")
        assert path.read_bytes() == content
    else:
        await store.put("key", b"x")
    await store.aclose()


async def test_a_database_of_runs_is_not_taken_for_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "crewgraph.db"
    async with open_store(path):
        pass
    before = path.read_bytes()
    store = open_cache(path)
    with pytest.raises(StoreError, match="something else"):
        await store.put("key", b"x")
    await store.aclose()
    assert path.read_bytes() == before


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = open_cache(tmp_path / "replies.db")
    await store.aclose()
    with pytest.raises(StoreError, match="has been closed"):
        await store.get("key")
