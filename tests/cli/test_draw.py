"""`crewgraph draw` shows how an architecture goes, or how the agents of a crew file work, and starts nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from crewgraph.agents.architectures import NAMES

Run = Callable[..., "subprocess.CompletedProcess[str]"]

CREW = '''
from crewgraph import Agent, Crew
from crewgraph.agents.architectures.architecture import Concluded
from crewgraph.agents.architectures.reflection import Reflection


class Foreign:
    """A way of working that has no graph of ours."""

    name = "foreign"

    def most_calls(self, agent):
        return None

    async def conclude(self, desk):
        return Concluded("done")


crew = Crew(
    [
        Agent("clerk", "Know prices.", architecture="react", max_turns=3),
        Agent("poet", "Write.", architecture=Reflection(rounds=4)),
        Agent("critic", "Judge.", architecture=Reflection(rounds=4)),
        Agent("guest", "Help.", architecture=Foreign()),
        Agent("host", "Answer."),
    ]
)
'''


@pytest.fixture
def crew_of_all(tmp_path: Path) -> Path:
    file = tmp_path / "all.py"
    file.write_text(CREW)
    return file


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_is_a_flowchart(crewgraph: Run, name: str, home: Path) -> None:
    done = crewgraph("draw", name)
    assert done.returncode == 0, done.stderr
    assert "graph TD;" in done.stdout
    assert f"%% {name}\n" in done.stdout
    assert done.stdout.startswith("---\n"), "Mermaid wants its settings first"
    assert not home.exists()


def test_text_says_where_each_node_leads_and_what_it_costs_at_most(crewgraph: Run) -> None:
    done = crewgraph("draw", "supervisor", "--format", "text")
    assert done.stdout.splitlines() == [
        "supervisor",
        "At most 40 model calls.",
        "  start -> decide",
        "  decide -> answer or delegate",
        "  delegate -> decide",
        "  answer -> end",
    ]


def test_a_crew_s_agents_are_drawn_each_way_of_working_once(crewgraph: Run, crew_of_all: Path) -> None:
    done = crewgraph("draw", str(crew_of_all), "--format", "text")
    assert done.returncode == 0, done.stderr
    clerk, poet, guest, host = done.stdout.rstrip().split("\n\n")
    assert clerk.startswith("clerk: react\nAt most 4 model calls.\n  start -> turn")
    assert poet.startswith("poet, critic: reflection\nAt most 9 model calls.\n  start -> draft")
    assert guest == "guest: foreign\nIt has no graph that could be drawn: another framework works there."
    assert host.startswith("host: none\nIt has no architecture")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("reflexion", "did you mean 'reflection'?"),
        ("xyzzy", "There is no architecture"),
        ("nowhere.py", "no crew file"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(crewgraph: Run, what: str, words: str) -> None:
    done = crewgraph("draw", what)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line
