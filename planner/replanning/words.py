"""Words: what a changed plan says of itself to people, in English and Chinese."""

from __future__ import annotations

import re

from ...runtime.graph import Task
from .failure import Failure

_LINKS = re.compile(r"For further information visit \S+")
_LONG = 120
_LONG_WHY = 240


def what(task: Task) -> str:
    """What a task is about, short."""
    return _cut(" ".join((task.description or task.tool or task.id).split()), _LONG).rstrip(".。")


def lost(task: Task, failure: Failure, language: str) -> str:
    """That what this task was to find is not there, and why."""
    why = _cut(" ".join(_LINKS.sub("", failure.why).split()), _LONG_WHY)
    zh = language == "zh"
    match failure.kind:
        case "surprise":
            said = f"结果与预期不符：{why}" if zh else f"what came of it cannot be relied on: {why}"
        case "rejected":
            said = f"有人拒绝了：{why}" if zh else f"a person said no: {why}"
        case "pressed":
            said = "剩余预算不够" if zh else "what is left of the budget does not reach for it"
        case _:
            said = why
    return f"{what(task)}（{said}）。" if zh else f"{what(task)} ({said})."


def needing(task: Task, other: Task, language: str) -> str:
    """That this task cannot be done, because another one has no result."""
    if language == "zh":
        return f"{what(task)}（它需要：{what(other)}）。"
    return f"{what(task)} (it needs: {what(other)})."


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
