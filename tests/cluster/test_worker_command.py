"""`crewgraph worker`: starts, carries a crew's runs, joins again after it was cut off, and says what is wrong."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewgraph import House, Settings
from crewgraph.runtime.events import StepFinished
from crewgraph.serving.crewfile import load_crew

from ..postgres import execute

CREW = Path(__file__).with_name("shop_crew.py")
MAIN = (sys.executable, "-m", "crewgraph.serving.cli.main")


class Command:
    """`crewgraph worker` in a process of its own."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*MAIN, "worker", "--home", str(home), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def name(self) -> str:
        """Wait until it takes work; the name that it gives itself."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("Worker "), said
        assert said.endswith("takes work from runs, tasks (Ctrl-C stops it).\n")
        return said.split()[1]


@pytest.fixture
def command(postgres_url: str, tmp_path: Path) -> Iterator[Command]:
    made = Command(tmp_path, "--database", postgres_url, "--grace", "1")
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


def failed(*arguments: str, blocked: str = "") -> tuple[int, str]:
    """The exit code and the error of a worker that cannot start; `blocked` is a package that is not there."""
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({[blocked] if blocked else []!r})); "
        "from crewgraph.serving.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "worker", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


async def test_a_crews_run_on_the_cluster_has_the_answer_it_has_at_home(
    command: Command, postgres_url: str, tmp_path: Path
) -> None:
    from crewgraph.runtime.cluster.cluster import Cluster
    from crewgraph.serving.cluster import ask, hands

    await asyncio.to_thread(command.name)
    async with House.open(Settings(home=tmp_path / "home"), engine=False) as house:
        expected = await house.ask(load_crew(CREW), "What do a pen and ink cost?", planner="rules")
    settings = Settings(home=tmp_path, database_url=postgres_url)
    async with (
        House.open(settings, engine=False) as house,
        Cluster.open(postgres_url, house.store) as cluster,
    ):
        outcome = await ask(house, cluster, str(CREW), "What do a pen and ink cost?", planner="rules")
        half = await house.ask(
            load_crew(CREW),
            "What do a pen and ink cost?",
            planner="rules",
            crew_path=str(CREW),
            hands=hands(cluster),
        )
        steps = {
            run_id: sum(isinstance(event, StepFinished) and event.task_id != "" for event in events)
            for run_id in (outcome.run_id, half.run_id)
            for events in [await house.store.events(run_id)]
        }
    assert "7" in expected.answer
    for found in (outcome, half):
        assert (found.answer, found.evidence) == (expected.answer, expected.evidence)
        assert steps[found.run_id] == 3

    command.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(command.process.wait, 30) == 0


async def test_a_run_from_the_command_line_has_its_tasks_carried_by_workers(
    command: Command, postgres_url: str, tmp_path: Path
) -> None:
    await asyncio.to_thread(command.name)
    (tmp_path / "mine").mkdir()
    asked = await asyncio.create_subprocess_exec(
        *(*MAIN, "--home", str(tmp_path / "mine"), "--database", postgres_url, "run", str(CREW)),
        *("What do a pen and ink cost?", "--planner", "rules", "--cluster", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, error = await asked.communicate()
    assert (asked.returncode, error) == (0, b"")
    assert "7" in json.loads(told)["answer"]
    run_id = json.loads(told)["run_id"]
    async with House.open(Settings(home=tmp_path, database_url=postgres_url), engine=False) as house:
        carried = await house.store.find_run(f"{run_id}.both")
    assert carried.parent == run_id, "a task has a journal of its own, where it was carried"


async def test_a_worker_that_was_cut_off_joins_again_under_another_name(
    command: Command, postgres_url: str
) -> None:
    first = await asyncio.to_thread(command.name)
    execute(
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE application_name = '{first} listens' AND datname = current_database()",
    )
    assert await asyncio.to_thread(command.name) != first
    assert command.process.poll() is None
    command.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(command.process.wait, 30) == 0
    assert command.process.stderr is not None
    assert "cut off from the database" in command.process.stderr.read()


def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path))
    somewhere = ("--database", "postgresql://nobody@127.0.0.1:1/nowhere")
    for arguments, said in (
        (home, "A cluster works on PostgreSQL: give --database postgresql://user@host/name"),
        ((*home, "--database", f"sqlite:///{tmp_path}/runs.db"), "A cluster works on PostgreSQL"),
        ((*home, *somewhere, "--queue", "gpu=0"), "'gpu=0' is no queue"),
        ((*home, *somewhere), "cannot be used"),
    ):
        code, error = failed(*arguments)
        assert (code, error.count("\n")) == (2, 1), error
        assert said in error


def test_without_the_extra_the_sentence_has_the_command_that_installs_it(tmp_path: Path) -> None:
    code, error = failed(
        "--home", str(tmp_path), "--database", "postgresql://nobody@127.0.0.1:1/nowhere", blocked="dbos"
    )
    assert code == 2
    assert (
        error == 'crewgraph: A worker needs DBOS, which is not installed: pip install "crewgraph[cluster]".\n'
    )
