"""Owns crews that are written down in YAML or JSON: from the file's text to the crew, each error with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ...agents.agent import Agent
from ...agents.crew import Crew
from ...agents.working.blackboard import Blackboard
from ...tools.builtin.files import read_file
from ...tools.builtin.table import Column, Table
from ...tools.knowledge.documents import Documents
from ...tools.tool import Tool
from . import checks, ways
from .complaints import complaint
from .named import beside, imported, placed, tools_named
from .neighbours import importable, module_for
from .notation import Marked, Path_, read_marked
from .reading import read_bytes
from .schema import AgentSaid, BoardSaid, CrewSaid, DocumentsSaid, ToolSaid
from .shapes import shape_of


def load_written(file: Path) -> Crew:
    """The crew that a YAML or JSON file describes.

    Raises:
        InvalidCrew: the file is missing, not YAML, says what nobody knows, or names what is not there; with line and
            column, and the nearest valid word.
    """
    marked = read_marked(file, read_bytes(file))
    said = validated(marked, CrewSaid)
    checks.check(marked, said)
    resolved = file.resolve()
    with importable(module_for(resolved), resolved.parent):
        return _Builder(marked).crew(said)


def validated(marked: Marked, model: type[CrewSaid]) -> CrewSaid:
    """What the data says, in the form that crew files have.

    Raises:
        InvalidCrew: it has not that form.
    """
    if not isinstance(marked.data, dict):
        raise marked.wrong((), "a crew file is a map with the key 'agents'.")
    try:
        return model.model_validate_json(json.dumps(marked.data), strict=True)
    except ValidationError as error:
        raise complaint(marked, error, model) from None


class _Builder:
    """Makes the crew of one file, while its folder is importable."""

    def __init__(self, marked: Marked) -> None:
        self._marked = marked
        self._documents: dict[tuple[Path, str], list[Tool]] = {}
        self._places: dict[str, Path_] = {}

    def crew(self, said: CrewSaid) -> Crew:
        marked = self._marked
        planner = imported(marked, ("planner",), said.planner) if said.planner is not None else None
        given: dict[str, Any] = {
            "agents": [self._agent(one, ("agents", n)) for n, one in enumerate(said.agents)],
            "tools": self._tools(said, ()),
            "tasks": said.tasks,
            "name": said.name or marked.file.stem,
            "description": said.description,
            "briefing": said.briefing,
            "planner": planner() if isinstance(planner, type) else planner,
            "risky": said.risky,
            "process": said.process,
            "turns": said.turns,
            "depth": said.depth,
            "board": self._board(said.board),
            "memory": said.memory or None,
            "manager": None if said.manager is None else self._agent(said.manager, ("manager",)),
        }
        if said.guardrails:
            given["guardrails"] = {
                task: [
                    ways.guardrail(marked, ("guardrails", task, n), one, self._shape)
                    for n, one in enumerate(entries)
                ]
                for task, entries in said.guardrails.items()
            }
        checks.check_tools(marked, said, given["agents"], given["tools"], self._places)
        return placed(marked, ("agents",), lambda: Crew(**given))

    def _board(self, said: bool | BoardSaid) -> Blackboard | None:
        if isinstance(said, bool):
            return Blackboard() if said else None
        keys = {
            key: self._shape(("board", "keys", key), kind, key) for key, kind in (said.keys or {}).items()
        }
        return Blackboard(keys if said.keys is not None else None, said.agents)

    def _agent(self, said: AgentSaid, path: Path_) -> Agent:
        marked = self._marked
        given = said.model_dump(include=set(_PLAIN))
        given |= {
            "tools": self._tools(said, path),
            "allowance": said.allowance,
            "delegates": list(said.delegates) if isinstance(said.delegates, tuple) else said.delegates,
            "guardrails": [
                ways.guardrail(marked, (*path, "guardrails", n), one, self._shape)
                for n, one in enumerate(said.guardrails)
            ],
        }
        if said.output_type is not None:
            given["output_type"] = self._shape((*path, "output_type"), said.output_type, said.role)
        if said.architecture is not None:
            given["architecture"] = ways.architecture(marked, (*path, "architecture"), said.architecture)
        return placed(marked, path, lambda: Agent(**given))

    def _tools(self, said: AgentSaid | CrewSaid, path: Path_) -> list[Tool]:
        found: dict[Path_, list[Tool]] = {}
        for n, one in enumerate(said.tools):
            found[*path, "tools", n] = self._tool((*path, "tools", n), one)
        for n, folder in enumerate(said.documents):
            whole = DocumentsSaid(folder=folder) if isinstance(folder, str) else folder
            found[*path, "documents", n] = self._searching((*path, "documents", n), whole)
        for place, tools in found.items():
            for tool in tools:
                self._places.setdefault(tool.name, place)
        return [tool for tools in found.values() for tool in tools]

    def _tool(self, path: Path_, said: str | ToolSaid) -> list[Tool]:
        marked = self._marked
        if isinstance(said, str):
            return tools_named(marked, path, said)
        kinds = [
            kind for kind in ("use", "read_file", "documents", "table") if getattr(said, kind) is not None
        ]
        if len(kinds) != 1:
            raise marked.wrong(path, "a tool is said by exactly one of use, read_file, documents and table.")
        at = (*path, kinds[0])
        if said.use is not None:
            made = tools_named(marked, at, said.use)
        elif said.documents is not None:
            made = self._searching(at, said.documents)
        elif said.table is not None:
            made = self._table(at, said)
        else:
            folder = beside(marked, said.read_file or "")
            made = placed(marked, at, lambda: [read_file(folder)])
        differs = {n: v for n in _WRAPS if (v := getattr(said, n)) is not None}
        return placed(marked, path, lambda: [replace(one, **differs) for one in made]) if differs else made

    def _searching(self, path: Path_, said: DocumentsSaid) -> list[Tool]:
        """One tool for one folder, however often it is named."""
        folder = beside(self._marked, said.folder)
        known = self._documents.get((folder, said.name))
        if known is None:
            known = placed(self._marked, path, lambda: Documents(folder, said.about, said.name).tools())
            self._documents[folder, said.name] = known
        return known

    def _table(self, path: Path_, said: ToolSaid) -> list[Tool]:
        table = said.table
        assert table is not None, "asked for where there is one"
        columns = {name: Column(c.about, c.unit, c.names) for name, c in table.columns.items()}
        options: dict[str, Any] = table.model_dump(exclude={"file", "columns"})
        file = beside(self._marked, table.file)
        return placed(self._marked, path, lambda: Table.from_csv(file, columns=columns, **options).tools())

    def _shape(self, path: Path_, said: str | dict[str, Any], name: str) -> type[BaseModel]:
        """The pydantic class that an import path names, or that a JSON schema means."""
        if not isinstance(said, str):
            return placed(self._marked, path, lambda: shape_of(said, name))
        found = imported(self._marked, path, said)
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            raise self._marked.wrong(path, f"{said!r} is no pydantic model: name a class made of BaseModel.")
        return found


_PLAIN = (
    "role", "goal", "backstory", "model", "adapter", "corrections", "may", "max_turns", "max_tokens", "limit", "briefing",
)  # fmt: skip
_WRAPS = ("effect", "approval", "timeout", "limit", "retry")
