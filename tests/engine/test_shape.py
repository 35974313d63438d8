"""A constrained reply is checked: what matches passes, what does not is named."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph.serving.client.shape import mismatch

PLAN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tasks": {"type": "array", "items": {"$ref": "#/$defs/task"}, "minItems": 1, "maxItems": 2},
        "note": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
    },
    "required": ["tasks"],
    "additionalProperties": False,
    "$defs": {
        "task": {
            "type": "object",
            "properties": {"agent": {"enum": ["a", "b", 1]}, "cost": {"type": "integer", "maximum": 5}},
            "required": ["agent"],
        }
    },
}


@pytest.mark.parametrize(
    "value",
    [
        {"tasks": [{"agent": "a"}]},
        {"tasks": [{"agent": 1, "cost": 5.0, "more": [1]}], "note": None},
        {"tasks": [{"agent": "b"}, {"agent": "a"}], "note": "abc"},
    ],
)
def test_what_matches_passes(value: Any) -> None:
    assert mismatch(value, PLAN, PLAN) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "reply is not of type object"),
        ({}, "reply lacks 'tasks'"),
        ({"tasks": []}, "reply.tasks is below its minimum of 1"),
        ({"tasks": [{"agent": "a"}] * 3}, "reply.tasks is above its maximum of 2"),
        ({"tasks": [{"agent": "c"}]}, "reply.tasks[0].agent is not one of 3 allowed values"),
        ({"tasks": [{"agent": True}]}, "reply.tasks[0].agent is not one of 3 allowed values"),
        ({"tasks": [{"agent": "a", "cost": 1.5}]}, "reply.tasks[0].cost is not of type integer"),
        ({"tasks": [{"agent": "a", "cost": True}]}, "reply.tasks[0].cost is not of type integer"),
        ({"tasks": [{"agent": "a", "cost": 6}]}, "reply.tasks[0].cost is above its maximum of 5"),
        ({"tasks": [{"agent": "a"}], "note": "abcd"}, "reply.note is above its maximum of 3"),
        ({"tasks": [{"agent": "a"}], "other": 1}, "reply.other is not allowed"),
    ],
)
def test_what_does_not_match_is_named(value: Any, said: str) -> None:
    assert mismatch(value, PLAN, PLAN) == said
