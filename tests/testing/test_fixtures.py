"""The plugin's fixtures, as a project of somebody's own has them."""

from __future__ import annotations

from pathlib import Path

from .test_live_models_are_forbidden import pytest_in

USED = '''
import pytest
from crewgraph import Agent, Crew, Task, tool
from crewgraph.agents.model import Message, ModelRequest
from crewgraph.testing import called

@tool
def double(n: int) -> int:
    """Twice a number."""
    return 2 * n

crew = Crew([Agent("clerk", "Count.", tools=[double])],
            tasks=[Task(description="two", tool="double", args={"n": 2}),
                   Task(description="say", agent="clerk", depends_on=("t1",))])

def test_a_crew_is_asked(crew_house, scripted_model):
    told = crew_house.run(crew, "Count.", scripted_model(["Counted."]))
    called(told.trace, "double", {"n": 2}, times=1)
    assert "4" in told.answer or "Counted" in told.answer

def test_replies_are_left_over(scripted_model):
    scripted_model(["never asked for"])
'''
RECORDED = """
import asyncio
from crewgraph.agents.model import Message, ModelRequest

def test_reply(recorded_model):
    asyncio.run(recorded_model.complete(ModelRequest((Message("user", "hello"),))))
"""
LINE = (
    '{"call": "complete", "asked": {"messages": [{"role": "user", "content": "hello"}], "model": null, "max_tokens": 256,'
    ' "temperature": 0.0, "seed": 0, "stop": [], "schema": null, "choices": []}, "gave": {"text": "hi"}}\n'
)


def test_crews_are_asked_and_unused_replies_fail_the_test(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, USED, "-rA")
    assert "2 passed, 1 error" in done.stdout, done.stdout
    assert "1 scripted reply was never asked for" in done.stdout


def test_a_recording_lies_beside_its_test(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, RECORDED)
    assert "there is no recording" in done.stdout
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "test_asked-test_reply.jsonl").write_text(LINE)
    assert "1 passed" in pytest_in(tmp_path, RECORDED).stdout
