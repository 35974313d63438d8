"""Mishaps: what else may befall a run. PostgreSQL restarts, the disk is full, the database is locked, two resume.

Each round is one run. A wrong outcome is one where the run does not end as it should, says nothing or too much of
what is wrong, or its verdict (see `verdict`) is not clean.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import select
import shutil
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from _report import Figures, table

from crash import children
from crash.job import make_job
from crash.point import Moment, Place, Run
from crash.sitting import ASKS, FAILED, FINISHED, REFUSED
from crash.stores import Stores, new_database
from crash.trap import replace
from crewgraph.runtime.events import Event, StepErred, StepFinished, StepIntended, TaskFinished
from crewgraph.runtime.journalling.journal import Journal

_SLOW = 0.04
"""Seconds that an effect takes at most, where something has to befall the run in its middle."""
_MIDDLE = 0.5
"""Seconds, about, from the beginning of such a run to its end."""
_HELD = 1.5
_TRIES = 5
_LATE = 60.0
_NEW_NAMESPACE, _PRIVATE = 0x00020000, 0x40000 | 0x4000


class Row(NamedTuple):
    """One mishap: its figure, what it is called, how many rounds there were, what was wrong. `left_out` says why."""

    figure: str
    words: str
    rounds: int = 0
    wrong: Sequence[str] = ()
    left_out: str = ""


def show(stores: Stores, seed: int, rounds: int) -> Figures:
    """Let all of them happen, and print what came of it."""
    rng = random.Random(f"mishaps {seed}")
    rows = [
        _restarts(stores, rng, rounds),
        _contests(stores, rng, rounds),
        _full_disks(stores, rng, rounds),
        _locks(stores, rng, rounds),
        _two(stores, rng, rounds),
    ]
    head = ("mishap", "rounds", "wrong")
    table("What else may befall a run", head, [(r.words, r.left_out or r.rounds, len(r.wrong)) for r in rows])
    for row in rows:
        for sentence in row.wrong[:6]:
            print(f"  {row.figure}: {sentence[:1200]}")
    return {row.figure: float(len(row.wrong)) for row in rows if not row.left_out}


def _restarts(stores: Stores, rng: random.Random, rounds: int) -> Row:
    """PostgreSQL is stopped as in a crash, and started again, while a run goes on: nobody has to resume it."""
    row = Row("restart_ok", "PostgreSQL restarted: the run goes on by itself")
    if stores.server is None:
        return row._replace(left_out="left out")
    with stores.own_server() as server:

        def one(number: int) -> list[str]:
            run = _run(stores, f"restart-{number}", rng)
            run.database = new_database(server.url, f"restart_{number}", run.folder)
            child = _begun(run)
            for _ in range(rng.choice((1, 2))):
                time.sleep(rng.random() * _MIDDLE)
                server.restart("immediate")
            return _by_itself(run, children.wait(child))

        return _rounds(row, rounds, one)


def _contests(stores: Stores, rng: random.Random, rounds: int) -> Row:
    """PostgreSQL restarts, and another process tries to take the run over from the one that lives.

    In every other round that one is stopped meanwhile, as on a laptop that is closed, and wakes up when its run is
    another's. It is stopped between two effects: of one that is under way nobody can know what will become of it.
    """
    row = Row("contest_ok", "PostgreSQL restarted, and another process resumes: one of them does")
    if stores.server is None:
        return row._replace(left_out="left out")
    with stores.own_server() as server:

        def one(number: int) -> list[str]:
            run = _run(stores, f"contest-{number}", rng)
            run.database = new_database(server.url, f"contest_{number}", run.folder)
            stopped = number % 2 == 1
            first = _begun(run, _stopping(run, rng.randint(1, 12)) if stopped else None)
            if stopped:
                _until(lambda: bool(run.world.left("stopped")))
            else:
                time.sleep(rng.random() * _MIDDLE)
            server.restart("immediate")
            code: int | None = REFUSED
            late = time.monotonic() + _LATE
            while code == REFUSED and time.monotonic() < late:
                code = run.sit(patience=0.0).code
                time.sleep(0.02)
            if stopped:
                os.kill(first, signal.SIGCONT)
            codes = [code, children.wait(first).code]
            right = {FINISHED, ASKS, FAILED} if not stopped else {FINISHED, ASKS}
            wrong = [] if code in right else [f"they ended with {codes}: {run.said()}"]
            if stopped and (codes[1] != FAILED or "taken over by another process" not in run.said()):
                wrong.append(f"the one that woke up ended with {codes[1]}: {run.said()}")
            return wrong + _resumed(run)

        return _rounds(row, max(2, rounds), one)


def _full_disks(stores: Stores, rng: random.Random, rounds: int) -> Row:
    """The disk of the database fills up: one sentence says so; with space again, the run goes on to its answer."""
    row = Row("disk_full_ok", "SQLite, disk full: says so, and goes on when there is space")
    place = next((place for place in stores.places if place.name == "sqlite"), None)
    if place is None:
        return row._replace(left_out="left out")
    folder = stores.folder / "disk"
    disk, found = folder / "small", folder / "found.json"
    disk.mkdir(parents=True)

    def work() -> int:
        if not _own_disk(disk):
            return 1
        row = _rounds(
            Row("", ""), rounds, lambda number: _full_disk(stores, rng, f"full-{number}", disk, place)
        )
        found.write_text(json.dumps(row.wrong))
        return 0

    code = children.wait(children.start(work, folder / "said"), patience=_LATE * (1 + rounds)).code
    if code == 1:
        return row._replace(left_out="needs root")
    if code != 0:
        return row._replace(rounds=rounds, wrong=[(folder / "said").read_text()[-1500:]])
    return row._replace(rounds=rounds, wrong=json.loads(found.read_text()))


def _full_disk(stores: Stores, rng: random.Random, name: str, disk: Path, place: Place) -> list[str]:
    room = rng.choice((1_500_000, 500_000, 100_000))
    while True:
        run = _run(stores, name, rng)
        for left in disk.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        run.database = place.shared(disk)
        free, ballast = os.statvfs(disk), disk / "ballast"
        ballast.write_bytes(b"\0" * max(0, free.f_bavail * free.f_frsize - rng.randrange(room)))
        code, said = run.sit().code, run.said()
        ballast.unlink()
        if code not in (FINISHED, ASKS):
            break
        room //= 2  # there was room enough
    wrong = [] if code == FAILED else [f"on a full disk it ended with {code}: {said}"]
    if code == FAILED and ("free some space" not in said or said.count("\n") != 1):
        wrong.append(f"on a full disk it said: {said}")
    return wrong + _resumed(run)


def _locks(stores: Stores, rng: random.Random, rounds: int) -> Row:
    """Another program locks the database: the run waits, or where it has no more patience, says so."""
    row = Row("locked_ok", "SQLite locked by another program: waits, or says so")
    place = next((place for place in stores.places if place.name == "sqlite"), None)
    if place is None:
        return row._replace(left_out="left out")

    def one(number: int) -> list[str]:
        patient = number % 2 == 0
        run = _run(stores, f"lock-{number}", rng)
        run.database = place.shared(run.folder)
        child = _begun(run, None if patient else _impatient)
        time.sleep(rng.random() * _MIDDLE / 2)
        holder = children.start(_holding(run.database, _HELD), run.folder / "holder")
        ended = children.wait(child)
        children.wait(holder)
        if patient or ended.code in (FINISHED, ASKS):
            return _by_itself(run, ended)
        said = run.said()
        if ended.code == FAILED and "another program holds it" in said and said.count("\n") == 1:
            return _resumed(run)
        return [f"a run without patience ended with {ended.code}: {said}", *_resumed(run)]

    return _rounds(row, 2 * rounds, one)


def _two(stores: Stores, rng: random.Random, rounds: int) -> Row:
    """Two processes resume one killed run at the same moment: one carries it out, the other says that it does not."""
    row = Row("two_resume_ok", "two processes resume one run: one does, the other says so")

    def one(number: int) -> list[str]:
        place = stores.places[number % len(stores.places)]
        wrong: list[str] = []
        for attempt in range(_TRIES):
            run = _run(stores, f"two-{number}-{attempt}", rng)
            run.database = place.shared(run.folder)
            if run.sit(Moment("boundary", "before task_finished", rng.randint(1, 12))).code is not None:
                continue
            run.ask()  # whoever answers waits until the database has noticed that the killed one is dead
            codes = _at_once(run)
            wrong += _resumed(run)
            if codes.count(REFUSED) == 1 and (FINISHED in codes or ASKS in codes):
                return wrong
            if not set(codes) <= {FINISHED, ASKS}:
                return [*wrong, f"on {place.name} they ended with {codes}: {run.said()}"]
            # Who comes only when the other is done is not refused, and proves nothing.
        return [*wrong, f"on {place.name} nobody was refused in {_TRIES} attempts"]

    return _rounds(row, 2 * rounds, one)


def _at_once(run: Run) -> list[int | None]:
    """How two sittings end that have both opened the database before one of them may claim the run."""
    ready, go = os.pipe(), os.pipe()

    def opened() -> None:
        os.write(ready[1], b"r")
        os.read(go[0], 1)

    sittings = [run.sitting(patience=0.0, pace=_SLOW, opened=opened) for _ in range(2)]
    both = [children.start(sitting, run.folder / "said") for sitting in sittings]
    there = b""
    while len(there) < len(both) and select.select([ready[0]], [], [], _LATE)[0]:
        there += os.read(ready[0], len(both))
    os.write(go[1], b"go")
    codes = [children.wait(child).code for child in both]
    for end in (*ready, *go):
        os.close(end)
    return codes


def _rounds(row: Row, rounds: int, one: Callable[[int], list[str]]) -> Row:
    """The row, after so many rounds of this; one that is stuck is a wrong outcome too."""
    wrong: list[str] = []
    for number in range(rounds):
        try:
            wrong += one(number)
        except RuntimeError as error:
            wrong.append(f"round {number}: {error}")
    return row._replace(rounds=rounds, wrong=wrong)


def _run(stores: Stores, name: str, rng: random.Random) -> Run:
    run = Run(stores.folder / name, "", name, make_job(rng.randrange(1000)), rng.getrandbits(32))
    run.make()
    return run


def _begun(run: Run, before: Callable[[], None] | None = None) -> int:
    """A slow sitting under way: its process has begun the run."""
    child = children.start(run.sitting(before=before, pace=_SLOW), run.folder / "said")
    _until(lambda: bool(run.world.left("told")))
    return child


def _until(this: Callable[[], bool]) -> None:
    late = time.monotonic() + _LATE / 2
    while not this():
        if time.monotonic() > late:
            raise RuntimeError("what was waited for has not come")
        time.sleep(0.005)


def _by_itself(run: Run, ended: children.Ended) -> list[str]:
    """What is wrong with a run that should have gone on by itself."""
    if ended.code not in (FINISHED, ASKS):
        return [f"it did not go on by itself ({ended.code}): {run.said()}", *_resumed(run)]
    return _resumed(run)


def _resumed(run: Run) -> list[str]:
    """What is wrong with a run once it has been resumed to its end."""
    try:
        if run.world.left("told"):
            run.ask()
        run.finish()
    except RuntimeError as error:
        return [str(error)]
    found = run.judge()
    return [] if found.clean else [f"{run.run_id}: {found} {run.said()}"]


def _stopping(run: Run, tasks: int) -> Callable[[], None]:
    """Before a sitting: its process stops itself when so many tasks are over and no effect is under way."""

    def before() -> None:
        write = Journal.write
        under_way: set[str] = set()
        over = 0

        def watched(journal: Journal, event: Event, *, wait: bool = False) -> Awaitable[None] | None:
            nonlocal over
            if over == tasks and not under_way:
                over += 1
                run.world.leave("stopped", tasks)
                os.kill(os.getpid(), signal.SIGSTOP)
            if isinstance(event, StepIntended) and event.effect != "read_only":
                under_way.add(event.key)
            elif isinstance(event, StepFinished | StepErred):
                under_way.discard(event.key)
            elif isinstance(event, TaskFinished) and over < tasks:
                over += 1
            return write(journal, event, wait=wait)

        replace(Journal, "write", watched)

    return before


def _impatient() -> None:
    import crewgraph.runtime.store.sqlite.file as file

    file._BUSY_SECONDS = 0.4


def _holding(database: str, seconds: float) -> Callable[[], int]:
    def hold() -> int:
        connection = sqlite3.connect(database, timeout=30, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        connection.execute("COMMIT")
        connection.close()
        return 0

    return hold


def _own_disk(folder: Path) -> bool:
    """Mount a small disk that only this process and its children see; whether that could be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(
        libc.unshare(_NEW_NAMESPACE) == 0
        and libc.mount(b"none", b"/", None, _PRIVATE, None) == 0
        and libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=6m") == 0
    )
