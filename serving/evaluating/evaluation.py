"""Owns carrying an evaluation out: each trial a run of the store, so many side by side, from where the last sitting ended."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...agents.model import Message
from ...runtime.errors import CrewgraphError, NotFound, RunWaiting, StepInDoubt, StoreError
from .bench import Desk, Means
from .choosing import Chosen, scorers_of
from .observing import observe
from .record import Heading, Record, Trial
from .score import Observed, Score

if TYPE_CHECKING:
    from ...agents.crew import Crew
    from ...planner.ways import Mode
    from ...runtime.budget import Budget
    from ..house import House
    from .case import Case, Wanted
    from .dataset import Dataset

OnTrial = Callable[[Trial, bool], None]
"""Told of each trial that is over; `True` where it was so before this sitting."""


@dataclass(frozen=True)
class Evaluation:
    """A crew over the cases of a dataset. `asked` are the scorers of this sitting; `limit` takes the first cases alone.

    With `again`, trials that ended without an answer are carried out again. `keep_text` says whether answers may stand in
    the record, which is not encrypted.
    """

    house: House
    means: Means
    crew: Crew
    crew_path: str
    dataset: Dataset
    asked: Sequence[Wanted] = ()
    planner: Mode = "auto"
    budget: Budget | None = None
    parallel: int = 1
    repeat: int = 1
    limit: int | None = None
    again: bool = False
    keep_text: bool = True

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases of this sitting."""
        return self.dataset.cases[: self.limit]

    async def carry_out(self, record: Record, on_trial: OnTrial = lambda _, __: None) -> list[Trial]:
        """Every trial of this sitting: those that are done as they were, the others carried out, each kept in `record`.

        A trial that fails is a result and ends nothing. What was under way when an earlier sitting was cut off is resumed.

        Raises:
            StoreError: the database cannot be used any more.
            InvalidInput: the record cannot be written.
        """
        done: dict[tuple[str, int], Trial] = {}
        todo = iter([(case, n) for n in range(self.repeat) for case in self.cases])

        async def work() -> None:
            for case, attempt in todo:
                before = record.trial(case.id, attempt)
                after = await self._trial(case, before, record)
                done[case.id, attempt] = after
                on_trial(after, after is before)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(max(1, min(self.parallel, len(self.cases) * self.repeat))):
                    group.create_task(work())
        except BaseExceptionGroup as several:
            raise _first(several) from several
        return [done[case.id, n] for case in self.cases for n in range(self.repeat)]

    async def _trial(self, case: Case, trial: Trial, record: Record) -> Trial:
        chosen = scorers_of(case, self.asked)
        if trial.ended == "failed" and self.again:
            trial = Trial(case=trial.case, attempt=trial.attempt)
        if trial.ended in (None, "waiting"):
            trial = await self._run(case, trial, record)
        elif all(one.settled(trial.scores.get(one.label)) for one in chosen):
            return trial
        return await self._scored(case, trial, chosen, record)

    async def _run(self, case: Case, trial: Trial, record: Record) -> Trial:
        """The trial with its run at its end, whatever that is."""
        told = {"ended": "finished", "error": "", "code": ""}
        run_id = trial.run_id
        try:
            if run_id:
                run_id = await self._go_on(run_id)
            if not run_id:
                run_id = await self._begin(case, trial, record)
        except StoreError:
            raise
        except (RunWaiting, StepInDoubt) as waits:
            told = {"ended": "waiting", "error": str(waits), "code": waits.code}
        except CrewgraphError as error:
            told = {"ended": "failed", "error": str(error), "code": error.code}
        except Exception as error:
            told = {"ended": "failed", "error": f"{type(error).__name__}: {error}", "code": "internal_error"}
        run_id = run_id or record.trial(trial.case, trial.attempt).run_id
        return trial.model_copy(
            update={
                **told,
                "error": told["error"] if self.keep_text else told["code"],
                "run_id": run_id,
                "request": case.request if self.keep_text else "",
                "tags": case.tags,
                "scores": {},
            }
        )

    async def _begin(self, case: Case, trial: Trial, record: Record) -> str:
        """A run for this case, carried out; it is in the record before anything of it happens."""
        history = [Message(said.role, said.content) for said in case.history]
        journal = await self.house.enter(
            self.crew,
            case.request,
            history=history,
            budget=self.budget,
            planner=self.planner,
            crew_path=self.crew_path,
            claim=True,
        )
        async with journal:
            assert journal.record is not None, "a run that was just made has its record"
            record.keep(trial.model_copy(update={"run_id": journal.run_id, "ended": None}))
            await self.house.carry_on(journal, journal.record, self.crew, None)
        return journal.run_id

    async def _go_on(self, run_id: str) -> str:
        """An earlier sitting's run, to its end; "" where it is not there any more. One that failed has failed."""
        try:
            kept = await self.house.store.find_run(run_id)
        except NotFound:
            return ""
        if kept.status == "failed":
            raise CrewgraphError(kept.error or "It ended without an answer.")
        await self.house.resume(run_id, self.crew)
        return run_id

    async def _scored(self, case: Case, trial: Trial, chosen: Sequence[Chosen], record: Record) -> Trial:
        """The trial with all of its scores, those that it has among them, kept."""
        observed = await self._observed(trial)
        trial = trial.model_copy(
            update={
                "answer": observed.answer if self.keep_text else "",
                "seconds": observed.seconds,
                "tokens": observed.tokens,
                "tool_calls": observed.tool_calls,
                "money": observed.money,
            }
        )

        def judging(run_id: str) -> None:
            record.keep(trial.model_copy(update={"judged_in": run_id, "ended": None}))

        desk = Desk(self.means, trial.judged_in, judging)
        scores: dict[str, Score] = {}
        for one in chosen:
            known = trial.scores.get(one.label)
            if known is not None and one.settled(known):
                scores[one.label] = known
                continue
            if trial.ended == "finished":
                found = await one.scorer.score(case, observed, desk)
            else:
                found = Score(value=0.0, passed=False, why=trial.ended or "")
            why = found.why if self.keep_text else ""
            scores[one.label] = found.model_copy(update={"of": one.of, "why": why})
        others = {name: score for name, score in trial.scores.items() if name not in scores}
        kept = {"scores": {**scores, **others}, "judged_in": desk.judged_in}
        return record.keep(trial.model_copy(update=kept))

    async def _observed(self, trial: Trial) -> Observed:
        try:
            return observe(trial.run_id, await self.house.store.events(trial.run_id))
        except NotFound:  # it never began, or somebody has deleted it: what the record says is left
            return Observed(
                trial.run_id,
                trial.request,
                trial.answer,
                seconds=trial.seconds,
                tokens=trial.tokens,
                tool_calls=trial.tool_calls,
                money=trial.money,
            )


def heading_of(
    crew: Crew, crew_file: str, dataset: Dataset, *, planner: str, model: str, budget: Budget | None = None
) -> Heading:
    """What an evaluation is of. Its key changes with the dataset, the crew, who plans, the model, and the budget of a case."""
    crew_hash = _fingerprint(crew, crew_file)
    limits = asdict(budget) if budget is not None else None
    said = json.dumps([dataset.hash, crew_hash, planner, model, limits])
    return Heading(
        key=hashlib.sha256(said.encode()).hexdigest()[:12],
        crew=crew.name,
        crew_file=crew_file,
        crew_hash=crew_hash,
        dataset=dataset.name,
        dataset_hash=dataset.hash,
        planner=planner,
        model=model,
        cases={case.id: case.content for case in dataset.cases},
    )


def _fingerprint(crew: Crew, crew_file: str) -> str:
    """A hash of the crew's file, and of what its agents and tools say of themselves, which other files may have made."""
    told = hashlib.sha256(Path(crew_file).read_bytes() if crew_file else b"")
    for line in _described(crew):
        told.update(line.encode("utf-8", "replace") + b"\0")
    return told.hexdigest()[:16]


def _described(crew: Crew) -> Iterator[str]:
    yield from (crew.name, crew.description, crew.briefing, str(crew.process), str(crew.risky))
    for agent in crew.agents:
        yield agent.persona
        yield json.dumps([agent.model, agent.adapter, agent.max_turns, agent.max_tokens])
    for name in crew.toolset:
        tool = crew.toolset[name]
        yield f"{name} {tool.description} {json.dumps(tool.parameters, sort_keys=True, default=str)}"
    yield from (task.model_dump_json() for task in crew.tasks)


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a group: one of ours before any other."""
    flat: list[BaseException] = []
    waiting: list[BaseException] = [several]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        else:
            flat.append(one)
    return next((one for one in flat if isinstance(one, CrewgraphError)), flat[0])
