"""Bad input ends with exit code 2 and one clear sentence on stderr, without a traceback."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from crewgraph.serving.cli.failure import Failure

Run = Callable[..., "subprocess.CompletedProcess[str]"]

HEAD = "from crewgraph import Agent, Crew, Task\na = Agent('analyst', 'compare')\n"


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("crewgraph: ")
    assert done.stderr.count("\n") == 1
    for words in said:
        assert words in done.stderr


def test_a_crew_file_that_cannot_be_used(crewgraph: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    refused(crewgraph("run", file, "hello"), "no crew file", str(file))
    file.write_text("import nothing_of_that_name\n")
    refused(crewgraph("run", file, "hello"), f"{file}, line 1", "nothing_of_that_name")
    file.write_text(f"{HEAD}crew = Crew([a], tasks=[Task(description='x', agent='poet')])\n")
    refused(crewgraph("run", file, "hello"), f"{file}, line 3", "'poet'")
    file.write_text(f"{HEAD}crew = Crew([a], tasks=[Task(description='x', tool='guess')])\n")
    refused(crewgraph("chat", file), f"{file}, line 3", "'guess'")
    circle = (
        "Task(id='a', description='', depends_on=('b',)), Task(id='b', description='', depends_on=('a',))"
    )
    file.write_text(f"{HEAD}crew = Crew([a], tasks=[{circle}])\n")
    refused(crewgraph("serve", file, "--port", "0"), f"{file}, line 3", "circle")


def test_an_empty_a_huge_and_a_binary_request(crewgraph: Run, crew_file: Path) -> None:
    refused(crewgraph("run", crew_file, "  \n"), "request is empty")
    refused(crewgraph("run", crew_file, "-", stdin="x" * 1_000_000), "longer than 64,000 characters")
    refused(crewgraph("run", crew_file, "-", stdin="多" * 100_001), "longer than 64,000 characters")
    refused(crewgraph("run", crew_file, b"\xff".decode(errors="surrogateescape")), "not UTF-8")


def test_an_unknown_run_thread_command_or_option(crewgraph: Run, crew_file: Path) -> None:
    for command in (
        ("show", "r-nothing"),
        ("replay", "r-nothing"),
        ("resume", "r-nothing"),
        ("questions", "r-nothing"),
        ("answer", "r-nothing", "--approve"),
        ("fork", "r-nothing", "--at", "plan"),
        ("diff", "r-nothing", "last"),
        ("bisect", "r-nothing", "last"),
        ("runs", "delete", "r-nothing"),
        ("runs", "verify", "r-nothing"),
        ("runs", "export", "r-nothing"),
        ("threads", "delete", "t-nothing"),
    ):
        refused(crewgraph(*command), next(word for word in command if word.endswith("-nothing")))
    refused(crewgraph("run", crew_file, "count", "--thread", "t-nothing"), "t-nothing")
    refused(crewgraph("chat", crew_file, "--thread", "last"), "no conversation")
    refused(crewgraph("walk"), "'walk'", "--help")
    refused(crewgraph("run", crew_file), "REQUEST", "--help")
    refused(crewgraph("run", crew_file, "count", "--planner", "magic"), "magic")
    refused(crewgraph("run", crew_file, "count", "--soft", "0.8"), "--soft", "--tokens")
    refused(crewgraph("runs", "walk"), "'walk'", "--help")


def test_a_port_in_use(crewgraph: Run, crew_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(crewgraph("serve", crew_file, "--port", port), f"Port {port}", "in use")


def test_a_model_server_that_is_not_there(crewgraph: Run, tmp_path: Path) -> None:
    file = tmp_path / "talk.py"
    file.write_text("from crewgraph import Agent, Crew\ncrew = Crew([Agent('friend', 'talk')])\n")
    done = crewgraph("run", file, "hello there", "--model-url", "http://127.0.0.1:9/v1")
    assert done.returncode == 2
    assert done.stderr.startswith("crewgraph: ")
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_models_file_that_cannot_be_used(crewgraph: Run, crew_file: Path, home: Path) -> None:
    file = home / "models.toml"
    home.mkdir(exist_ok=True)
    file.write_text('[engine.gpu]\nulr = "http://127.0.0.1:9/v1"\n')
    refused(crewgraph("run", crew_file, "hello"), f"{file}: engine.gpu.ulr: there is nothing of that name")
    file.write_text('[engine.gpu]\nurl = "http://127.0.0.1:9/v1"\nkey_env = "NO_KEY_IS_HERE"\n')
    talk = home / "talk.py"
    talk.write_text("from crewgraph import Agent, Crew\ncrew = Crew([Agent('friend', 'talk')])\n")
    done = crewgraph("run", talk, "hello there")
    assert done.returncode == 2, done
    assert "NO_KEY_IS_HERE, which is not set" in done.stderr


def test_a_corrupt_database_is_set_aside_and_said(crewgraph: Run, crew_file: Path, home: Path) -> None:
    home.mkdir()
    (home / "crewgraph.db").write_bytes(b"not a database at all " * 1000)
    refused(crewgraph("run", crew_file, "count"), "set aside")
    kept = [
        file for file in home.iterdir() if file.is_file() and b"not a database at all" in file.read_bytes()
    ]
    assert len(kept) == 1
    assert kept[0].name != "crewgraph.db"
    assert crewgraph("run", crew_file, "count").returncode == 0


def test_with_json_the_error_is_one_object_too(crewgraph: Run, home: Path) -> None:
    import json

    done = crewgraph("show", "r-nothing", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "not_found"


def test_with_debug_the_traceback_is_shown_wherever_the_option_stands(crewgraph: Run) -> None:
    for arguments in (("--debug", "show", "r-nothing"), ("show", "r-nothing", "--debug")):
        done = crewgraph(*arguments)
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("crewgraph: ")


def test_what_nobody_foresaw_is_one_sentence_that_names_debug() -> None:
    failure = Failure.of(ZeroDivisionError("division\nby zero"))
    assert failure.exit_code == 1
    assert "ZeroDivisionError: division by zero" in failure.sentence
    assert "--debug" in failure.sentence
    assert "\n" not in failure.sentence
