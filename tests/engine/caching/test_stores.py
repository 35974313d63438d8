"""One contract over all stores of replies, on real servers."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading

import pytest

from crewgraph.runtime.errors import InvalidInput
from crewgraph.serving.client.caching import CacheSize, ReplyStore, open_cache

KEY, OTHER = "a" * 64, "b" * 64


async def test_what_was_put_is_given_byte_for_byte(store: ReplyStore) -> None:
    value = bytes(range(256)) + b"\r\nEND\r\n" + secrets.token_bytes(200_000)
    await store.put(KEY, value)
    assert await store.get(KEY) == value
    assert await store.get(OTHER) is None
    await store.put(KEY, b"")
    assert await store.get(KEY) == b""


async def test_the_last_put_counts(store: ReplyStore) -> None:
    await store.put(KEY, b"old", 60)
    await store.put(KEY, b"new")
    assert await store.get(KEY) == b"new"


async def test_what_has_expired_is_not_given(store: ReplyStore) -> None:
    await store.put(KEY, b"short", 0.05)
    await store.put(OTHER, b"long", 60)
    await asyncio.sleep(0.06)
    assert await store.get(KEY) is None
    assert await store.get(OTHER) == b"long"
    await store.prune()
    assert await store.get(OTHER) == b"long"


async def test_a_time_of_more_than_a_month_is_no_date(store: ReplyStore) -> None:
    await store.put(KEY, b"kept", 90 * 86400)
    assert await store.get(KEY) == b"kept"


async def test_an_entry_can_be_taken_away(store: ReplyStore) -> None:
    await store.put(KEY, b"one")
    await store.put(OTHER, b"two")
    await store.delete(KEY)
    await store.delete("c" * 64)
    assert await store.get(KEY) is None
    assert await store.get(OTHER) == b"two"


async def test_clearing_takes_all_away_and_new_ones_can_be_put(store: ReplyStore) -> None:
    for number in range(50):
        await store.put(f"{number:064}", b"x")
    await store.clear()
    assert [await store.get(f"{number:064}") for number in range(50)] == [None] * 50
    await store.put(KEY, b"again")
    assert await store.get(KEY) == b"again"


async def test_it_says_how_much_it_keeps_or_that_it_cannot(store: ReplyStore) -> None:
    for number in range(7):
        await store.put(f"{number:064}", b"x" * 1000)
    await store.put(f"{0:064}", b"y" * 1000)
    entries, size = await store.size()
    assert entries in (7, None)
    assert size is None or 7000 < size < 10_000


async def test_a_thousand_at_once_do_not_mix(store: ReplyStore) -> None:
    await asyncio.gather(*(store.put(f"{number:064}", b"%d" % number) for number in range(1000)))
    found = await asyncio.gather(*(store.get(f"{number:064}") for number in range(1000)))
    assert found == [b"%d" % number for number in range(1000)]


async def test_another_door_to_the_same_store_sees_it(store: ReplyStore, store_url: str) -> None:
    if store_url == "memory://":
        pytest.skip("memory is of one store only, on purpose")
    await store.put(KEY, b"seen")
    other = open_cache(store_url)
    assert await other.get(KEY) == b"seen"
    await other.clear()
    assert await store.get(KEY) is None, "cleared by another process, as it were"
    await store.put(KEY, b"anew")
    assert await other.get(KEY) == b"anew"
    await other.aclose()


async def test_no_thread_and_no_task_outlives_it(store_url: str) -> None:
    def ours() -> tuple[list[str], int]:
        names = [thread.name for thread in threading.enumerate()]
        return [name for name in names if name.startswith("crewgraph")], len(asyncio.all_tasks())

    before = ours()
    store = open_cache(store_url)
    await store.put(KEY, b"x")
    await store.aclose()
    await store.aclose()
    assert ours() == before


async def test_clearing_leaves_what_others_keep_in_redis(store: ReplyStore, store_url: str) -> None:
    if not store_url.startswith(("redis", "valkey")):
        pytest.skip("only a server of many users")
    from redis.asyncio import Redis

    async with Redis.from_url(store_url.replace("valkey:", "redis:")) as theirs:
        await theirs.set("theirs", "kept")
        await store.put(KEY, b"x")
        await store.clear()
        assert await theirs.keys("*") == [b"theirs"]


@pytest.mark.parametrize("url", ["mysql://here", "sqlite://", "sqlite://host/file", "memcached://host:port"])
def test_a_url_that_is_no_store_is_refused_with_those_that_are(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"sqlite:///|memcached://HOST"):
        open_cache(url)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match=r"pip install crewgraph\[cache\]"):
        open_cache("redis://127.0.0.1")


def test_a_password_is_in_no_name() -> None:
    pytest.importorskip("redis")
    assert open_cache("redis://me:hushhush@host:1/2").name == "redis://host:1/2"


async def test_a_store_takes_threads_with_loops_of_their_own(tmp_path: os.PathLike[str]) -> None:
    store = open_cache(f"sqlite:///{os.fspath(tmp_path)}/replies.db")

    async def work(of: int) -> None:
        for number in range(50):
            await store.put(f"{of}-{number}", b"%d" % of)
            assert await store.get(f"{of}-{number}") == b"%d" % of

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, work(of)) for of in range(4)))
    assert (await store.size()).entries == 200
    await store.aclose()


async def test_memory_is_bounded_and_gives_up_what_was_not_asked_for_longest() -> None:
    store = open_cache("memory://", max_bytes=10 * 1200)
    for number in range(10):
        await store.put(str(number), b"x" * 1000)
    assert await store.get("0") is not None
    await store.put("10", b"x" * 1000)
    assert await store.get("0") is not None
    assert await store.get("1") is None
    await store.put("huge", b"x" * 20_000)
    assert await store.get("huge") is None
    assert await store.size() == CacheSize(10, 12_000)
