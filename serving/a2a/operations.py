"""The protocol's operations over a crew and its runs: send, get, list, cancel, subscribe. No HTTP here.

A task is a run: its id is the run's, its context the conversation. The same message, sent again, means the same task. A
task goes on whoever listens, and one that its server's end broke off goes on when it is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ...runtime.errors import NotFound, StoreError
from ...runtime.events import Answered
from ..answering import meant
from ..api.errors import ApiError
from ..entering import checked_request
from . import telling
from .errands import Errand, Errands, Update
from .errors import A2AError, Kind
from .messages import (
    Incoming,
    ListParams,
    SendParams,
    TaskParams,
    answer_in,
    id_of,
    named_question,
    refuse_unsupported,
    request_in,
    signature_of,
)

if TYPE_CHECKING:
    from ...agents.crew import Crew
    from ...runtime.journalling.journal import Journal
    from ...runtime.store import RunRecord
    from ..api.gate import Gate
    from ..house import House

_OURS = "a2a-"
_PAGE = 50
_MOST = 1_000
"""So many of the newest runs are looked through for a list."""
_STATUSES: dict[str, tuple[str, ...]] = {
    telling.COMPLETED: ("finished",),
    telling.REJECTED: ("finished", "failed"),
    telling.FAILED: ("failed",),
    telling.CANCELED: ("cancelled",),
    telling.INPUT_REQUIRED: ("waiting",),
    telling.WORKING: ("running", "interrupted", "cancelled"),
    telling.SUBMITTED: ("running", "interrupted", "cancelled"),
}
"""In which statuses of a run its task may be in a state."""


class Operations:
    """What clients of one crew can do. `tenant` is for whom: only their tasks are there ("" sees all)."""

    def __init__(self, house: House, crew: Crew, gate: Gate, crew_path: str) -> None:
        self._house, self._crew, self._gate, self._crew_path = house, crew, gate, crew_path
        self.errands = Errands(house, crew, gate)

    async def send(self, params: SendParams, tenant: str) -> Update:
        """A message to a new task, or to one that waits; the task as soon as it is at rest, or at once if wished."""
        run_id, errand = await self._sent(params, tenant)
        wanted = params.configuration
        if errand is None:
            task = await self.errands.told(run_id)
        elif wanted is not None and wanted.return_immediately:
            task = telling.under_way(errand.record, begun=errand.begun, text=errand.text)
        else:
            await errand.ended.wait()
            task = await self.errands.told(run_id)
        return {"task": telling.shortened(task, wanted.history_length if wanted else None)}

    async def stream(self, params: SendParams, tenant: str) -> AsyncIterator[Update]:
        """`send`, with the task as it is now and every update to it."""
        run_id, errand = await self._sent(params, tenant)
        return self._updates(run_id, errand)

    async def get(self, params: TaskParams, tenant: str) -> Update:
        """A task as it is now."""
        record = await self._find(params.id, tenant)
        errand = await self._going(record)
        if errand is not None:
            task = telling.under_way(errand.record, begun=errand.begun, text=errand.text)
        else:
            task = await self.errands.told(record.id)
        return telling.shortened(task, params.history_length)

    async def subscribe(self, params: TaskParams, tenant: str) -> AsyncIterator[Update]:
        """A task as it is now, and every update to it until it is at rest."""
        record = await self._find(params.id, tenant)
        errand = await self._going(record)
        if errand is None:
            state = (await self.errands.told(record.id))["status"]["state"]
            if state in telling.OVER:
                said = f"Task {record.id} is over ({state}): get it instead of subscribing to it."
                raise A2AError(Kind.UNSUPPORTED_OPERATION, said)
        return self._updates(record.id, errand)

    async def list(self, params: ListParams, tenant: str) -> Update:
        """A page of the crew's tasks, the newest first."""
        wanted, size = params.status or "", params.page_size or _PAGE
        records = [
            record
            for record in await self._house.store.list_runs(limit=_MOST, tenant=tenant or None)
            if record.crew == self._crew.name
            and params.context_id in (None, "", telling.context_of(record))
            and record.status in _STATUSES.get(wanted, (record.status,))
        ]
        begin = 0
        if params.page_token:
            ids = [record.id for record in records]
            if params.page_token not in ids:
                said = f"pageToken {params.page_token[:80]!r} is not one that was given here."
                raise A2AError(Kind.INVALID_PARAMS, said)
            begin = ids.index(params.page_token)
        found: list[Update] = []
        for place in range(begin, len(records)):
            if len(found) == size:
                break
            begin = place + 1
            task = await self.errands.told(records[place].id)
            if wanted in ("", "TASK_STATE_UNSPECIFIED", task["status"]["state"]):
                artifacts = bool(params.include_artifacts)
                found.append(telling.shortened(task, params.history_length, artifacts=artifacts))
        token = records[begin].id if begin < len(records) else ""
        return {"tasks": found, "nextPageToken": token, "pageSize": size, "totalSize": len(records)}

    async def cancel(self, params: TaskParams, tenant: str) -> Update:
        """End a task for good, with all that it has begun."""
        record = await self._find(params.id, tenant)
        task = await self.errands.told(record.id)
        if (state := task["status"]["state"]) in telling.OVER:
            said = f"Task {record.id} is over ({state}) and cannot be cancelled."
            raise A2AError(Kind.TASK_NOT_CANCELABLE, said)
        self._refuse_others_work(record)
        try:
            await self.errands.cancel(record)
        except StoreError as error:
            raise A2AError(Kind.TASK_NOT_CANCELABLE, str(error)) from None
        task = await self.errands.told(record.id)
        if (state := task["status"]["state"]) != telling.CANCELED:
            said = f"Task {record.id} ended before it could be cancelled ({state})."
            raise A2AError(Kind.TASK_NOT_CANCELABLE, said)
        return task

    async def _sent(self, params: SendParams, tenant: str) -> tuple[str, Errand | None]:
        refuse_unsupported(params)
        message = params.message
        return await (self._said if message.task_id else self._asked)(message, tenant)

    async def _asked(self, message: Incoming, tenant: str) -> tuple[str, Errand | None]:
        """A request: the run that it begins, or has begun before."""
        text = checked_request(request_in(message))
        run_id = id_of(self._crew.name, tenant, message)
        try:
            record = await self._house.store.find_run(run_id)
        except NotFound:
            pass
        else:
            return run_id, await self._going(record)
        if message.context_id:
            await self._check_context(message.context_id, tenant)

        async def enter() -> Journal:
            thread_id = message.context_id or (await self._house.store.create_thread(_title(tenant))).id
            return await self._house.enter(
                self._crew,
                text,
                thread_id=thread_id,
                crew_path=self._crew_path,
                tenant=tenant,
                claim=True,
                run_id=run_id,
            )

        errand = self.errands.begin(run_id, enter, message.context_id or None)
        await asyncio.wait({errand.entered})
        errand.entered.result()
        return run_id, errand

    async def _said(self, message: Incoming, tenant: str) -> tuple[str, Errand | None]:
        """An answer to what a task asks."""
        record = await self._find(message.task_id or "", tenant)
        if message.context_id not in (None, "", telling.context_of(record)):
            said = f"message.contextId is not that of task {record.id}: leave it out, or give the task's."
            raise A2AError(Kind.INVALID_PARAMS, said)
        self._refuse_others_work(record)
        events = await self._house.store.events(record.id)
        by = signature_of(message)
        if any(isinstance(event, Answered) and event.answer.by == by for event in events):
            return record.id, await self._going(record)
        state = (await self.errands.told(record.id))["status"]["state"]
        if state != telling.INPUT_REQUIRED:
            over = "is over" if state in telling.OVER else "is being worked on and asks nothing"
            said = (
                f"Task {record.id} {over} ({state}): it takes no message; begin another one without taskId."
            )
            raise A2AError(Kind.UNSUPPORTED_OPERATION, said)
        self._gate.refuse_when_full()
        questions = await self._house.questions(record.id)
        if questions:
            key = named_question(message) or questions[0].key  # the one that the task's status asks
            question = meant(questions, key, record)
            await self._house.answer(record.id, question.key, answer_in(message, question))
        return record.id, self.errands.go_on(record)

    async def _updates(self, run_id: str, errand: Errand | None) -> AsyncIterator[Update]:
        if errand is None:
            yield {"task": await self.errands.told(run_id)}
            return
        async for update in errand.follow():
            yield update

    async def _going(self, record: RunRecord) -> Errand | None:
        """The errand of a run that is under way; one that came in here and was broken off goes on now, if it can."""
        errand = self.errands.of(record.id)
        if errand is not None:
            await asyncio.wait({errand.entered})
        broken = record.status in ("interrupted", "cancelled") and record.id.startswith(_OURS)
        if errand is not None or not broken or record.crew != self._crew.name:
            return errand
        if telling.cancelled_by_client(await self._house.store.events(record.id)):
            return None
        try:
            return self.errands.go_on(record)
        except ApiError:  # there is no place now: the next who asks lets it go on
            return None

    async def _find(self, task_id: str, tenant: str) -> RunRecord:
        try:
            record = await self._house.store.find_run(task_id)
        except NotFound:
            pass
        else:
            if record.id == task_id and (not tenant or record.tenant == tenant):
                return record
        raise A2AError(Kind.TASK_NOT_FOUND, f"There is no task {task_id[:80]!r} here.")

    async def _check_context(self, context: str, tenant: str) -> None:
        """A conversation is told to those only whose it is."""
        try:
            thread = await self._house.store.thread(context)
        except NotFound:
            pass
        else:
            if not tenant or thread.title == _title(tenant):
                return
        said = f"There is no context {context[:80]!r} here: leave contextId out to begin one."
        raise A2AError(Kind.INVALID_PARAMS, said)

    def _refuse_others_work(self, record: RunRecord) -> None:
        if record.crew != self._crew.name:
            said = f"Task {record.id} is of crew {record.crew!r}, and {self._crew.name!r} is served here."
            raise A2AError(Kind.UNSUPPORTED_OPERATION, said)


def _title(tenant: str) -> str:
    return f"A2A, {tenant}" if tenant else "A2A"
