"""One run of several frameworks is killed at random moments, resumed and replayed; nothing is asked or done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crewgraph.serving.settings import Settings

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "mixed_crew.py"


def killed(folder: Path, *arguments: str, **environment: str) -> dict[str, float]:
    """The benchmark's figures."""
    made = subprocess.run(
        [sys.executable, str(BENCHMARK), "--json", "-", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    figures: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
    assert figures["wrong"] == 0, made.stdout
    return figures


def check(figures: dict[str, float], kills: int) -> None:
    assert (figures["kills"], figures["resumed"]) == (kills, kills)
    assert (figures["repeated_calls"], figures["doubled_effects"], figures["replay_calls"]) == (0, 0, 0)


def test_nothing_is_repeated_with_a_scripted_model(tmp_path: Path) -> None:
    check(killed(tmp_path, "--quick", CREWGRAPH_HOME=str(tmp_path)), 3)


@pytest.mark.engine
def test_nothing_is_repeated_on_the_embedded_engine(tmp_path: Path, shared_home: Settings) -> None:
    check(killed(tmp_path, "--kills", "2", "--embedded", CREWGRAPH_HOME=str(shared_home.home)), 2)


@pytest.mark.vllm
def test_nothing_is_repeated_on_vllm(tmp_path: Path, vllm_url: str) -> None:
    check(killed(tmp_path, "--kills", "5", "--url", vllm_url, CREWGRAPH_HOME=str(tmp_path)), 5)
