"""Archive: past runs of a store, asked about, answered, forked and compared. It carries nothing out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ..runtime.events import Answer
from ..runtime.reading.questions import Question, find_question
from ..runtime.store import RunRecord, Store

if TYPE_CHECKING:
    from ..runtime.past.diff import RunDiff


class Archive:
    """What can be done with the runs of a store without a crew."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def questions(self, run_id: str) -> list[Question]:
        """What a run waits for a person to say, and nobody has answered yet, the oldest first. Raises `NotFound`."""
        return await self.store.questions(run_id)

    async def answer(self, run_id: str, key: str, answer: Answer) -> Question:
        """Answer a question of a run (`key` or its unique beginning); `resume` then goes on with it.

        Raises:
            NotFound: there is no such run.
            InvalidRequest: there is no such open question, or the answer is none to it.
        """
        record = await self.store.find_run(run_id)
        question = find_question(await self.questions(record.id), key, record.id)
        question.check(answer)
        await self.store.answer(record.id, question.key, answer)
        return question

    async def fork(
        self,
        run_id: str,
        *,
        at: str,
        changes: Mapping[str, JsonValue] | None = None,
        model: str | None = None,
    ) -> RunRecord:
        """A new run that begins as that one did, up to `at`; `resume` carries it on from there, live.

        See `runtime.past.fork` for what `at` and `changes` may be. The original is not touched.

        Raises:
            NotFound: there is no such run, or no such step or task in it.
            InvalidRequest: the fork point is out of range, or a change does not fit it.
        """
        from ..runtime.past.fork import fork

        return await fork(self.store, run_id, at=at, set=changes or {}, model=model)

    async def diff(self, one: str, other: str) -> RunDiff:
        """How two runs differ, task by task and step by step, and why it mattered. Raises `NotFound`."""
        from ..runtime.past.diff import diff

        return diff(await self.store.events(one), await self.store.events(other))
