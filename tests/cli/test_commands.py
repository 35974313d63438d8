"""The commands do what their help says, in processes of their own and without a model."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

COMMANDS = (
    *("run", "chat", "serve", "resume", "questions", "answer"),
    *("show", "replay", "fork", "diff", "bisect", "runs", "threads", "cache", "worker", "engine", "doctor"),
)


def calls(crew_file: Path) -> list[str]:
    return crew_file.with_name("calls.txt").read_text().split()


def wait_for_second_call(crew_file: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if crew_file.with_name("calls.txt").exists() and "2" in calls(crew_file):
            return
        time.sleep(0.02)
    pytest.fail("the second task did not begin")


def test_help_lists_every_command_with_a_line_and_each_has_its_own(crewgraph: Run) -> None:
    said = crewgraph("--help").stdout
    assert crewgraph().stdout == said
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S+", said, re.MULTILINE)
        assert "--help" in crewgraph(command, "--help").stdout
    assert crewgraph("--version").stdout.startswith("crewgraph ")


def test_a_run_in_a_pipe_is_plain_lines_then_answer_evidence_and_summary(
    crewgraph: Run, crew_file: Path
) -> None:
    done = crewgraph("run", crew_file, "count to two")
    assert done.returncode == 0, done.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout)
    lines = done.stdout.splitlines()
    assert "one counter: started" in lines
    assert any(re.match(r"two \w+: done in \d", line) for line in lines)
    assert any(line.startswith("  evidence: ") for line in lines)
    assert re.fullmatch(r"run (\S+): .* s, \d+ tokens \(details: crewgraph show \1\)", lines[-1])


def test_json_output_is_one_object(crewgraph: Run, crew_file: Path) -> None:
    ran = json.loads(crewgraph("run", crew_file, "count to two", "--json").stdout)
    assert {"run_id", "thread_id", "answer", "evidence", "seconds", "tokens", "tasks"} <= set(ran)
    assert [task["state"] for task in ran["tasks"]] == ["finished", "finished"]
    assert ran["tasks"][1]["depends_on"] == ["one"]
    shown = json.loads(crewgraph("show", "last", "--json").stdout)
    assert shown["run_id"] == ran["run_id"]
    assert shown["answer"] == ran["answer"]
    assert shown["tasks"][0]["steps"][0]["inputs"] == {"n": 1}
    listed = json.loads(crewgraph("runs", "--json").stdout)
    assert [run["id"] for run in listed["runs"]] == [ran["run_id"]]


def test_json_output_is_one_object_even_when_the_crew_file_prints(crewgraph: Run, crew_file: Path) -> None:
    noise = "import subprocess\nprint('loading')\nsubprocess.run(['echo', 'from a child'])\n"
    crew_file.write_text(noise + crew_file.read_text())
    for command in (("run", crew_file, "count"), ("replay", "last"), ("resume", "last")):
        done = crewgraph(*command, "--json")
        assert json.loads(done.stdout)["answer"]
    assert "from a child" in done.stderr


def test_a_plan_can_be_seen_without_running_it(crewgraph: Run, crew_file: Path) -> None:
    plan = json.loads(crewgraph("run", crew_file, "count", "--plan-only", "--json").stdout)
    assert [task["id"] for task in plan["tasks"]] == ["one", "two"]
    assert "two" in crewgraph("run", crew_file, "count", "--plan-only").stdout
    assert not crew_file.with_name("calls.txt").exists()


def test_a_budget_stops_a_run_with_exit_code_3(crewgraph: Run, crew_file: Path) -> None:
    crew_file.with_name("gate").unlink()
    done = crewgraph("run", crew_file, "count", "--seconds", "0.5")
    assert done.returncode == 3
    assert "budget of 0.5 seconds" in done.stderr
    assert calls(crew_file) == ["1", "2"]
    over = crewgraph("run", crew_file, "count", "--tool-calls", "1")
    assert over.returncode == 2
    assert "the budget allows 1" in over.stderr


def test_show_tells_tasks_steps_inputs_and_outputs_by_id_prefix_or_last(
    crewgraph: Run, crew_file: Path
) -> None:
    run_id = json.loads(crewgraph("run", crew_file, "count to two", "--json").stdout)["run_id"]
    said = crewgraph("show", run_id).stdout
    assert said == crewgraph("show", run_id[:-1]).stdout == crewgraph("show").stdout
    for words in (run_id, "count to two", "数到一", "step tool:count", '{"n": 1}', "after one", "evidence: "):
        assert words in said
    assert "\x1b" not in said
    assert run_id in crewgraph("runs").stdout


def test_a_killed_run_resumes_without_repeating_and_replays_the_same_answer(
    crewgraph: Run, start: Start, crew_file: Path
) -> None:
    gate = crew_file.with_name("gate")
    gate.unlink()
    running = start("run", crew_file, "count to two")
    wait_for_second_call(crew_file)
    running.kill()
    running.wait()
    assert "interrupted" in crewgraph("runs").stdout
    gate.touch()
    resumed = json.loads(crewgraph("resume", "last", "--json").stdout)
    assert calls(crew_file) == ["1", "2", "2"]
    assert [task["state"] for task in resumed["tasks"]] == ["finished", "finished"]
    replayed = json.loads(crewgraph("replay", "last", "--json").stdout)
    assert replayed["answer"] == resumed["answer"]
    assert replayed["evidence"] == resumed["evidence"]
    assert calls(crew_file) == ["1", "2", "2"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_go_on(
    crewgraph: Run, start: Start, crew_file: Path, number: int, code: int
) -> None:
    crew_file.with_name("gate").unlink()
    running = start("run", crew_file, "count to two")
    wait_for_second_call(crew_file)
    running.send_signal(number)
    _, said = running.communicate(timeout=10)
    assert running.returncode == code
    found = re.search(r"stopped; continue with crewgraph resume (\S+)$", said.strip())
    assert found
    crew_file.with_name("gate").touch()
    assert crewgraph("resume", found[1]).returncode == 0


def test_a_chat_is_kept_and_can_be_continued(crewgraph: Run, crew_file: Path) -> None:
    first = crewgraph("chat", crew_file, stdin="count to two\n\n/quit\nnever asked\n")
    assert first.returncode == 0, first.stderr
    thread = first.stderr.split()[-1]
    again = crewgraph("chat", crew_file, "--thread", "last", stdin="count again")
    assert again.stderr.split()[-1] == thread
    runs = json.loads(crewgraph("runs", "--json").stdout)["runs"]
    assert [run["request"] for run in runs] == ["count again", "count to two"]
    assert {run["thread_id"] for run in runs} == {thread}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_served_crew_answers_the_official_client_and_stops_cleanly_in_time(
    crewgraph: Run, start: Start, crew_file: Path, number: int
) -> None:
    serving = start("serve", crew_file, "--port", "0")
    assert serving.stdout is not None
    url = serving.stdout.readline().split()[3]
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        asked: list[Any] = [{"role": "user", "content": "count to two"}]
        answer = client.chat.completions.create(model="counting", messages=asked)
        assert answer.choices[0].message.content
        crew_file.with_name("gate").unlink()
        crew_file.with_name("calls.txt").unlink()
        stream = client.chat.completions.create(model="counting", messages=asked, stream=True)
        wait_for_second_call(crew_file)
        began = time.monotonic()
        serving.send_signal(number)
        with pytest.raises(openai.APIError, match="stopping"):
            list(stream)
    _, said = serving.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert (serving.returncode, said) == (0, "")
    assert [run["status"] for run in json.loads(crewgraph("runs", "--json").stdout)["runs"]] == [
        "cancelled",
        "finished",
    ]


def test_doctor_checks_and_says_what_to_do(crewgraph: Run, home: Path) -> None:
    checks = json.loads(crewgraph("doctor", "--json").stdout)["checks"]
    names = {check["name"] for check in checks}
    assert {"python", "home folder", "database", "embedded engine"} <= names
    done = crewgraph("doctor", "--model-url", "http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert re.search(r"^problem +model server: .*127\.0\.0\.1:9", done.stdout, re.MULTILINE)
    home.rename(home.with_name("elsewhere"))
    home.write_text("a file where the folder should be")
    done = crewgraph("doctor")
    assert done.returncode == 1
    assert re.search(r"^problem +home folder: .*--home", done.stdout, re.MULTILINE)


def test_a_reader_that_leaves_early_hears_no_complaint_and_the_run_goes_on(
    crewgraph: Run, start: Start, crew_file: Path
) -> None:
    for arguments in (("--help",), ("run", crew_file, "count")):
        process = start(*arguments)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdout = None
        assert process.stderr.read() == ""
        process.wait(30)
    assert json.loads(crewgraph("runs", "--json").stdout)["runs"][0]["status"] == "finished"
