"""Orders: what travels to whoever carries a task or a run, and what comes back. All of it is JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ..budget import Budget, Cost
from ..errors import CrewgraphError, Suspended
from ..events import StepErred
from ..graph import Task, TaskResult
from ..journalling.row import jsonable
from ..stepping.typed import recorded_error
from ..store.seal import Seal

_SEALED = "sealed"


class _Letter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def json_data(self) -> JsonValue:
        """As plain JSON, without what has its default."""
        return jsonable(self.model_dump(mode="json", exclude_defaults=True))


class TaskOrder(_Letter):
    """One task to carry out, for the run `run`.

    `maker` is the import path of what makes a `Worker` from `spec`. `results` are those that the task needs, `budget`
    is what is left of the run's, `added` are tasks that the graph has grown by and that this one needs. With
    `look_back`, steps of the task may also stand in the journal of the run itself: those of a sitting that was not on
    this cluster, and people's answers. `began` is when the run was begun, `seconds_left` what was left of it when the
    task was handed out.
    """

    run: str
    task: Task
    maker: str
    spec: dict[str, JsonValue] = Field(default_factory=dict)
    results: dict[str, TaskResult] = Field(default_factory=dict)
    budget: Budget = Field(default_factory=Budget)
    tenant: str = ""
    added: tuple[Task, ...] = ()
    look_back: bool = False
    seconds_left: float = 0.0
    began: float = 0.0

    @property
    def id(self) -> str:
        """The id of the workflow that carries it: the same for the same task with the same inputs."""
        given = self.task.model_dump_json() + "".join(
            f"\0{name}\0{result.model_dump_json()}" for name, result in self.results.items()
        )
        digest = hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()[:12]
        return f"{tasks_of(self.run)}{self.task.id[:80]}/{digest}"

    @property
    def journal_id(self) -> str:
        """The id of the run in the store that holds the task's steps."""
        return f"{self.run}.{self.task.id}"


class RunOrder(_Letter):
    """A run to carry out from its beginning, or from where it broke off.

    `conductor` is the import path of what plans and schedules it, given `spec`.
    """

    run: str
    conductor: str
    spec: dict[str, JsonValue] = Field(default_factory=dict)


class Growth(_Letter):
    """Tasks that a task has added to its graph, and those that wait for them."""

    tasks: tuple[Task, ...]
    then: tuple[str, ...] = ()


class Ending(_Letter):
    """What came of an order: a result, or an error and its code, or a question that waits for a person.

    `growth` is what the task has added to its graph, `cost` what it has used in all sittings.
    """

    result: TaskResult | None = None
    error: str = ""
    code: str = ""
    waits_for: str = ""
    question: str = ""
    growth: tuple[Growth, ...] = ()
    cost: Cost = Cost()

    @classmethod
    def failed(cls, error: BaseException, **more: object) -> Self:
        """The ending that an exception means."""
        if isinstance(error, Suspended):
            said = {"waits_for": error.key, "question": error.question}
        elif isinstance(error, CrewgraphError):
            said = {"error": str(error), "code": error.code}
        else:
            said = {"error": str(error) or type(error).__name__, "code": type(error).__name__}
        return cls.model_validate({**said, **more})

    def raise_failure(self) -> None:
        """Raise what the other side raised, as near as its code tells; nothing if it ended well."""
        if self.waits_for:
            raise Suspended(self.waits_for, self.question)
        if self.code:
            raise recorded_error(StepErred(task_id="", name="", key="", error=self.error, code=self.code))


def closed(letter: JsonValue, seal: Seal) -> JsonValue:
    """What goes over DBOS's tables: the letter itself, or where the store encrypts what it keeps, that encrypted."""
    text = json.dumps(letter)
    sealed = seal.close(text)
    return letter if sealed == text else {_SEALED: sealed}


def opened(kept: JsonValue, seal: Seal) -> JsonValue:
    """The letter that was `closed` so. Raises `StoreError` when no key fits."""
    if isinstance(kept, dict) and _SEALED in kept:
        letter: JsonValue = json.loads(seal.open(str(kept[_SEALED])))
        return letter
    return kept


def tasks_of(run: str) -> str:
    """How the ids of all task workflows of a run begin."""
    return f"{run}/"
