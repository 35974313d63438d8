"""Many machines: workers killed at random moments, a worker cut off and healed, and what a second worker brings.

Real worker processes (`crewgraph worker`) on a real PostgreSQL. Every task has one `once` effect: a row in a table
without a unique key. Figures: `wrong` (runs without the right answer), `doubled` (effects that happened twice),
`missing` (effects that never happened), `takeover_s` (from a `kill -9` until nothing is held by the dead worker any more, the
worst), `begun_s` (until all that it held is under way elsewhere or over, the median), `late` (effects of the cut-off
worker after its work was taken over), `scaling` (throughput of 100 ms tasks with two workers over one).

The cut needs root, `ip netns` and a veth pair; where they cannot be had, that part is left out and says why.

    python benchmarks/cluster.py [--quick] [--seed N] [--json -]
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from _cluster_jobs import HERE as JOBS
from _cluster_jobs import RIGHT
from _report import Figures, finish, parser, table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from netns import Cable, cannot
from postgres import PostgresServer

WORKERS, TASKS = 3, 10
EFFECTS = "CREATE TABLE effects (run text, task text, key text, pid int, at float8)"


class WorkerProcess:
    """One `crewgraph worker`. `name` is its executor id."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self.process = process
        self.name = name

    @classmethod
    async def start(cls, url: str, folder: Path, *options: str, within: Sequence[str] = ()) -> WorkerProcess:
        def started() -> WorkerProcess:
            command = [
                *within,
                sys.executable,
                "-m",
                "crewgraph.serving.cli.main",
                "worker",
                "--database",
                url,
            ]
            log = folder / "workers.log"
            process = subprocess.Popen(
                [*command, *options],
                stdout=subprocess.PIPE,
                stderr=log.open("a"),
                text=True,
                env={**os.environ, "CREWGRAPH_HOME": str(folder)},
            )
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("Worker "):
                raise RuntimeError(f"the worker did not start: {log.read_text()[-800:]}")
            return cls(process, line.split()[1])

        return await asyncio.to_thread(started)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class World:
    """One cluster: its database, its workers, and whoever submits runs."""

    def __init__(self, url: str, store: Any, cluster: Any, sql: Any) -> None:
        self.url = url
        self.store = store
        self.cluster = cluster
        self.sql = sql

    @classmethod
    @asynccontextmanager
    async def open(cls, server: str, name: str) -> AsyncIterator[World]:
        import asyncpg

        from crewgraph.runtime.cluster.cluster import Cluster
        from crewgraph.runtime.store import open_store

        admin = await asyncpg.connect(server)
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()
        url = server.rsplit("/", 1)[0] + f"/{name}"
        async with AsyncExitStack() as stack:
            sql = await asyncpg.create_pool(url, min_size=1, max_size=3)
            stack.push_async_callback(sql.close)
            await sql.execute(EFFECTS)
            store = await stack.enter_async_context(open_store(url))
            cluster = await stack.enter_async_context(Cluster.open(url, store))
            yield cls(url, store, cluster, sql)

    async def submit(
        self, count: int, *, seconds: float, shape: str = "fan", effects: str | None
    ) -> list[str]:
        runs = []
        spec = {"seconds": seconds, "shape": shape, "effects": effects}
        for _ in range(count):
            journal = await self.store.create_run("bench", "count", claim=False)
            await journal.aclose()
            runs.append(journal.run_id)
        await asyncio.gather(*(self.cluster.submit(run, f"{JOBS}:conduct", spec) for run in runs))
        return runs

    async def wrong(self, runs: Sequence[str], seconds: float, right: str = RIGHT) -> int:
        """How many of these runs do not have the right answer in the end; why the first of them has none is printed."""
        async with asyncio.timeout(seconds):
            endings = await asyncio.gather(*(self.cluster.ending(run) for run in runs))
        for ending in [ending for ending in endings if ending.code][:1]:
            print(f"A run ended without an answer: {ending.error} ({ending.code})", file=sys.stderr)
        records = [await self.store.find_run(run) for run in runs]
        return sum(record.status != "finished" or record.answer != right for record in records)

    async def held(self, executor: str) -> set[str]:
        rows = await self.sql.fetch(
            "SELECT workflow_uuid FROM crewgraph_dbos.workflow_status WHERE executor_id = $1 AND status = 'PENDING'",
            executor,
        )
        return {row[0] for row in rows}

    async def waiting(self, workflows: set[str]) -> int:
        asked = "SELECT count(*) FROM crewgraph_dbos.workflow_status WHERE workflow_uuid = ANY($1) AND status = 'ENQUEUED'"
        return int(await self.sql.fetchval(asked, list(workflows)))


async def takeover(world: World, worker: WorkerProcess) -> tuple[float, float] | None:
    """Kill a worker: seconds until nothing is its own any more, and until nothing of that waits. None: it had nothing."""
    held = await world.held(worker.name)
    worker.kill()
    killed = time.perf_counter()
    if not held:
        return None
    while await world.held(worker.name):  # noqa: ASYNC110 - the database tells nobody
        await asyncio.sleep(0.01)
    taken = time.perf_counter() - killed
    while await world.waiting(held):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    return taken, time.perf_counter() - killed


class Crowd:
    """Three workers, one of which is killed now and then; a fresh one is begun in its place."""

    def __init__(self, world: World, folder: Path, chance: random.Random) -> None:
        self._world = world
        self._folder = folder
        self._chance = chance
        self._ready: list[WorkerProcess] = []
        self._starting: set[asyncio.Task[None]] = set()

    async def gather(self) -> None:
        for _ in range(WORKERS):
            self._begin_one()
        await asyncio.gather(*self._starting)

    async def lose_one(self) -> tuple[float, float] | None:
        """Kill a random one, as soon as another one lives to take over: see `takeover`."""
        while len(self._ready) < 2:
            await asyncio.wait(self._starting, return_when=asyncio.FIRST_COMPLETED)
        victim = self._ready.pop(self._chance.randrange(len(self._ready)))
        self._begin_one()
        return await takeover(self._world, victim)

    async def send_home(self) -> None:
        await asyncio.gather(*self._starting)
        for worker in self._ready:
            worker.kill()

    def _begin_one(self) -> None:
        task = asyncio.create_task(self._one())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _one(self) -> None:
        self._ready.append(await WorkerProcess.start(self._world.url, self._folder))


async def kills(
    server: str, folder: Path, runs: int, times: int, task_seconds: float, seed: int
) -> tuple[Figures, list[list[object]]]:
    """Runs over three workers, one of which is killed at a random moment, again and again."""
    chance = random.Random(seed)
    async with World.open(server, "kills") as world:
        crowd = Crowd(world, folder, chance)
        await crowd.gather()
        try:
            began = time.perf_counter()
            submitted = await world.submit(runs, seconds=task_seconds, effects=world.url)
            ended = asyncio.create_task(world.wrong(submitted, 600))
            taken: list[tuple[float, float]] = []
            killed = 0
            while killed < times and not ended.done():
                await asyncio.sleep(chance.uniform(0.1, 0.8))
                found = await crowd.lose_one()
                taken += [found] if found is not None else []
                killed += 1
            wrong = await ended
            seconds = time.perf_counter() - began
            count = await world.sql.fetchval("SELECT count(*) FROM effects")
            distinct = await world.sql.fetchval(
                "SELECT count(*) FROM (SELECT DISTINCT run, task FROM effects) AS e"
            )
        finally:
            await crowd.send_home()
    figures = {
        "wrong": float(wrong),
        "doubled": float(count - distinct),
        "missing": float(runs * TASKS - distinct),
        "kills": float(killed),
        "takeover_s": max((t for t, _ in taken), default=0.0),
        "begun_s": statistics.median([b for _, b in taken] or [0.0]),
    }
    rows: list[list[object]] = [
        ["runs (10 tasks each)", runs, ""],
        ["workers killed with kill -9", killed, ""],
        ["seconds in all", seconds, ""],
        ["runs without the right answer", wrong, "0"],
        ["effects twice", count - distinct, "0"],
        ["effects missing", runs * TASKS - distinct, "0"],
        ["seconds until nothing is held by the dead, worst", figures["takeover_s"], "<= 3"],
        ["seconds until all that is under way elsewhere, median", figures["begun_s"], ""],
    ]
    return figures, rows


async def cut(folder: Path, runs: int) -> tuple[Figures, list[list[object]]]:
    """A worker behind a cable of its own, which is cut while it works and mended later. Its effects go past the cable."""
    with Cable() as cable:
        server = PostgresServer(listen="*")
        server.start()
        effects = folder / "effects.db"
        with sqlite3.connect(effects) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(EFFECTS)
        try:
            async with World.open(server.url, "cut") as world:
                far_url = world.url.replace("127.0.0.1", cable.near)
                far = await WorkerProcess.start(far_url, folder, within=cable.within)
                near = await WorkerProcess.start(world.url, folder)
                try:
                    submitted = await world.submit(runs, seconds=0.1, effects=str(effects))
                    ended = asyncio.create_task(world.wrong(submitted, 120))
                    await asyncio.sleep(1.0)
                    held = len(await world.held(far.name))
                    cable.cut()
                    since = time.time()
                    while await world.held(far.name):  # noqa: ASYNC110 - the database tells nobody
                        await asyncio.sleep(0.02)
                    taken = time.time() - since
                    await asyncio.sleep(3.0)
                    cable.mend()
                    mended = time.time()
                    wrong = await ended
                    await asyncio.sleep(1.0)
                finally:
                    far.kill()
                    near.kill()
        finally:
            server.remove()
        with sqlite3.connect(effects) as db:
            count, distinct = db.execute(
                "SELECT count(*), count(DISTINCT run || '/' || task) FROM effects"
            ).fetchone()
            late = db.execute(
                "SELECT count(*) FROM effects WHERE pid = ? AND at BETWEEN ? AND ?",
                (far.process.pid, since + taken, mended),
            ).fetchone()[0]
    figures = {
        "wrong": float(wrong),
        "doubled": float(count - distinct),
        "missing": float(runs * TASKS - distinct),
        "late": float(late),
        "cut_s": taken,
    }
    rows: list[list[object]] = [
        ["runs", runs, ""],
        ["workflows held by the worker when it was cut off", held, ""],
        ["seconds until nothing is its own any more", taken, "<= 3"],
        ["effects of the cut-off worker after that", late, "0"],
        ["runs without the right answer", wrong, "0"],
        ["effects twice", count - distinct, "0"],
        ["effects missing", runs * TASKS - distinct, "0"],
    ]
    return figures, rows


async def throughput(server: str, folder: Path, workers: int, runs: int, each: int) -> float:
    """Tasks a second, of 100 ms and no effect, with so many workers that each carry so many at once."""
    async with World.open(server, f"scale{workers}_{random.randrange(10**6)}") as world:
        started = [
            await WorkerProcess.start(world.url, folder, "--concurrency", str(each)) for _ in range(workers)
        ]
        try:
            await world.wrong(await world.submit(workers, seconds=0.01, effects=None), 60, right="1")  # warm
            began = time.perf_counter()
            submitted = await world.submit(runs, seconds=0.1, shape="flat", effects=None)
            await world.wrong(submitted, 300, right="1")
            return runs * TASKS / (time.perf_counter() - began)
        finally:
            for worker in started:
                worker.kill()


async def scaling(
    server: str, folder: Path, runs: int, each: int, rounds: int
) -> tuple[Figures, list[list[object]]]:
    ratios: list[float] = []
    ones: list[float] = []
    twos: list[float] = []
    for _ in range(rounds):
        ones.append(await throughput(server, folder, 1, runs, each))
        twos.append(await throughput(server, folder, 2, 2 * runs, each))
        ratios.append(twos[-1] / ones[-1])
    rows: list[list[object]] = [
        [f"one worker, {each} at once: tasks a second", statistics.median(ones), ""],
        [f"two workers, {each} at once each: tasks a second", statistics.median(twos), ""],
        ["two over one", statistics.median(ratios), ">= 1.8"],
    ]
    return {"scaling": statistics.median(ratios)}, rows


@contextmanager
def _log_of(server: PostgresServer) -> Iterator[None]:
    """What PostgreSQL said last, where something goes wrong."""
    try:
        yield
    except BaseException:
        print((server._folder / "log").read_text()[-3000:], file=sys.stderr)
        raise


async def measured(options: Any) -> Figures:
    quick = options.quick
    head = ("", "found", "wanted")
    server = PostgresServer()
    server.start()
    figures: Figures = {}
    try:
        with _log_of(server), tempfile.TemporaryDirectory(prefix="crewgraph-cluster-") as place:
            folder = Path(place)
            found, rows = await kills(
                server.url,
                folder,
                40 if quick else 200,
                4 if quick else 20,
                0.1 if quick else 0.25,
                options.seed,
            )
            figures.update(found)
            table("Workers killed at random moments", head, rows)
            reason = cannot()
            if reason:
                print(f"\nA worker cut off and healed: left out, {reason}")
            else:
                found, rows = await cut(folder, 12 if quick else 40)
                table("A worker cut off from the database, and healed", head, rows)
                for name in ("wrong", "doubled", "missing"):
                    figures[name] += found.pop(name)
                figures.update(found)
            found, rows = await scaling(server.url, folder, 8 if quick else 24, 4, 1 if quick else 3)
            figures.update(found)
            table("Adding a worker (tasks of 100 ms)", head, rows)
    finally:
        server.remove()
    return figures


def main() -> int:
    made = parser(__doc__ or "", quick="40 runs, 4 kills, one measurement of the scaling")
    made.add_argument("--seed", type=int, default=20261122, help="of the moments at which workers are killed")
    options = made.parse_args()
    return finish(options, asyncio.run(measured(options)))


if __name__ == "__main__":
    sys.exit(main())
