"""Runs are carried elsewhere, checked, and taken away; conversations are too."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Terminal

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def runs(crewgraph: Run, *arguments: str | Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(crewgraph("runs", *arguments, "--json").stdout)["runs"]
    return found


@pytest.fixture
def two(crewgraph: Run, crew_file: Path) -> list[str]:
    """The ids of two finished runs, the older one first."""
    made = [json.loads(crewgraph("run", crew_file, f"count {n}", "--json").stdout)["run_id"] for n in "12"]
    assert len(set(made)) == 2
    return made


def test_runs_are_exported_and_imported_with_all_that_is_known_of_them(
    crewgraph: Run, two: list[str], tmp_path: Path
) -> None:
    file, elsewhere = tmp_path / "kept.jsonl", tmp_path / "elsewhere"
    assert "2 runs" in crewgraph("runs", "export", "--all", "-o", file).stdout
    assert crewgraph("runs", "export", *two).stdout == file.read_text()
    done = crewgraph("--home", elsewhere, "runs", "import", file)
    assert done.stdout.splitlines() == [f"imported {run_id}" for run_id in two]
    assert runs(crewgraph, "--home", elsewhere) == runs(crewgraph)
    for run_id in two:
        shown = crewgraph("show", run_id, "--json").stdout
        assert crewgraph("--home", elsewhere, "show", run_id, "--json").stdout == shown
    assert crewgraph("--home", elsewhere, "replay", two[0]).returncode == 0
    again = crewgraph("--home", elsewhere, "runs", "import", file)
    assert (again.returncode, again.stdout) == (2, "")
    assert "already" in again.stderr


def test_what_is_no_exported_run_is_refused_in_one_sentence(
    crewgraph: Run, two: list[str], tmp_path: Path
) -> None:
    lines = crewgraph("runs", "export", two[0]).stdout.splitlines()
    newer = json.loads(lines[0])
    newer["crewgraph_run"] += 1
    changed = [line.replace("count 1", "count 7") for line in lines]
    broken = {
        "newer": ([json.dumps(newer), *lines[1:]], "newer crewgraph"),
        "short": (lines[:-1], "not whole"),
        "changed": (changed[:1] + changed[1:], "tampered"),
        "other": (["import this"], "Line 1"),
        "empty": ([], "no exported run"),
    }
    for name, (given, words) in broken.items():
        done = crewgraph(
            "--home", tmp_path / "elsewhere", "runs", "import", "-", stdin="\n".join(given) + "\n"
        )
        assert (done.returncode, done.stdout) == (2, ""), name
        assert done.stderr.count("\n") == 1
        assert words in done.stderr, name
    assert runs(crewgraph, "--home", tmp_path / "elsewhere") == []
    missing = crewgraph("runs", "import", tmp_path / "nothing.jsonl")
    assert missing.returncode == 2
    assert "cannot be read" in missing.stderr


def test_an_export_that_cannot_be_written_leaves_nothing_behind(
    crewgraph: Run, two: list[str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text("an older export\n")
    done = crewgraph("runs", "export", two[0], "r-nothing", "-o", kept)
    assert done.returncode == 2
    assert "r-nothing" in done.stderr
    assert kept.read_text() == "an older export\n"
    assert crewgraph("runs", "export", two[0], "-o", tmp_path / "no" / "where").returncode == 2
    assert crewgraph("runs", "export").returncode == 2
    assert sorted(p.name for p in tmp_path.glob("*.part")) == []


def test_an_event_that_was_changed_is_named(crewgraph: Run, two: list[str], home: Path) -> None:
    assert [line.split()[:2] for line in crewgraph("runs", "verify", "--all").stdout.splitlines()] == [
        ["ok", two[1]],
        ["ok", two[0]],
    ]
    with closing(sqlite3.connect(home / "crewgraph.db")) as database, database:
        (number,) = database.execute("SELECT number FROM runs WHERE id = ?", (two[0],)).fetchone()
        query = "SELECT seq, body FROM events WHERE run = ? AND kind = 'task_finished' ORDER BY seq"
        seq, body = database.execute(query, (number,)).fetchone()
        database.execute(
            "UPDATE events SET body = ? WHERE run = ? AND seq = ?", (body.replace("1", "2"), number, seq)
        )
    done = crewgraph("runs", "verify", *two)
    assert done.returncode == 2
    bad, good = done.stdout.splitlines()
    assert bad.split()[:2] == ["problem", two[0]]
    assert f"event {seq} (task_finished of task 'one') is not what was written" in bad
    assert good.split()[:2] == ["ok", two[1]]
    told = json.loads(crewgraph("runs", "verify", two[0], "--json").stdout)
    assert (told["ok"], told["runs"][0]["ok"]) == (False, False)
    refused = crewgraph("replay", two[0])
    assert refused.returncode == 2
    assert f"event {seq}" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_database_of_a_newer_version_is_refused_in_one_sentence(
    crewgraph: Run, two: list[str], home: Path
) -> None:
    with closing(sqlite3.connect(home / "crewgraph.db")) as database, database:
        database.execute("UPDATE schema_version SET version = version + 100")
    for command in (("runs",), ("questions",), ("show", two[0]), ("runs", "verify", "--all")):
        done = crewgraph(*command)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert "newer" in done.stderr
        assert done.stderr.count("\n") == 1


def test_old_runs_are_counted_before_they_are_taken_away(
    crewgraph: Run, two: list[str], terminal: Callable[..., Terminal]
) -> None:
    assert "0 runs" in crewgraph("runs", "prune", "--older-than", "30d", "--yes").stdout
    asked = crewgraph("runs", "prune", "--older-than", "0d")
    assert asked.returncode == 2
    assert "2 runs ended" in asked.stderr
    assert "--yes" in asked.stderr
    for age in ("soon", "30", "-1d", "1e9d", ""):
        refused = crewgraph("runs", "prune", "--older-than", age)
        assert refused.returncode == 2
        assert "is no age" in refused.stderr
    desk = terminal("runs", "prune", "--older-than", "0h")
    desk.see("Take them away for good? [y/N] ")
    desk.type("n")
    assert desk.leave() == 0
    assert len(runs(crewgraph)) == 2
    desk = terminal("runs", "prune", "--older-than", "0min")
    desk.see("[y/N] ")
    desk.type("y")
    desk.see("Took away 2 runs")
    assert desk.leave() == 0
    assert runs(crewgraph) == []


def test_one_run_is_taken_away_with_its_events(crewgraph: Run, two: list[str], home: Path) -> None:
    assert f"run {two[0]} (counting: count 1)" in crewgraph("runs", "delete", two[0]).stdout
    assert [run["id"] for run in runs(crewgraph)] == [two[1]]
    with closing(sqlite3.connect(home / "crewgraph.db")) as database:
        assert database.execute("SELECT count(DISTINCT run) FROM events").fetchone() == (1,)
    again = crewgraph("runs", "delete", two[0])
    assert again.returncode == 2
    assert two[0] in again.stderr


def test_runs_are_listed_by_state_and_tenant(crewgraph: Run, crew_file: Path) -> None:
    crewgraph("run", crew_file, "count", "--tenant", "acme")
    crewgraph("run", crew_file, "count again")
    assert [run["tenant"] for run in runs(crewgraph, "--tenant", "acme")] == ["acme"]
    assert [run["request"] for run in runs(crewgraph, "--status", "finished")] == ["count again", "count"]
    assert runs(crewgraph, "--status", "waiting") == []
    listed = crewgraph("runs").stdout.splitlines()
    assert "TENANT" in listed[0]
    assert "acme" in listed[2]
    assert crewgraph("runs", "--status", "lost").returncode == 2


def test_another_database_than_that_of_the_home_folder_can_be_named(
    crewgraph: Run, crew_file: Path, tmp_path: Path, home: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    assert crewgraph("run", crew_file, "count", "--database", url).returncode == 0
    assert len(runs(crewgraph, "--database", url)) == 1
    assert not (home / "crewgraph.db").exists()
    for nowhere in ("mysql://somewhere/else", "somewhere.db", "postgresql://ann:sesame@127.0.0.1:1/x"):
        wrong = crewgraph("runs", "--database", nowhere)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert wrong.stderr.count("\n") == 1
        assert "sesame" not in wrong.stderr


def test_all_of_it_works_over_postgresql_too(
    crewgraph: Run, buying: Path, tmp_path: Path, postgres_url: str, home: Path
) -> None:
    there = ("--database", postgres_url)
    run_id = json.loads(crewgraph("run", buying, "buy tea", "--json", *there).stdout)["error"]["run_id"]
    assert run_id in crewgraph("questions", *there).stdout
    assert crewgraph("answer", run_id, "--approve", *there).returncode == 0
    assert crewgraph("replay", run_id, *there).returncode == 0
    assert crewgraph("fork", run_id, "--at", "pay", "--later", *there).returncode == 0
    assert crewgraph("diff", run_id, "last", *there).returncode == 0
    assert crewgraph("runs", "verify", "--all", *there).returncode == 0
    file = tmp_path / "kept.jsonl"
    assert crewgraph("runs", "export", run_id, "-o", file, *there).returncode == 0
    assert "1 run" in crewgraph("runs", "prune", "--older-than", "0d", "--yes", *there).stdout
    assert not (home / "crewgraph.db").exists()
    assert crewgraph("runs", "import", file).returncode == 0
    assert "paid 30 to Ann" in crewgraph("show", run_id).stdout


def test_a_conversation_is_listed_and_taken_away_with_its_runs(
    crewgraph: Run, crew_file: Path, home: Path
) -> None:
    assert "No conversations yet" in crewgraph("threads").stdout
    crewgraph("chat", crew_file, stdin="count\ncount again\n")
    crewgraph("run", crew_file, "count alone")
    (thread,) = json.loads(crewgraph("threads", "--json").stdout)["threads"]
    assert (thread["title"], thread["messages"]) == ("counting", 4)
    assert thread["id"] in crewgraph("threads").stdout
    assert thread["id"] in crewgraph("threads", "delete", thread["id"]).stdout
    assert [run["request"] for run in runs(crewgraph)] == ["count alone"]
    assert "No conversations yet" in crewgraph("threads").stdout
    again = crewgraph("threads", "delete", thread["id"])
    assert again.returncode == 2
    assert thread["id"] in again.stderr
    with closing(sqlite3.connect(home / "crewgraph.db")) as database:
        assert database.execute("SELECT count(DISTINCT run) FROM events").fetchone() == (1,)
