"""`crewgraph eval` as people type it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Two cases: one that the counting crew passes, one that it does not."""
    file = tmp_path / "cases.jsonl"
    told: list[dict[str, Any]] = [
        {"id": "right", "input": "count to two", "tools": {"mode": "exact", "calls": ["count", "count"]}},
        {
            "id": "wrong",
            "input": "count again",
            "tools": ["total"],
            "expected": "many",
            "scorers": ["contains"],
        },
    ]
    file.write_text("\n".join(map(json.dumps, told)))
    return file


def test_a_table_for_people_and_where_the_record_is(crewgraph: Run, crew_file: Path, cases: Path) -> None:
    done = crewgraph("eval", crew_file, "--dataset", cases)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout)
    assert re.search(r"^trajectory +0\.500 ", done.stdout, re.MULTILINE)
    assert re.search(r"^passed all +0\.500 ", done.stdout, re.MULTILINE)
    assert re.search(
        r"^  wrong: .*called: count, count .*\(crewgraph show r-\S+\)$", done.stdout, re.MULTILINE
    )
    record = Path(done.stdout.splitlines()[-1].removeprefix("record: "))
    assert record.is_file()
    run = json.loads(record.read_text().splitlines()[-1])["run_id"]
    assert json.loads(crewgraph("show", run, "--json").stdout)["status"] == "finished"
    assert crewgraph("replay", run).returncode == 0
    again = crewgraph("eval", crew_file, "--dataset", cases)
    assert "2 trials were done before" in again.stderr
    assert again.stdout == done.stdout


def test_json_is_one_object_and_html_one_file(
    crewgraph: Run, crew_file: Path, cases: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    crew_file.write_text("print('noise')\n" + crew_file.read_text())
    done = crewgraph("eval", crew_file, "--dataset", cases, "--json", "--html", page, "--parallel", 2)
    found = json.loads(done.stdout)
    assert (found["cases"], found["trials"], found["ended"]) == (2, 2, {"finished": 2})
    assert found["scorers"]["trajectory"]["mean"] == 0.5
    assert [result["case"] for result in found["results"]] == ["right", "wrong"]
    assert page.read_text().startswith("<!doctype html>")


def test_a_score_under_the_floor_exits_with_1(crewgraph: Run, crew_file: Path, cases: Path) -> None:
    asked = ("eval", crew_file, "--dataset", cases, "--fail-under")
    assert crewgraph(*asked, "trajectory=0.5").returncode == 0
    low = crewgraph(*asked, "trajectory=0.6", "--fail-under", "passed=0.4")
    assert low.returncode == 1
    assert low.stderr.splitlines()[-1] == "crewgraph: trajectory is 0.500, under 0.6"
    unknown = crewgraph(*asked, "semantic=0.5")
    assert unknown.returncode == 2
    assert "these were scored" in unknown.stderr


def test_two_crews_in_one_command_and_two_records_later(
    crewgraph: Run, crew_file: Path, cases: Path, tmp_path: Path
) -> None:
    other = tmp_path / "quiet.py"
    other.write_text(crew_file.read_text().replace('name="counting"', 'name="quiet"'))
    done = crewgraph("eval", other, "--dataset", cases, "--compare", crew_file, "--out", tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    assert "no difference shown" in done.stdout
    records = sorted((tmp_path / "kept").glob("*.jsonl"))
    assert len(records) == 2
    again = crewgraph("eval", records[1], "--compare", records[0], "--json")
    found = json.loads(again.stdout)["comparison"]
    assert found["pairs"] == 2
    assert found["scores"]["trajectory"]["verdict"] == "no difference shown"
    assert found["scores"]["trajectory"]["interval"] == [0, 0]
    assert found["interval"]["level"] == 0.95


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "give --dataset"),
        (("--dataset", "CASES", "--scorer", "exat"), "did you mean 'exact'?"),
        (("--dataset", "CASES", "--scorer", "semantic,threshold"), "is no option"),
        (("--dataset", "CASES", "--fail-under", "exact"), "write SCORER=MEAN"),
        (("--dataset", "CASES", "--fail-under", "exact=2"), "write SCORER=MEAN"),
        (("--dataset", "nowhere.jsonl"), "cannot be read"),
        (("--dataset", "CASES", "--compare", "nowhere.jsonl"), "cannot be read"),
        (("--dataset", "CASES", "--compare", "CASES"), "is no record of an evaluation"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    crewgraph: Run, crew_file: Path, cases: Path, more: tuple[str, ...], said: str
) -> None:
    done = crewgraph("eval", crew_file, *(str(cases) if part == "CASES" else part for part in more))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_killed_in_the_middle_the_same_command_goes_on(
    start: Start, crewgraph: Run, crew_file: Path, cases: Path, home: Path
) -> None:
    gate, calls = crew_file.with_name("gate"), crew_file.with_name("calls.txt")
    gate.unlink()
    process = start("eval", crew_file, "--dataset", cases)
    until = time.monotonic() + 30
    while not (calls.exists() and "2" in calls.read_text()):
        assert time.monotonic() < until, "the second call never began"
        time.sleep(0.02)
    time.sleep(0.5)  # read-only steps are not waited for: what was over half a second ago is on the disk
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (record,) = (home / "evaluations").glob("*.jsonl")
    (begun,) = (json.loads(line) for line in record.read_text().splitlines()[1:])
    assert begun["ended"] is None
    gate.touch()
    done = crewgraph("eval", crew_file, "--dataset", cases, "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results[0]["run_id"] == begun["run_id"]
    assert results[0]["scores"]["trajectory"]["passed"] is True
    assert calls.read_text().split() == ["1", "2", "2", "1", "2"], "the call that was over is not made again"


def test_stopped_it_says_how_to_go_on(start: Start, crew_file: Path, cases: Path) -> None:
    gate, calls = crew_file.with_name("gate"), crew_file.with_name("calls.txt")
    gate.unlink()
    process = start("eval", crew_file, "--dataset", cases)
    until = time.monotonic() + 30
    while not (calls.exists() and "2" in calls.read_text()):
        assert time.monotonic() < until, "the second call never began"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "crewgraph: stopped; the same command goes on where it was"
