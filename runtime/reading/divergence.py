"""Divergence: in words, how a step that is asked for differs from those the journal holds."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from ..journalling.journal import Journal
from ..journalling.row import fields
from ..journalling.steps import Step

_SHOWN = 60


def explain(journal: Journal, task_id: str, name: str, inputs: JsonValue) -> str:
    """One sentence: which step was asked for, and what the journal holds instead."""
    asked = f"Replay of run {journal.run_id} diverged: {_place(task_id)} now asks for step {name!r}"
    known = [(step, fields(row)) for step, row in journal.steps.known(task_id)]
    same_name = [(step, _inputs(held)) for step, held in known if held.get("name", "ask") == name]
    if broken_off := [step for step, held in same_name if held == inputs and not step.outcomes]:
        return f"{asked}, which was begun and has no result: the run broke off there ({broken_off[0].key})."
    if same_name and all(held == inputs for _, held in same_name):
        times = "once" if len(same_name) == 1 else f"{len(same_name)} times"
        return f"{asked} once more: the journal holds it with these inputs only {times}."
    if same_name:
        held = likest(journal, task_id, name, inputs)
        return f"{asked} with other inputs than the journal holds: {difference(held, inputs)}."
    if not known:
        return f"{asked}, and the journal holds no step of this task."
    names = ", ".join(dict.fromkeys(repr(held.get("name", "ask")) for _, held in known))
    return f"{asked}, which the journal does not hold (it holds {names})."


def likest(journal: Journal, task_id: str, name: str, inputs: JsonValue) -> JsonValue:
    """The inputs of that step of this name in the journal which is most like it, those not read yet first."""
    same_name = [
        (step, _inputs(held))
        for step, row in journal.steps.known(task_id)
        if (held := fields(row)).get("name", "ask") == name
    ]
    if not same_name:
        return None
    return min(same_name, key=lambda pair: (_used(pair[0]), -_likeness(pair[1], inputs)))[1]


def difference(old: JsonValue, new: JsonValue, where: str = "inputs") -> str:
    """The first place at which two JSON values differ, as ``inputs.city: 'Rome' → 'Paris'``."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            if name not in old:
                return f"{where}.{name} is new ({_show(new[name])})"
            if name not in new:
                return f"{where}.{name} is gone (it was {_show(old[name])})"
            if old[name] != new[name]:
                return difference(old[name], new[name], f"{where}.{name}")
    if isinstance(old, list) and isinstance(new, list):
        for place, (before, after) in enumerate(zip(old, new, strict=False)):
            if before != after:
                return difference(before, after, f"{where}[{place}]")
        return f"{where} has {len(new)} entries, it had {len(old)}"
    if isinstance(old, str) and isinstance(new, str):
        start = next(
            (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
        )
        start = max(0, start - 20) if max(len(old), len(new)) > _SHOWN else 0
        lead = "…" if start else ""
        return f"{where}: {lead}{_show(old[start:])} → {lead}{_show(new[start:])}"
    return f"{where}: {_show(old)} → {_show(new)}"


def _inputs(held: dict[str, Any]) -> JsonValue:
    """What went into a step; into a question, its words and what it is about."""
    if "question" in held:
        return {"question": held["question"], "about": held.get("about")}
    inputs: JsonValue = held.get("inputs")
    return inputs


def _place(task_id: str) -> str:
    return f"task {task_id!r}" if task_id else "the planning"


def _show(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _used(step: Step) -> bool:
    return step.read > 0


def _likeness(old: JsonValue, new: JsonValue) -> int:
    if isinstance(old, dict) and isinstance(new, dict):
        return sum(1 for name in old if name in new and old[name] == new[name])
    return int(old == new)
