"""Entry: a plan that worked, with what has to stay as it was for it to work again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...agents.crew import Crew
from ...runtime.graph import Reference, Task
from ...tools.tool import Tool

_WORDS_OF_SCHEMAS = frozenset({"title", "description", "default", "examples", "enum", "const"})
"""What may change of a parameter while a plan stays sound: its words, and values, which the checker looks at."""


class Entry(BaseModel):
    """A plan that worked: `request` and `tasks`, and how often it has worked and failed since.

    `tools` are the fingerprints of the tools that it uses, `run_id` and `at` (seconds since the epoch) tell when it was
    last counted. It is offered to no other tenant and to no other crew.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    request: str
    tasks: tuple[Task, ...]
    crew: str
    tools: dict[str, str]
    tenant: str = ""
    strategy: str = ""
    run_id: str = ""
    at: float = 0.0
    worked: int = 1
    failed: int = 0

    @property
    def use(self) -> tuple[int, float]:
        """What it is worth, for telling which of too many give way."""
        return self.worked - self.failed, self.at

    def stands(self, crew: Crew) -> Standing:
        """Whether the crew still has the tools that it uses, as they were."""
        if any(name not in crew.toolset for name in self.tools):
            return "elsewhere"
        same = all(fingerprint(crew.toolset[name]) == print_ for name, print_ in self.tools.items())
        return "same" if same else "changed"


Standing = Literal["same", "changed", "elsewhere"]
"""The tools are as they were; one of them takes other parameters now; or it is another crew's of the same name."""


def entry_of(
    request: str, tasks: Sequence[Task], crew: Crew, *, run_id: str, tenant: str, strategy: str, at: float
) -> Entry:
    """The entry of a plan for a crew."""
    used = dict.fromkeys(task.tool for task in tasks if task.tool in crew.toolset)
    return Entry(
        request=request,
        tasks=tuple(tasks),
        crew=crew.name,
        tools={name: fingerprint(crew.toolset[name]) for name in used if name is not None},
        tenant=tenant,
        strategy=strategy,
        run_id=run_id,
        at=at,
    )


def fingerprint(tool: Tool) -> str:
    """Equal for tools of the same name that take the same parameters of the same types, whatever their words say."""
    return _hash([tool.name, _bare(tool.parameters)])


def shape(tasks: Sequence[Task]) -> str:
    """Equal for plans that make the same calls in the same order, whatever the values of their arguments."""
    places = {task.id: f"${n}" for n, task in enumerate(tasks)}

    def bare(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: bare(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [bare(part) for part in value]
        if (ref := Reference.parse(value)) is not None:
            return [places.get(ref.task, ref.task), *ref.path]
        return type(value).__name__

    return _hash(
        [
            [
                task.tool,
                task.agent,
                bare(task.args),
                bare(task.each),
                [places.get(need, need) for need in task.depends_on],
                [task.when.test, bare(task.when.value), bare(task.when.to)] if task.when else None,
            ]
            for task in tasks
        ]
    )


def _bare(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            name: {n: _bare(p) for n, p in part.items()}
            if name in ("properties", "$defs") and isinstance(part, Mapping)
            else _bare(part)
            for name, part in schema.items()
            if name not in _WORDS_OF_SCHEMAS
        }
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    return schema


def _hash(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
