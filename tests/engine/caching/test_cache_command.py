"""`crewgraph cache` says what is kept, and takes away what people want to be taken away, and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crewgraph.serving.client.caching import open_cache

from .servers import Server


def crewgraph(home: Path, *arguments: str, cache: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CREWGRAPH_")}
    environment["CREWGRAPH_HOME"] = str(home)
    if cache is not None:
        environment["CREWGRAPH_CACHE"] = cache
    command = [sys.executable, "-m", "crewgraph.serving.cli.main", "cache", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def fill(url: str, count: int, ttl_s: float | None = None) -> None:
    async def work() -> None:
        store = open_cache(url)
        for number in range(count):
            await store.put(f"{ttl_s}-{number}", b"x" * 1000, ttl_s)
        await store.aclose()

    asyncio.run(work())


def test_nothing_is_made_only_to_say_that_nothing_is_there(tmp_path: Path) -> None:
    assert crewgraph(tmp_path).stdout == f"{tmp_path}/replies.db: no replies yet.\n"
    assert json.loads(crewgraph(tmp_path, "--json").stdout)["entries"] == 0
    assert "0 replies" in crewgraph(tmp_path, "clear").stdout
    assert list(tmp_path.iterdir()) == []


def test_the_file_in_the_home_folder_is_shown_pruned_and_cleared(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/replies.db"
    fill(url, 3)
    fill(url, 2, 0.001)
    said = json.loads(crewgraph(tmp_path, "--json").stdout)
    assert said["entries"] == 5
    assert 5000 < said["bytes"] < 7000
    assert "2 replies" in crewgraph(tmp_path, "prune").stdout
    assert "3 replies" in crewgraph(tmp_path).stdout
    assert json.loads(crewgraph(tmp_path, "clear", "--json").stdout)["cleared"] == 3
    assert "0 replies" in crewgraph(tmp_path).stdout


def test_another_store_is_named_by_option_or_environment(tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path}/other.db", 1)
    for done in (
        crewgraph(tmp_path, "--at", f"{tmp_path}/other.db"),
        crewgraph(tmp_path, cache=f"sqlite:///{tmp_path}/other.db"),
    ):
        assert "other.db: 1 reply, " in done.stdout
    misplaced = crewgraph(tmp_path, "--at", f"{tmp_path}/other.db", "clear")
    assert (misplaced.returncode, misplaced.stdout) == (2, "")
    assert "after clear" in misplaced.stderr
    assert "1 reply" in crewgraph(tmp_path, "clear", "--at", f"{tmp_path}/other.db").stdout


def test_a_server_is_shown_and_cleared(server: Server, tmp_path: Path) -> None:
    fill(server.url, 4)
    assert crewgraph(tmp_path, cache=server.url).returncode == 0
    assert "took away" in crewgraph(tmp_path, "clear", cache=server.url).stdout

    async def look() -> bytes | None:
        store = open_cache(server.url)
        try:
            return await store.get("None-0")
        finally:
            await store.aclose()

    assert asyncio.run(look()) is None


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("redis://127.0.0.1:1", "cannot be used"),
        ("memcached://127.0.0.1:1", "cannot be used"),
        ("mysql://here", "is no store for replies"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, at: str, said: str) -> None:
    done = crewgraph(tmp_path, cache=at)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_something_else_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("somebody's text " * 100)
    done = crewgraph(tmp_path, "clear", "--at", f"{tmp_path}/text.db")
    assert done.returncode == 2
    assert (tmp_path / "text.db").read_text() == "somebody's text " * 100
