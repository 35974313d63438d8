"""Owns CrewAI's agents.yaml and tasks.yaml: read as they are written, with the names in them looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..complaints import nearest
from ..notation import Marked, Path_, read_marked
from ..reading import read_bytes
from .theirs import AGENT, TASK, WHY

_NAMED = ("output_json", "output_pydantic", "response_model")


def read_agents(file: Path, names: Mapping[str, Any], said: list[str]) -> dict[str, dict[str, Any]]:
    """The agents by their keys. What nobody knows is added to `said`.

    Raises:
        InvalidCrew: the file is not what CrewAI's is; with the place.
    """
    marked = _maps(file)
    found: dict[str, dict[str, Any]] = {}
    for key, one in marked.data.items():
        found[key] = _looked_up(marked, (key,), dict(one), names)
        _strange(marked, (key,), one, AGENT, said)
    return found


def read_tasks(
    file: Path, agents: Sequence[str], names: Mapping[str, Any], said: list[str]
) -> list[dict[str, Any]]:
    """The tasks in the order of the file, each with its key as `id`.

    Raises:
        InvalidCrew: the file is not what CrewAI's is, or a task names an agent or a task that is not there.
    """
    marked = _maps(file)
    found: list[dict[str, Any]] = []
    for key, one in marked.data.items():
        task = _looked_up(marked, (key,), dict(one), names) | {"id": key}
        agent = task.get("agent")
        if agent is not None and agent not in agents:
            raise marked.wrong((key, "agent"), f"there is no agent {agent!r}; {nearest(str(agent), agents)}.")
        context = task.get("context")
        if context is not None and not isinstance(context, list):
            raise marked.wrong((key, "context"), "the context of a task is a list of tasks.")
        before = [str(other["id"]) for other in found]
        for n, other in enumerate(context or ()):
            if other not in before:
                raise marked.wrong(
                    (key, "context", n),
                    f"there is no task {other!r} before this one; {nearest(str(other), before)}.",
                )
        _strange(marked, (key,), one, TASK, said)
        found.append(task)
    return found


def _maps(file: Path) -> Marked:
    marked = read_marked(file, read_bytes(file))
    if not isinstance(marked.data, dict):
        raise marked.wrong((), "CrewAI's files are maps from names to agents or tasks.")
    for key, one in marked.data.items():
        if not isinstance(one, dict):
            raise marked.wrong(
                (key,), f"{key!r} is not described: it is a map of keys such as 'description'."
            )
    return marked


def _looked_up(marked: Marked, path: Path_, said: dict[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The same with things of Python in the place of their names."""

    def meant(name: object, at: Path_, what: str) -> Any:
        if name not in names:
            raise marked.wrong(
                at, f"{what} {name!r} means nothing here: say what it is with names={{{str(name)!r}: …}}."
            )
        return names[str(name)]

    for key in _NAMED:
        if said.get(key) is not None:
            said[key] = meant(said[key], (*path, key), "the type")
    if said.get("tools"):
        said["tools"] = [meant(one, (*path, "tools", n), "the tool") for n, one in enumerate(said["tools"])]
    for key in ("guardrail", "guardrails"):
        if isinstance(said.get(key), str):
            said[key] = names.get(said[key], said[key])  # a text is a guardrail too
        elif isinstance(said.get(key), list):
            said[key] = [names.get(one, one) if isinstance(one, str) else one for one in said[key]]
    return said


def _strange(
    marked: Marked, path: Path_, given: Mapping[str, Any], known: frozenset[str], said: list[str]
) -> None:
    """Keys that CrewAI itself does not know are likely slips."""
    for key in given:
        if key not in known and key not in WHY:
            line, column = marked.at((*path, key), key=True)
            said.append(
                f"{marked.file.name}, line {line}, column {column}: {key!r} is not known; {nearest(key, sorted(known))}."
            )
