"""`crewgraph engine …`: what people and programs read, and how commands end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crewgraph.serving.cli.commands.engine import app
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


@pytest.mark.engine
def test_pull_start_status_list_stop(home: Settings) -> None:
    pulled = json.loads(run(home.home, "pull", "--json").stdout)
    assert pulled["model"] == "smollm2-135m-instruct"
    assert Path(pulled["path"]).stat().st_size == pulled["bytes"]
    started = json.loads(run(home.home, "start", "--json", "--threads", "1", "--slots", "2").stdout)
    assert started["url"].startswith("http://127.0.0.1:")
    assert f"at {started['url']} (pid {started['pid']}" in run(home.home, "status").stdout
    assert started["url"] in run(home.home, "list").stdout
    assert json.loads(run(home.home, "stop", "--json").stdout) == {"engine": "embedded", "stopped": True}
    assert "not running" in run(home.home, "status").stdout
