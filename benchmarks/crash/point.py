"""Point: one run that is killed at a random moment, perhaps more than once, resumed until it ends, and judged."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from crash import children, person, verdict
from crash.job import Job, make_job
from crash.sitting import ASKS, FINISHED, Sitting
from crash.trap import Trap
from crash.verdict import Verdict
from crash.world import World

_JOBS = 24
_SITTINGS = 40
_DRAWS = 12
_WITHIN_OPENING = 0.35
"""Up to which part of a database's own crossings one counts as opening, in a fresh database."""


class Moment(NamedTuple):
    """When a process dies: after so many seconds, or when it crosses the boundary `where` for the `at`-th time."""

    kind: str
    where: str = ""
    at: int = 0
    seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.seconds:.3f} s" if self.where == "" else f"{self.where} {self.at}"


NEVER = Moment("never")


class Profile(NamedTuple):
    """An undisturbed run of a job: how long it took, in seconds, and how often each boundary was crossed."""

    seconds: float
    crossed: Mapping[str, int]


Profiles = dict[tuple[str, int], Profile]
"""By store and job."""


@dataclass
class Place:
    """Where runs of one kind of store are kept: `fresh` makes an empty database, `shared` one that is in use."""

    name: str
    shared: Callable[[Path], str]
    fresh: Callable[[Path], str]


@dataclass
class Report:
    """What came of a point: how it died, each time, and the verdict."""

    number: int
    store: str
    job: int
    moments: list[str] = field(default_factory=list)
    kind: str = ""
    sittings: int = 0
    asked: int = 0
    verdict: Verdict = field(default_factory=Verdict)


class Run:
    """One run in its folder: its sittings, and the person who answers, each in a process of its own."""

    def __init__(self, folder: Path, database: str, run_id: str, job: Job, seed: int) -> None:
        self.folder = folder
        self.database = database
        self.run_id = run_id
        self.job = job
        self.world = World(folder)
        self.sittings = 0
        self.asked = 0
        self._rng = random.Random(f"run {seed}")

    def make(self) -> None:
        """An empty folder and an empty world."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.world.make()
        self.world.close()

    def sit(
        self, moment: Moment = NEVER, before: Callable[[], None] | None = None, **more: Any
    ) -> children.Ended:
        """One sitting, which dies at this moment. `before` is called in its process first."""
        return children.run(self.sitting(moment, before, **more), self.folder / "said", moment.seconds)

    def sitting(
        self,
        moment: Moment = NEVER,
        before: Callable[[], None] | None = None,
        *,
        opened: Callable[[], None] | None = None,
        **more: Any,
    ) -> Callable[[], int]:
        """What the process of one sitting does. `opened` is called in it when it has opened the database."""
        self.sittings += 1
        seed, trap = self._rng.getrandbits(32), Trap(moment.where, moment.at)

        def work() -> int:
            if before is not None:
                before()
            if opened is not None:
                trap.on["opened"] = opened
            trap.install(self.world, self.database)
            made = Sitting(self.database, self.run_id, self.job, self.world, trap=trap, seed=seed, **more)
            try:
                return made.go()
            finally:
                trap.save(self.folder / "crossed")

        return work

    def ask(self, kill_after: float | None = None) -> children.Ended:
        """A person looks what is open, and answers it."""
        self.asked += 1
        way: person.Way = self._rng.choice(("answer", "settle"))
        seed = self._rng.getrandbits(32)
        work = partial(person.go, self.database, self.run_id, self.world, way, seed)
        return children.run(work, self.folder / "said", kill_after)

    def finish(self) -> None:
        """Resume it, and answer what it asks, until it ends.

        Raises:
            RuntimeError: it ended otherwise, or never.
        """
        for _ in range(_SITTINGS):
            ended = self.sit()
            if ended.code == FINISHED:
                return
            if ended.code != ASKS:
                raise RuntimeError(f"A sitting ended with {ended.code}: {self.said()}")
            if self.ask().code != 0:
                raise RuntimeError(f"The person could not answer: {self.said()}")
        raise RuntimeError(f"After {_SITTINGS} sittings there is no answer: {self.said()}")

    def judge(self) -> Verdict:
        """The verdict on it, made in a process of its own."""
        if children.run(self.judge_here, self.folder / "said").code != 0:
            return Verdict(wrong=[f"no verdict could be made: {self.said()}"])
        return Verdict.load(self.folder / "verdict")

    def judge_here(self) -> int:
        """Judge it in this process, and save the verdict; 0."""
        sitting = Sitting(self.database, self.run_id, self.job, self.world, trap=Trap(), seed=0)
        path = self.folder / "verdict"
        return verdict.go(self.database, self.run_id, self.job, self.world, sitting, path)

    def said(self) -> str:
        """The end of what its processes printed."""
        log = self.folder / "said"
        return log.read_text()[-1500:] if log.exists() else ""


def profile(place: Place, folder: Path, seed: int) -> Profile | Verdict:
    """Carry a job out undisturbed. The verdict on it where that alone goes wrong."""
    run = Run(folder, "", f"undisturbed-{place.name}-{seed}-{folder.parent.name}", make_job(seed), seed)
    run.make()
    try:
        run.database = place.shared(folder)
        ended = run.sit()
        crossed: dict[str, int] = json.loads((folder / "crossed").read_text())
        if ended.code != FINISHED:
            run.ask()
            run.finish()
        found = run.judge()
    except (RuntimeError, OSError) as error:
        found = Verdict(wrong=[str(error)])
    return Profile(ended.seconds, crossed) if found.clean else found


def first_moment(rng: random.Random, kind: str, undisturbed: Profile, attempt: int) -> Moment:
    """A moment within a whole run. The more attempts went by unharmed, the earlier."""
    part = 0.8**attempt
    if kind == "time":
        return Moment(kind, seconds=rng.random() * undisturbed.seconds * part)
    crossed = undisturbed.crossed
    if kind in ("database", "opening"):
        where = rng.choice([name for name in ("statement", "packet", "sent") if name in crossed])
        part *= _WITHIN_OPENING if kind == "opening" else 1
    else:
        where = rng.choice([name for name in sorted(crossed) if name not in ("statement", "packet", "sent")])
    return Moment(kind, where, rng.randint(1, max(1, int(crossed[where] * part))))


def later_moment(rng: random.Random, undisturbed: Profile) -> Moment:
    """A moment within a resumed run, of which there is less."""
    if rng.random() < 0.5:
        return Moment("time", seconds=rng.random() ** 2 * undisturbed.seconds)
    where = rng.choice(sorted(undisturbed.crossed))
    return Moment("boundary", where, rng.randint(1, max(1, undisturbed.crossed[where] // 4)))


def go(number: int, seed: int, place: Place, folder: Path, profiles: Profiles) -> Report:
    """Carry out point `number`. `profiles` are those that are known, and are added to."""
    rng = random.Random(f"{seed} {place.name} {number}")
    job_seed = seed * 1000 + rng.randrange(_JOBS)
    if (place.name, job_seed) not in profiles:
        found = profile(place, folder.parent / f"job-{place.name}-{job_seed}", job_seed)
        if isinstance(found, Verdict):
            return Report(number, place.name, job_seed, ["undisturbed"], "undisturbed", verdict=found)
        profiles[place.name, job_seed] = found
    undisturbed = profiles[place.name, job_seed]
    kind = rng.choices(("time", "boundary", "database", "opening"), (40, 38, 12, 10))[0]
    kills = rng.choices((1, 2, 3, 4), (50, 28, 15, 7))[0]
    report = Report(number, place.name, job_seed, kind=kind)
    for attempt in range(_DRAWS):
        run = Run(folder, "", f"p{seed}-{number}-{attempt}", make_job(job_seed), number)
        run.make()
        run.database = place.fresh(folder) if kind == "opening" else place.shared(folder)
        report.moments.clear()
        try:
            _kill_and_resume(
                run, rng, report, first_moment(rng, kind, undisturbed, attempt), kills, undisturbed
            )
            if not report.moments:  # it was over before its moment came
                continue
            run.finish()
            report.verdict = run.judge()
        except RuntimeError as error:
            report.verdict = Verdict(wrong=[str(error)])
        break
    report.sittings, report.asked = run.sittings, run.asked
    return report


def _kill_and_resume(
    run: Run, rng: random.Random, report: Report, moment: Moment, kills: int, undisturbed: Profile
) -> None:
    while len(report.moments) < kills:
        ended = run.sit(moment)
        if ended.code is None:
            report.moments.append(str(moment))
        elif ended.code == FINISHED:
            return
        elif ended.code != ASKS:
            raise RuntimeError(f"A sitting ended with {ended.code}: {run.said()}")
        if ended.code == ASKS or rng.random() < 0.15:
            # Whoever answers may be killed as well, or looks at a run that nobody has resumed yet.
            dies = rng.random() * 0.1 if rng.random() < 0.15 else None
            answered = run.ask(dies)
            if answered.code is None:
                report.moments.append(f"answering {dies:.3f} s")
            elif answered.code != 0:
                raise RuntimeError(f"The person could not answer: {run.said()}")
        moment = later_moment(rng, undisturbed)
