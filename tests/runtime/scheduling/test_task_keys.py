"""A task's key stays what release 0.1.0 made of it, so that runs begun then go on; policies stay outside."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.runtime.policy import Allowance, Condition, Retry
from crewgraph.runtime.scheduling.keys import result_digest, task_key

TASKS = [
    Task(id="plain", description="Say hello."),
    Task(
        id="z-1.x_y",
        description='Zürich, 東京 "quoted" \n',
        expected_output="one line",
        agent="writer",
        tool="look_up",
        args={
            "n": 3,
            "ratio": 0.1,
            "large": 1e16,
            "small": 1e-07,
            "none": None,
            "yes": True,
            "list": [1, {"b": 2, "a": "ü"}],
            "money": "costs $5",
            "literal": "$$x",
            "inf": float("inf"),
        },
    ),
    Task(
        id="after",
        description="d",
        depends_on=("plain", "z-1.x_y", "plain"),
        args={"x": "$plain.n", "y": ["$plain"]},
    ),
    Task(id="last", description="d", depends_on=("after",)),
]

KEYS = {  # written down from what release 0.1.0 journalled for these tasks and this worker
    "plain": "0f06db63937ce4c72bee260d0c3fd6e4",
    "z-1.x_y": "277a78065d6017b2fea99ccbe65f988b",
    "after": "0d01def4c9befb021b4ee23faa58d2d1",
    "last": "e6e0704cb1a80067f8aa28301439fc7c",
}


async def worker(task: Task, ctx: RunContext) -> TaskResult:
    value: Any = {"n": 7, "ü": [1.5, None, float("inf")]} if task.id == "plain" else task.id
    return TaskResult(value=value, text="ü\u2028 said", evidence=("one", "two"))


def test_the_keys_are_those_of_release_0_1_0(trial: Any) -> None:
    trial.sitting(TASKS, worker)
    assert {event.task_id: event.key for event in trial.of("task_finished")} == KEYS


def test_policies_do_not_change_a_key(trial: Any) -> None:
    policies = {
        "retry": Retry(wait=0),
        "timeout": 5.0,
        "allowance": Allowance(tokens=9),
        "expected_seconds": 3.0,
        "when": Condition(value=1, test="equals", to=1),
    }
    trial.sitting([task.model_copy(update=policies) for task in TASKS], worker)
    assert {event.task_id: event.key for event in trial.of("task_finished")} == KEYS


class OldTask(BaseModel):
    """The task as release 0.1.0 had it."""

    id: str = ""
    description: str
    expected_output: str = ""
    agent: str | None = None
    depends_on: tuple[str, ...] = ()
    tool: str | None = None
    args: dict[str, JsonValue] = Field(default_factory=dict)


whole_text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | whole_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(whole_text, inner, max_size=3),
    max_leaves=8,
)


@given(
    description=whole_text,
    agent=st.none() | whole_text,
    args=st.dictionaries(whole_text, values, max_size=4),
    result=values,
    text=whole_text,
)
@settings(max_examples=200, deadline=None)
def test_any_task_has_the_key_it_had(
    description: str, agent: str | None, args: dict[str, Any], result: Any, text: str
) -> None:
    given = TaskResult(value=result, text=text, evidence=(text,))
    old_digest = hashlib.sha256(given.model_dump_json().encode()).hexdigest()
    old = OldTask(id="t", description=description, agent=agent, depends_on=("a",), args=args)
    found = hashlib.sha256(old.model_dump_json().encode())
    found.update(old_digest.encode())
    new = Task(id="t", description=description, agent=agent)
    assert result_digest(given).hex() == old_digest
    assert task_key(new, ("a",), args, [result_digest(given)]) == found.hexdigest()[:32]


def test_half_a_character_has_a_key_and_the_same_one_after_a_journal(trial: Any) -> None:
    async def half(task: Task, ctx: RunContext) -> TaskResult:
        return TaskResult(text="half \ud83d", value=["\ud83d"])

    tasks = [Task(id="a", description="half \ud83d"), Task(id="b", description="b", depends_on=("a",))]
    trial.sitting(tasks, half)
    keys = [event.key for event in trial.of("task_finished")]
    trial.sitting(tasks, half)
    assert trial.done == []
    assert [event.key for event in trial.of("task_finished")] == keys
