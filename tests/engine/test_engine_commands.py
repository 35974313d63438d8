"""`crewgraph engine …`: what people and programs read, and how commands end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crewgraph.serving.cli.commands.engine import app
from crewgraph.serving.cli.commands.engines.looking import described
from crewgraph.serving.cli.main import main
from crewgraph.serving.engines import EngineStatus
from crewgraph.serving.engines.keeping.probe import Load
from crewgraph.serving.settings import Settings


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"CREWGRAPH_HOME": str(home), "CREWGRAPH_MODEL_URL": ""})


def test_an_empty_home_is_described_and_stays_empty(tmp_path: Path) -> None:
    assert "embedded: not running" in run(tmp_path, "status").stdout
    assert json.loads(run(tmp_path, "status", "--json").stdout)["running"] is False
    listed = json.loads(run(tmp_path, "list", "--json").stdout)["engines"]
    assert [(engine["name"], engine["model_present"]) for engine in listed] == [
        ("embedded", False),
        ("vllm", False),
    ]
    assert run(tmp_path, "stop").stdout == "embedded did not run\n"
    assert "has no log yet" in str(run(tmp_path, "logs").exception)
    assert list(tmp_path.iterdir()) == []


def test_vllm_that_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    result = run(tmp_path, "start", "vllm")
    assert "crewgraph engine install vllm" in str(result.exception)
    assert getattr(result.exception, "exit_code", None) == 2


@pytest.mark.parametrize(
    "arguments", [("start", "ollama"), ("install", "embedded"), ("start", "--port", "70000")]
)
def test_what_does_not_exist_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, *arguments).exit_code == 2


@pytest.mark.parametrize("adapter", ["lawyer", "=path", "a/b=path", "lawyer="])
def test_an_adapter_without_name_or_path_is_refused(tmp_path: Path, adapter: str) -> None:
    result = run(tmp_path, "start", "--adapter", adapter)
    assert "write NAME=PATH" in str(result.exception)


def test_what_runs_and_what_went_wrong_are_lines_that_people_can_use() -> None:
    status = EngineStatus(
        "vllm",
        installed=True,
        model_present=True,
        running=True,
        model="m",
        url="http://127.0.0.1:1/v1",
        pid=7,
        started=1000.0,
        ready_s=61.25,
        kept=True,
        adapters=("lawyer", "poet"),
        restarts=2,
        fault="it was killed by SIGKILL",
        load=Load(3, 9, 0.42),
    )
    assert described(status, 1000.0 + 3 * 3600 + 125) == [
        "vllm: running",
        "  serves m at http://127.0.0.1:1/v1 (pid 7, until 'crewgraph engine stop')",
        "  adapters: lawyer, poet",
        "  up for 3 h 2 min, was ready after 61.2 s",
        "  requests: 3 running, 9 waiting; KV cache: 42% in use",
        "  started again 2 times, the last time because it was killed by SIGKILL",
        "  installed: yes, model pulled: yes",
    ]


@pytest.mark.engine
def test_pull_start_status_list_logs_stop(home: Settings) -> None:
    pulled = json.loads(run(home.home, "pull", "--json").stdout)
    assert pulled["model"] == "smollm2-135m-instruct"
    assert Path(pulled["path"]).stat().st_size == pulled["bytes"]
    started = json.loads(run(home.home, "start", "--json", "--threads", "1", "--slots", "2").stdout)
    assert started["url"].startswith("http://127.0.0.1:")
    told = run(home.home, "status").stdout
    assert f"at {started['url']} (pid {started['pid']}" in told
    assert "requests: 0 running, 0 waiting" in told
    assert started["url"] in run(home.home, "list").stdout
    assert f"the engine answers at {started['url']}" in run(home.home, "logs", "-n", "5").stdout
    assert json.loads(run(home.home, "stop", "--json").stdout) == {"engine": "embedded", "stopped": True}
    assert "not running" in run(home.home, "status").stdout
    assert "stopped" in run(home.home, "logs", "-n", "1").stdout, "the log outlives the engine"


@pytest.mark.engine
def test_any_gguf_file_is_served_under_a_name_of_its_own(home: Settings, models_dir: Path) -> None:
    """By the whole command: `--model` of `engine start` is its own, not the one that stands before all commands."""
    file = next(models_dir.glob("*/*.F16.gguf"))
    code = main(
        ["--home", str(home.home), "engine", "start", "--model", str(file), "--name", "mine", "--json"]
    )
    assert code == 0
    status = json.loads(run(home.home, "status", "--json").stdout)
    assert status["model"] == "mine"
    other = run(home.home, "start", "--model", "/another.gguf")
    assert "already runs and serves" in str(other.exception)
    assert run(home.home, "start", "--model", str(file)).exit_code == 0, "the same again is no contradiction"
    flags = run(home.home, "stop"), run(home.home, "start", "embedded", "--", "--dtype", "half")
    assert "takes no flags of its own" in str(flags[1].exception)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("content", "message"), [(None, "There is no model at"), (b"PK\x03\x04", "is no GGUF file")]
)
def test_a_model_that_cannot_be_served_is_one_sentence(
    home: Settings, content: bytes | None, message: str
) -> None:
    file = home.home / "model.gguf"
    if content is not None:
        file.write_bytes(content)
    result = run(home.home, "start", "--model", str(file))
    assert message in str(result.exception)
    assert getattr(result.exception, "exit_code", None) == 2


def test_a_log_is_followed_as_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "engines" / "vllm.log"
    log.parent.mkdir()
    log.write_text("one\ntwo\n")
    command = [sys.executable, "-m", "crewgraph.serving.cli.main", "engine", "logs", "vllm", "-f", "-n", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"CREWGRAPH_HOME": str(tmp_path)}
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "two\n"
        log.rename(log.with_name("vllm.log.1"))
        time.sleep(0.1)
        log.write_text("three\n")
        assert reader.stdout.readline() == "three\n"
        reader.send_signal(signal.SIGTERM)
