"""Bisect: which step's result made a run's answer wrong, found between that run and one that was right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import InvalidRequest
from ..events import Event, PlanMade, RunForked, RunStarted, TasksAdded
from ..store import Store
from .account import Account, StepAccount, account, canonical
from .diff import StepDiff, diff
from .point import StepEvent, after_beginning, place_of

CarryOn = Callable[[str], Awaitable[str]]
"""Carries the run with this id out to its end, as one resumes a run, and gives its answer."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """The earliest step whose result brings the wrong answer about; without a `step` it is the plan itself.

    `said` is how it differs from the right run. It is number `place` of the `suspects` (1 is the earliest), `answer`
    is what it led to, and `forks` are the runs that were made to find it out, where they were kept; `tried` says how
    many there were.
    """

    step: StepDiff | None
    said: str
    place: int
    suspects: int
    answer: str
    tried: int
    forks: tuple[str, ...] = ()

    @property
    def task_id(self) -> str:
        """The task of the step; empty for the planning and for the plan."""
        return self.step.task_id if self.step is not None else ""

    def __str__(self) -> str:
        if self.step is None:
            return f"The plan: {self.said}"
        return f"Step {self.step.name!r} of {place_of(self.task_id)} ({self.step.key_b}): {self.said}"


async def bisect(
    store: Store,
    good: str,
    bad: str,
    *,
    carry_on: CarryOn,
    wrong: Callable[[str], bool] | None = None,
    keep: bool = False,
) -> Culprit:
    """Find the earliest step whose result in run `bad` makes the answer of run `good` wrong.

    The suspects are the steps of `bad` with a result that `good` does not have, in the order in which they ended. A
    trial is a fork of `good` in which the first so many suspects gave what they gave in `bad`; every other step that
    `good` knows gives what it gave there, and only what neither run has ever asked is carried out live, by
    `carry_on`: live `once` effects really happen. An answer is wrong when it is that of `bad`, or when
    ``wrong(answer)`` says so. With n suspects there are at most ⌈log2 n⌉ + 1 trials. Trials are deleted, or kept with
    `keep`.

    What this rests on: the wrong answer stays wrong as further results of `bad` are added. Where a later one mends
    what an earlier one broke, or where two are wrong only together, the step named is one at which right turns into
    wrong, and not always the earliest. Where live steps answer by chance, so does the search.

    Raises:
        NotFound: there is no such run.
        InvalidRequest: the runs were asked different things, they cannot be told apart by their answers, nothing
            differs between them, or the wrong answer does not come again with all the results of `bad`: then the
            code has changed since.
        CrewgraphError: a trial ended without an answer.
    """
    good_id, bad_id = (await store.find_run(good)).id, (await store.find_run(bad)).id
    trial = _Trials(good_id, bad_id, await store.events(good_id), await store.events(bad_id))
    is_wrong = wrong or (lambda answer: answer == trial.bad.answer)
    trial.check(is_wrong)
    kept: list[str] = []
    tried = 0

    async def answer_with(count: int) -> str:
        nonlocal tried
        tried += 1
        forked = await store.fork_run(good_id, trial.events(count))
        try:
            return await carry_on(forked.id)
        finally:
            if keep:
                kept.append(forked.id)
            else:
                await store.delete_run(forked.id)

    low, high = 1, len(trial.suspects)
    answer = await answer_with(high)
    if not is_wrong(answer):
        raise InvalidRequest(
            f"With every result of run {bad_id} the answer is {answer[:80]!r}, which is not wrong: it came about by "
            "something that no step holds, so the code or the crew has changed since."
        )
    while low < high:
        middle = (low + high) // 2
        found = await answer_with(middle)
        if is_wrong(found):
            high, answer = middle, found
        else:
            low = middle + 1
    step, said = trial.describe(high)
    return Culprit(step, said, high, len(trial.suspects), answer, tried, tuple(kept))


@dataclass
class _Trials:
    """What lies between the two runs, and the forks that tell it apart."""

    good_id: str
    bad_id: str
    good_events: Sequence[Event]
    bad_events: Sequence[Event]
    good: Account = field(init=False)
    bad: Account = field(init=False)
    suspects: list[StepAccount | None] = field(init=False)
    """The suspected steps, and None for the plan, where it differs."""

    def __post_init__(self) -> None:
        self.good, self.bad = account(self.good_events), account(self.bad_events)
        found: list[tuple[int, StepAccount | None]] = [
            (step.over, step) for step in self.bad.steps.values() if step.over and not self._is_in_good(step)
        ]
        if _plan_text(self.good_events) != _plan_text(self.bad_events):
            made = (seq for seq, event in enumerate(self.bad_events, 1) if isinstance(event, PlanMade))
            found.append((next(made, 0), None))
        self.suspects = [step for _, step in sorted(found, key=lambda pair: pair[0])]

    def check(self, is_wrong: Callable[[str], bool]) -> None:
        """Refuse two runs between which nothing can be found."""
        if self.good.request != self.bad.request:
            raise InvalidRequest(
                f"Runs {self.good_id} and {self.bad_id} were asked different things: take two runs of one request."
            )
        for run, run_id in ((self.good, self.good_id), (self.bad, self.bad_id)):
            if run.ended != "finished":
                raise InvalidRequest(f"Run {run_id} has no answer (it is {run.ended}): take one that has.")
        if is_wrong(self.good.answer):
            raise InvalidRequest(
                f"The answer of run {self.good_id} is wrong too ({self.good.answer[:80]!r}): "
                "take a run whose answer is right."
            )
        if not is_wrong(self.bad.answer):
            raise InvalidRequest(f"The answer of run {self.bad_id} is not wrong: take a run whose answer is.")
        if not self.suspects:
            raise InvalidRequest(
                f"Every step of run {self.bad_id} gave what it gave in run {self.good_id}: the answers differ by "
                "something that no step holds, so the code or the crew has changed in between."
            )

    def events(self, count: int) -> list[Event]:
        """What the fork begins with in which the first `count` suspects gave what they gave in the bad run."""
        chosen = self.suspects[:count]
        theirs = {step.key: step for step in chosen if step is not None}
        plan = self._plan(chosen)
        began = after_beginning(self.good_events)
        started = next(e for e in self.good_events if isinstance(e, RunStarted))
        forked = RunForked(
            at=started.at,
            origin=self.good_id,
            at_seq=began + 1,
            changes={"from": self.bad_id, "steps": [*theirs]},
        )
        ours = [step for step in self.good.steps.values() if step.key not in theirs]
        steps = [*(s for s in ours if not s.task_id), *(s for s in theirs.values() if not s.task_id)]
        rest = [*(s for s in ours if s.task_id), *(s for s in theirs.values() if s.task_id)]
        # All at one time: what is read back took no seconds of this run's budget.
        return [
            event.model_copy(update={"at": started.at})
            for event in (started, forked, *_last_tries(steps), *plan, *_last_tries(rest))
        ]

    def describe(self, count: int) -> tuple[StepDiff | None, str]:
        """The suspect with this number, and how it differs."""
        suspect = self.suspects[count - 1]
        compared = diff(self.good_events, self.bad_events)
        if suspect is None:
            return None, next(
                (task.planned for task in compared.tasks if task.planned), "the plan is another one"
            )
        step = next(step for task in compared.tasks for step in task.steps if step.key_b == suspect.key)
        said = step.output or step.inputs or f"step {step.name!r} of {place_of(step.task_id)} is {step.state}"
        return step, said

    def _is_in_good(self, step: StepAccount) -> bool:
        other = self.good.steps.get(step.key)
        return (
            other is not None
            and bool(other.over)
            and other.failed == step.failed
            and canonical(other.outcome) == canonical(step.outcome)
        )

    def _plan(self, chosen: Sequence[StepAccount | None]) -> list[Event]:
        """The plan to begin with; none where it has to be made again from other results of the planning."""
        if None in chosen:
            return _plan_events(self.bad_events)
        planned_anew = None in self.suspects and any(step is not None and not step.task_id for step in chosen)
        return [] if planned_anew else _plan_events(self.good_events)


def _plan_events(events: Sequence[Event]) -> list[Event]:
    return [e for e in events if isinstance(e, PlanMade) or (isinstance(e, TasksAdded) and not e.task_id)]


def _plan_text(events: Sequence[Event]) -> str:
    return canonical(
        [e.model_dump(mode="json", include={"tasks", "strategy", "then"}) for e in _plan_events(events)]
    )


def _last_tries(steps: Sequence[StepAccount]) -> Iterator[StepEvent]:
    """Of each step that has an outcome its last intent and that outcome."""
    for step in steps:
        if not step.over:
            continue
        end = step.events[-1]
        begun = next((e for e in reversed(step.events) if e.kind in ("step_intended", "asked")), None)
        if begun is not None:
            yield begun
        yield end
