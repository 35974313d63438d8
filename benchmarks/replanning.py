"""Tools fail in the middle of runs: does every run still end with an answer, or say what is missing?

Random crews and plans (chains, several sources into one comparison, maps over lists that are given or found, conditions,
reports that may be filed only once, calls about several places) go through the real orchestrator, scheduler and SQLite
journal. Faults are put into tools by a seed: an error, a timeout, a result of the wrong type, an empty result, each
once or for good; some tools have a stand-in, others none. What tools did is counted inside the tools, and
what the answer says is held against what the tools know.

Figures: `failures` (faults that struck), `runs`, `unfinished` (bar: 0; runs that ended neither with an answer nor with
an error that says what failed), `repeated` (bar: 0; calls made again after they had worked), `wrong` (bar: 0; answers
with a value that is not so, or that leave out something asked for without a word), `answered`, `stated_missing` (answers
that say what is missing), `stated_failed` (runs that ended with what failed, for nothing was left to answer with),
`replans` (plans put in the place of others), `most_replans` (in one run), `diverged` (bar: 0; replays of these runs that
came to anything else).

    python benchmarks/replanning.py [--seed 0] [--failures 200] [--quick] [--json -]

`--quick` stops after 40 failures.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from _broken_tools import KINDS, SHAPES, Scene, scene
from _report import Figures, finish, parser, table

from crewgraph import Task
from crewgraph.agents.aptitude import Aptitude
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.planner.asked import Asked
from crewgraph.planner.orchestrator import Orchestrator
from crewgraph.planner.plan import Plan
from crewgraph.planner.planner import Planner
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import CrewgraphError, Rejected, ReplayDiverged, TaskFailed
from crewgraph.runtime.events import PlanMade, RunFinished
from crewgraph.runtime.reading.replay import open_replay, to_its_end
from crewgraph.runtime.store import Store, open_store

_VALUE = re.compile(r"([A-Z][a-z]+): (?:[a-z ]+ )(-?[\d,]+)\b")


@dataclass
class Tally:
    """What was seen over all runs."""

    runs: int = 0
    failures: int = 0
    unfinished: int = 0
    repeated: int = 0
    wrong: int = 0
    answered: int = 0
    stated_missing: int = 0
    stated_failed: int = 0
    replans: int = 0
    most_replans: int = 0
    diverged: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)

    def figures(self) -> Figures:
        """The numbers by name."""
        return {name: float(value) for name, value in vars(self).items() if isinstance(value, int)}


@dataclass(frozen=True)
class _Planning(Planner):
    made: Plan = field(default_factory=lambda: Plan(tasks=(), strategy="made"))

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        return self.made


@dataclass(frozen=True)
class Conductor(Orchestrator):
    """The orchestrator, whose first plan is the scene's; all others are its own."""

    made: tuple[Task, ...] = ()

    def _planner(self, ctx: RunContext) -> Planner:
        plan = Plan(tasks=self.made, strategy="made")
        return _Planning(
            self.crew, self.client, lambda: self._aptitude(ctx), self.mode, self.services, made=plan
        )


async def one(store: Store, made: Scene, tally: Tally) -> None:
    """One run, looked at from all sides."""
    tally.runs += 1
    tally.shapes[made.shape] += 1
    journal = await store.create_run(made.crew.name, made.request)
    run_id, ended = journal.run_id, ""
    answer = ""
    async with journal:
        conductor = Conductor(made.crew, ScriptedModel(lambda _: "Noted."), _quiz, "rules", made=made.tasks)
        try:
            answer = (await conductor.carry_out(made.request, RunContext(journal))).answer
        except (TaskFailed, Rejected) as error:
            ended = str(error)
        except Exception as error:
            tally.unfinished += 1
            tally.odd.append(f"{made.shape}: ended with {type(error).__name__}: {error}")
    events = await store.events(run_id)
    plans = [event for event in events if isinstance(event, PlanMade)]
    tally.replans += len(plans) - 1
    tally.most_replans = max(tally.most_replans, len(plans) - 1)
    tally.failures += sum(made.struck.values())
    tally.struck += made.struck
    if made.repeated:
        tally.repeated += len(made.repeated)
        tally.odd.append(f"{made.shape}: again {made.repeated}")
    if answer:
        tally.answered += 1
        tally.stated_missing += bool(plans[-1].missing)
        finished = next(event for event in reversed(events) if isinstance(event, RunFinished))
        for problem in _wrong(made, answer, finished.evidence, plans[-1].missing):
            tally.wrong += 1
            tally.odd.append(f"{made.shape}: {problem} in {answer!r}")
    elif ended:
        tally.stated_failed += 1
        if not any(said in ended for said in made.reasons):
            tally.unfinished += 1
            tally.odd.append(f"{made.shape}: it does not say why: {ended}")
    await _again(store, run_id, made, answer, ended, tally)


def _wrong(made: Scene, answer: str, evidence: tuple[str, ...], missing: tuple[str, ...]) -> list[str]:
    """What is wrong with an answer: values that are not so, and what was asked for of which neither it, nor the evidence
    under it, nor what it says is missing has a word."""
    found: list[str] = []
    body = answer.split("Missing: ")[0]
    for place, said in _VALUE.findall("\n".join((body, *evidence))):
        if place in made.truth and int(said.replace(",", "")) not in made.truth[place]:
            found.append(f"{place} is said to be {said}, and is {sorted(made.truth[place])}")
    if any(bad in body for bad in made.nonsense):
        found.append("a result that is none")
    said = "\n".join((*missing, *evidence))
    found += [
        f"no word of {words[0]}"
        for words in made.asked
        if not any(word in body or word in said for word in words)
    ]
    return found


async def _again(store: Store, run_id: str, made: Scene, answer: str, ended: str, tally: Tally) -> None:
    """The run read back: nothing is called, and it comes to the same."""
    before = made.calls
    ctx = await open_replay(store, run_id)
    conductor = Conductor(made.crew, ForbiddenModel(), _quiz, "rules", made=made.tasks)
    try:
        with to_its_end(ctx):
            told = (await conductor.carry_out(made.request, ctx)).answer
    except ReplayDiverged as error:
        told = str(error)
    except CrewgraphError as error:
        told = "" if ended and not answer else str(error)
    if told != answer or made.calls != before:
        tally.diverged += 1
        tally.odd.append(f"{made.shape}: the replay came to {told[:200]!r}")


async def _quiz() -> Aptitude:
    return Aptitude(0, 10, "scripted")


async def _all(folder: Path, seed: int, failures: int) -> Tally:
    tally = Tally()
    async with open_store(folder / "runs.db") as store:
        number = 0
        while tally.failures < failures:
            chance = random.Random(f"{seed}/{number}")
            await one(store, scene(chance, SHAPES[number % len(SHAPES)]), tally)
            number += 1
    return tally


def main() -> int:
    """Print the tables."""
    flags = parser(__doc__ or "", quick="40 failures")
    flags.add_argument("--seed", type=int, default=0, help="which runs and faults (0)")
    flags.add_argument("--failures", type=int, default=200, help="how many faults strike at least (200)")
    options = flags.parse_args()
    failures = 40 if options.quick else options.failures
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")  # results of the wrong type
    with tempfile.TemporaryDirectory() as folder:
        tally = asyncio.run(_all(Path(folder), options.seed, failures))
    rows = [
        ("ended neither with an answer nor with what failed (bar: 0)", tally.unfinished),
        ("calls made again after they had worked (bar: 0)", tally.repeated),
        ("values that are not so, or left out without a word (bar: 0)", tally.wrong),
        ("replays that came to something else (bar: 0)", tally.diverged),
        ("answered", tally.answered),
        ("  of these, saying what is missing", tally.stated_missing),
        ("ended with what failed", tally.stated_failed),
        ("plans in the place of others", tally.replans),
        ("  most in one run", tally.most_replans),
    ]
    table(f"{tally.failures} failures of tools in {tally.runs} runs", ("", "runs"), rows)
    table("Faults that struck", ("", "times"), [(kind, tally.struck[kind]) for kind in KINDS])
    for line in tally.odd[:8]:
        print(f"  {line[:600]}")
    return finish(options, tally.figures())


if __name__ == "__main__":
    sys.exit(main())
