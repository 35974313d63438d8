"""One run that mixes a native agent, a LangGraph graph, a CrewAI crew and an AutoGen team, killed at random and resumed.

Each run is killed (`kill -9`, at seeded moments) a few times, also while it resumes, and then carried to its end. Every
model call and every note that is filed leaves a line outside of the journal, before it is made; these are held against
the journal. In the end each run is replayed, with a model that fails whoever calls it.

Figures: `kills`, and after how many of them the run was `resumed` to its end; `repeated_calls` (a model call was made
again whose reply the journal held), `doubled_effects` (a note was filed twice, or by no call of the journal),
`replay_calls` (model calls of replays), `wrong` (a run without an answer, with a replay that says otherwise or, with the
scripted model, with another answer than a run that nobody killed). `frameworks` are those installed here: CrewAI and
AutoGen need an environment with both (.ci/frameworks.sh makes one); without them they are left out.

    python benchmarks/mixed_crew.py [--kills 50] [--url URL | --embedded] [--seed N] [--quick] [--json -]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _mixed import digest, filed, installed
from _report import Figures, finish, parser, table

from crewgraph.runtime.events import Event, StepFinished, StepIntended
from crewgraph.runtime.store import open_store

SITTINGS = Path(__file__).with_name("_mixed.py")
PATIENCE = 300.0
"""Seconds that a sitting may take."""


def arguments() -> argparse.ArgumentParser:
    """The flags."""
    flags = parser(__doc__ or "", quick="3 kills of one run, with the scripted model")
    flags.add_argument("--kills", type=int, default=50, help="how often a run is killed (default 50)")
    flags.add_argument("--a-run", type=int, default=5, help="how often one run is killed at most (default 5)")
    flags.add_argument("--url", default="scripted", help="an engine (…/v1); default: a scripted model")
    flags.add_argument("--embedded", action="store_true", help="use the embedded engine")
    flags.add_argument("--seed", type=int, default=1, help="of all moments (default 1)")
    return flags


class Sitter:
    """A process that has imported everything and waits for the word to go."""

    def __init__(self, folder: Path) -> None:
        ours = os.environ | {
            "CREWAI_STORAGE_DIR": str(folder / "crewai"),
            "CREWAI_DISABLE_TELEMETRY": "true",
        }
        self._errors = (folder / f"errors-{time.monotonic_ns()}.txt").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(SITTINGS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=ours,
        )

    def begin(self, **order: str) -> None:
        """Give the word, and wait until it is heard."""
        assert self._process.stdin is not None
        self._heard("ready")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._heard("begun")

    def ended(self, within: float) -> dict[str, Any] | None:
        """What came of it, or None: it was killed after that many seconds."""
        try:
            said, _ = self._process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return None
        self._errors.seek(0)
        words = self._errors.read()[-600:]
        return json.loads(said.splitlines()[-1]) if self._process.returncode == 0 else {"failed": words}

    def end(self) -> None:
        """It is not needed any more."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _heard(self, word: str) -> None:
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()) and line.strip() != word:
            pass
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"a sitting did not begin: {self._errors.read()[-800:]}")


class Sitters:
    """Sitters, one of them always a sitting ahead: the next one imports while this one works."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = Sitter(folder)

    def take(self) -> Sitter:
        """One that is (nearly) ready."""
        taken, self._next = self._next, Sitter(self._folder)
        return taken

    def end(self) -> None:
        """End the one that waits."""
        self._next.end()


@dataclass
class Found:
    """What one run's journal and the world outside say."""

    kills: int = 0
    repeated: int = 0
    doubled: int = 0
    replay_calls: int = 0
    answer: str = ""
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0


def one_run(folder: Path, sitters: Sitters, url: str, moments: list[float]) -> Found:
    """A run that is killed at these moments, each so many seconds after a sitting began; carried to its end, replayed."""
    folder.mkdir()
    found, run_id = Found(), ""
    before: list[tuple[Counter[str], int]] = []
    done: dict[str, Any] | None = None
    for moment in [*moments, PATIENCE]:
        sitter = sitters.take()
        sitter.begin(do="sitting", folder=str(folder), run=run_id, url=url)
        began = time.monotonic()
        done = sitter.ended(moment)
        found.seconds = time.monotonic() - began
        found.kills += done is None
        run_id = asyncio.run(newest(folder))
        before.append((asyncio.run(finished(folder, run_id)), len(asked(folder))))
        if done is not None:
            break
    if done is None or "failed" in done:
        found.wrong.append(f"no answer: {(done or {}).get('failed', 'it took too long')}")
        return found
    found.answer, found.calls = done["answer"], len(asked(folder))
    found.repeated = repeated(asked(folder), before)
    keys = Counter(filed(folder))
    notes = asyncio.run(notes_of(folder, run_id))
    found.doubled = sum(keys.values()) - len(keys) + abs(len(keys) - notes)
    sitter = sitters.take()
    sitter.begin(do="replay", folder=str(folder), run=run_id, url=url)
    again = sitter.ended(PATIENCE) or {"failed": "it took too long"}
    if "failed" in again:
        found.wrong.append(f"the replay failed: {again['failed']}")
    else:
        found.replay_calls = again["calls"]
        if again["answer"] != found.answer:
            found.wrong.append("the replay has another answer")
    return found


def asked(folder: Path) -> list[str]:
    """The model calls that were made, in order."""
    file = folder / "asked.txt"
    return file.read_text("utf-8").splitlines() if file.exists() else []


def repeated(calls: list[str], before: list[tuple[Counter[str], int]]) -> int:
    """How many calls were made whose replies the journal held: more than were left to make when the sitting began."""
    whole, count, place, known = before[-1][0], 0, 0, Counter[str]()
    for held, upto in before:
        made = Counter(calls[place:upto])
        count += sum(max(0, times - (whole[call] - known[call])) for call, times in made.items())
        place, known = upto, held
    return count


async def newest(folder: Path) -> str:
    """The id of the run in this folder; "" where it was not written down yet."""
    if not (folder / "runs.db").exists():
        return ""
    async with open_store(folder / "runs.db") as store:
        runs = await store.list_runs(1)
    return runs[0].id if runs else ""


async def finished(folder: Path, run_id: str) -> Counter[str]:
    """The model calls whose replies are in the journal."""
    events = await events_of(folder, run_id)
    inputs = {e.key: e.inputs for e in events if isinstance(e, StepIntended) and e.name == "model"}
    return Counter(digest(inputs[e.key]) for e in events if isinstance(e, StepFinished) and e.key in inputs)


async def notes_of(folder: Path, run_id: str) -> int:
    """How many notes the journal says were filed."""
    events = await events_of(folder, run_id)
    begun = {e.key for e in events if isinstance(e, StepIntended) and e.name == "tool:file_note"}
    return len({e.key for e in events if isinstance(e, StepFinished) and e.key in begun})


async def events_of(folder: Path, run_id: str) -> list[Event]:
    """The journal of the run."""
    if not run_id:
        return []
    async with open_store(folder / "runs.db") as store:
        return list(await store.events(run_id))


def main() -> int:
    """Kill and resume until there were enough kills; print the table."""
    options = arguments().parse_args()
    kills = 3 if options.quick else options.kills
    url = "embedded" if options.embedded else options.url
    missing = {"CrewAI", "AutoGen"} - set(installed())
    if missing:
        print(
            f"{' and '.join(sorted(missing))}: not installed here and left out (.ci/frameworks.sh has them)"
        )
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="mixed-crew-", ignore_cleanup_errors=True) as made:
        place = Path(made)
        sitters = Sitters(place)
        try:
            calm = one_run(place / "calm", sitters, url, [])
            every = [calm]
            print(
                f"undisturbed: {calm.calls} model calls in {calm.seconds:.1f} s {' '.join(calm.wrong)}",
                flush=True,
            )
            span = calm.seconds  # a first run may have waited for its engine to warm up
            while (
                not calm.wrong and sum(found.kills for found in every) < kills and len(every) < 3 * kills + 3
            ):
                left = kills - sum(found.kills for found in every)
                moments = [chance.uniform(0, span) for _ in range(min(options.a_run, left))]
                folder = place / f"run{len(every)}"
                found = one_run(folder, sitters, url, moments)
                if url == "scripted" and not found.wrong and found.answer != calm.answer:
                    found.wrong.append("another answer than undisturbed")
                every.append(found)
                span = span if found.kills else min(span, found.seconds)
                for words in found.wrong:
                    print(f"run {len(every) - 1}: {words}", flush=True)
                print(
                    f"run {len(every) - 1}: {found.kills} kills at {', '.join(f'{m:.2f}' for m in moments)} s, "
                    f"{found.calls} model calls, {found.repeated} repeated",
                    flush=True,
                )
                if not found.wrong:
                    shutil.rmtree(folder, ignore_errors=True)
        finally:
            with contextlib.suppress(OSError):
                sitters.end()
    figures: Figures = {
        "frameworks": len(installed()) + 1,
        "kills": sum(found.kills for found in every),
        "resumed": sum(found.kills for found in every if not found.wrong),
        "repeated_calls": sum(found.repeated for found in every),
        "doubled_effects": sum(found.doubled for found in every),
        "replay_calls": sum(found.replay_calls for found in every),
        "wrong": sum(bool(found.wrong) for found in every),
        "runs": len(every),
        "calls_a_run": calm.calls,
    }
    bars = {"repeated_calls": 0, "doubled_effects": 0, "replay_calls": 0, "wrong": 0}
    table(
        f"A run of {', '.join(['native', *installed()])} on {url}, killed and resumed",
        ("figure", "value", "bar"),
        [(name, value, bars.get(name, "")) for name, value in figures.items()],
    )
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
