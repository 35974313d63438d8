"""CrewAI's agents.yaml and tasks.yaml become a crew of ours, whether CrewAI is installed or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from crewgraph import tool
from crewgraph.runtime.errors import InvalidCrew
from crewgraph.serving.crewfiles.crewai import Imported, from_crewai_files
from crewgraph.testing import CrewHouse, plan_of

AGENTS = """\
researcher:
  role: >
    {topic} Researcher
  goal: >
    Find out what is new in {topic}
  backstory: >
    You know where to look. Answer in JSON like {"a": 1} only when asked.
  tools: [look_up]
  max_iter: 3
  allow_delegation: true
  llm: openai/gpt-4o
editor:
  role: Editor
  goal: Make a clear report on {topic}
  backstory: Precise.
  verbose: true
"""
TASKS = """\
research_task:
  description: >
    Research {topic}.
  expected_output: Bullet points.
  agent: researcher
history_task:
  description: Tell the history of {topic}.
  expected_output: A paragraph.
  agent: editor
  async_execution: true
report_task:
  description: Report on {topic}.
  expected_output: A report.
  agent: editor
  context:
    - research_task
    - history_task
  output_pydantic: Report
  guardrail: It has a title.
  output_file: report.md
"""


class Report(BaseModel):
    title: str


@tool
def look_up(word: str) -> str:
    """What is known about a word."""
    return f"{word} is green"


NAMES: dict[str, Any] = {"look_up": look_up, "Report": Report}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "agents.yaml").write_text(AGENTS)
    (tmp_path / "tasks.yaml").write_text(TASKS)
    return tmp_path


def imported(project: Path, **more: Any) -> Imported:
    given = {"inputs": {"topic": "Tea"}, "names": NAMES} | more
    return from_crewai_files(project / "agents.yaml", project / "tasks.yaml", **given)


def test_everything_in_the_files_is_taken_over_or_said(project: Path) -> None:
    found = imported(project)
    researcher, editor, *twins = found.crew.agents
    assert (researcher.role, researcher.goal) == ("Tea Researcher", "Find out what is new in Tea")
    assert '{"a": 1}' in researcher.backstory, "braces of JSON are no placeholders"
    assert (researcher.max_turns, researcher.delegates, researcher.tools) == (3, True, [look_up])
    assert [t.id for t in found.crew.tasks] == ["research_task", "history_task", "report_task"]
    assert [t.depends_on for t in found.crew.tasks] == [
        (), ("research_task",), ("research_task", "history_task"),
    ]  # fmt: skip
    assert (editor.role, [one.output_type for one in twins]) == ("Editor", [Report])
    assert list(found.crew.guardrails) == ["report_task"]
    said = "\n".join(found.said)
    assert all(word in said for word in ("gpt-4o", "verbose", "output_file", "twin"))


async def test_the_imported_crew_runs(project: Path, tmp_path: Path) -> None:
    found = imported(project)
    script = {
        "Tea Researcher": lambda r: {"tool": "finish"} if r.schema else "Tea is green.",
        "Editor": lambda _: "Answer: Tea is old.",
        "Editor (report_task)": lambda r: {"title": "Tea"} if r.schema else "Answer: Tea.",
        "": lambda r: "yes" if r.choices else "fine",
    }
    told = await CrewHouse(tmp_path / "home").ask(found.crew, found.request, script)
    assert json.loads(told.answer) == {"title": "Tea"}
    assert [t.id for t in plan_of(told.trace)] == ["research_task", "history_task", "report_task"]


def test_a_hierarchical_crew_is_led_by_the_one_that_is_named(project: Path) -> None:
    (project / "tasks.yaml").write_text(
        "all:\n  description: Report on {topic}.\n  expected_output: A report.\n"
    )
    found = imported(project, process="hierarchical", manager="editor")
    assert found.crew.manager is not None
    assert (found.crew.manager.role, [a.role for a in found.crew.agents]) == ("Editor", ["Tea Researcher"])


@pytest.mark.parametrize(
    ("file", "slip", "said"),
    [
        ("tasks.yaml", ("agent: researcher", "agent: reseacher"), r"line 5, column 10: .*'reseacher'; .* 'researcher'"),
        ("tasks.yaml", ("- history_task", "- histori_task"), r"line 17, column 7: .*'histori_task'.* 'history_task'"),
        ("tasks.yaml", ("Report\n  guard", "Raport\n  guard"), r"the type 'Raport' means nothing here: .*names="),
        ("agents.yaml", ("[look_up]", "[lookup]"), r"line 8, column 11: the tool 'lookup' means nothing here"),
        ("agents.yaml", ("goal: >\n    Find out what is new in {topic}", "max_rpm: 3"), r"has no goal"),
        ("agents.yaml", ("researcher:\n  role", "researcher:\n  role: x\n  role"), r"the key 'role' is there twice"),
    ],
)  # fmt: skip
def test_a_slip_is_said_with_its_place(project: Path, file: str, slip: tuple[str, str], said: str) -> None:
    text = (project / file).read_text()
    assert slip[0] in text
    (project / file).write_text(text.replace(*slip, 1))
    with pytest.raises(InvalidCrew, match=said):
        imported(project)


def test_a_key_that_crewai_does_not_know_is_said_with_the_nearest(project: Path) -> None:
    (project / "agents.yaml").write_text(AGENTS.replace("max_iter", "max_itr"))
    assert any(
        one.startswith("agents.yaml, line 9, column 3: 'max_itr' is not known; the nearest is 'max_iter'")
        for one in imported(project).said
    )


def test_a_missing_input_is_named_with_the_nearest(project: Path) -> None:
    with pytest.raises(InvalidCrew, match=r"needs the input 'topic'; of inputs the nearest is 'topics'"):
        imported(project, inputs={"topics": "Tea"})
