"""HeldUp: the tasks of a run that wait for a person, by a question or by a step in doubt."""

from __future__ import annotations

from typing import NamedTuple

from ..journalling.journal import Journal


class _Held(NamedTuple):
    """Why a task waits, and the keys of its steps that have no outcome yet."""

    error: BaseException
    keys: frozenset[str]


class HeldUp:
    """Who waits, and who has been answered."""

    __slots__ = ("_journal", "_tasks")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tasks: dict[str, _Held] = {}

    @property
    def errors(self) -> list[BaseException]:
        """Why each of them waits: questions (`Suspended`) and doubts (`StepInDoubt`)."""
        return [held.error for held in self._tasks.values()]

    def hold(self, task_id: str, error: BaseException) -> None:
        """This task waits."""
        open_steps = (step.key for step, _ in self._journal.steps.known(task_id) if step.begun)
        self._tasks[task_id] = _Held(error, frozenset(open_steps))

    async def take_answered(self) -> list[str]:
        """The tasks of which something has been answered meanwhile: they wait no longer."""
        if not self._tasks:
            return []
        await self._journal.take_answers()
        found = [task_id for task_id, held in self._tasks.items() if self._any_over(held.keys)]
        for task_id in found:
            del self._tasks[task_id]
        return found

    def _any_over(self, keys: frozenset[str]) -> bool:
        # Looked up and not told: an answer may have come in while another task asked its own question.
        steps = (self._journal.steps.find(key) for key in keys)
        return any(step is not None and not step.begun for step in steps)
