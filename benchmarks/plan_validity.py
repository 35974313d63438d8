"""Plans: whether every one that leaves the planner can be carried out, and whether the checker notices when one cannot.

Random crews (agents, tools with typed arguments of many kinds, effects) and random requests, drawn by hypothesis, are
planned by the real planner, by the rules and then by a model that fills in the form of the plan at random and breaks it on
purpose, so that plans are refused and mended. Every plan that leaves the planner is judged by a second opinion that shares
nothing with the checker: it makes up results, fills the arguments in and holds them against the tools (`plans/judge.py`).
Then these plans, and richer ones made at random, are broken in about fifty ways; those that the second opinion calls broken
are mutants, and the checker has to catch them.

Figures: `plans` that left the planner, `invalid` of them by the second opinion; `mutants`, `missed` by the checker, and
`mutation_score`, the share caught. Also `refused`, requests for which only a refusal left the planner (`crashed`: an error of
its own), `rich` plans, `secured`, those of them in which tasks were put in an order or marked for approval, `unordered`, those
left with two tasks that change one thing side by side, and `overstrict`, the share of valid rich plans that the checker refuses.

    python benchmarks/plan_validity.py [--quick] [--seed N] [--plans N] [--json -]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from _report import finish, parser, table
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from plans.crews import Case, asked
from plans.judge import Limits, side_by_side, verdict
from plans.mutants import WAYS, Mutant, mutants
from plans.written import rich, scripted

from crewgraph import Crew, Message, Task
from crewgraph.agents.aptitude import Aptitude
from crewgraph.planner.checking.checker import check
from crewgraph.planner.checking.securing import secure
from crewgraph.planner.plan import wrong
from crewgraph.planner.planner import Mode, Planner
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import CrewgraphError
from crewgraph.runtime.store import Store, open_store

PLANS, QUICK = 2000, 150
BROKEN, PLAIN = 8, 2
"""So often a plan is broken; one without any tool call less often, for there is little to break."""
_FEW = 3
_WIDE = 240
"""Characters of a plan that is shown."""
SHOWN = 12
CRASHED = "crashed"


class Tally:
    """What has been found so far."""

    def __init__(self) -> None:
        self.plans: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.invalid: list[str] = []
        self.made: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.crashed = 0
        self.ordered = 0
        self.unordered: list[str] = []
        self.rich = 0
        self.overstrict: list[str] = []

    def judge(self, case: Case, mode: Mode, tasks: tuple[Task, ...], strategy: str) -> None:
        """A plan has left the planner."""
        self.plans[strategy] += 1
        why = verdict(tasks, case.crew, Limits(case.budget), case.seed) or side_by_side(tasks, case.crew)
        if why is not None:
            self.invalid.append(f"{mode}: {case.request!r}: {why}: {shown(tasks)}")

    def hold(self, name: str, mutant: Mutant, crew: Crew, seed: int) -> None:
        """A plan was broken: whether the checker notices."""
        why = verdict(mutant.tasks, crew, mutant.limits, seed)
        if why is None:
            return
        self.made[name] += 1
        limits = mutant.limits
        if not wrong(check(mutant.tasks, crew, budget=limits.budget, forbidden=limits.forbidden)):
            self.missed[name] += 1
            self.examples.setdefault(name, f"{why}: {shown(mutant.tasks)}")

    def hold_rich(self, case: Case, chance: random.Random) -> tuple[Task, ...] | None:
        """A rich plan, made at random and valid by the second opinion."""
        tasks = rich(case.crew, chance)
        if verdict(tasks, case.crew, seed=case.seed) is not None:
            return None
        self.rich += 1
        found = wrong(check(tasks, case.crew))
        if found:
            self.overstrict.append(f"{found[0]}: {shown(tasks)}")
        if not found:
            made = secure(tasks, case.crew, risky="ask")
            why = verdict(made.tasks, case.crew, seed=case.seed) or side_by_side(made.tasks, case.crew)
            if why is not None and not wrong(made.findings):
                self.unordered.append(f"{why}: {shown(made.tasks)}")
            self.ordered += made.tasks != tasks
        return None if found else tasks


def shown(tasks: tuple[Task, ...]) -> str:
    return "; ".join(
        f"{t.id}={t.tool}{t.args}"
        + (f" each {t.each}" if t.each is not None else "")
        + (f" when {t.when.value} {t.when.test} {t.when.to}" if t.when else "")
        + (f" after {','.join(t.depends_on)}" if t.depends_on else "")
        for t in tasks[:8]
    )[:600]


async def planned(case: Case, mode: Mode, store: Store) -> tuple[tuple[Task, ...], str] | str:
    """The tasks of a plan that left the planner, and who made it; where it was refused, why."""

    async def aptitude() -> Aptitude:
        return Aptitude(10, 10, "scripted")

    planner = Planner(case.crew, scripted(case.seed), aptitude, mode)
    journal = await store.create_run(case.crew.name, case.request[:100])
    try:
        ctx = RunContext(journal, budget=case.budget)
        history = [Message("user", case.earlier)] if case.earlier.strip() else []
        plan = await planner.plan(await planner.asked(case.request, ctx, history), ctx)
    except CrewgraphError as error:
        return str(error)
    except Exception as error:
        return f"{CRASHED}: {type(error).__name__}: {error}"
    finally:
        await journal.aclose()
    return plan.tasks, plan.strategy


def main(options: argparse.Namespace) -> int:
    number = options.plans or (QUICK if options.quick else PLANS)
    tally = Tally()
    logging.getLogger("crewgraph").setLevel(logging.ERROR)
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        opened = open_store(Path(folder) / "plans.db")
        store = runner.run(opened.__aenter__())

        def one(case: Case) -> None:
            chance = random.Random(case.seed)
            modes: tuple[Mode, ...] = ("rules", "auto") if not case.crew.tasks else ("rules",)
            bases: list[tuple[Task, ...]] = []
            for mode in modes:
                found = runner.run(planned(case, mode, store))
                if isinstance(found, str):
                    tally.refused[found[:160]] += 1
                    tally.crashed += found.startswith(CRASHED)
                    continue
                tally.judge(case, mode, *found)
                bases.append(found[0])
            if (made := tally.hold_rich(case, chance)) is not None:
                bases.append(made)
            for base in bases:
                for name, mutant in mutants(
                    base, case.crew, chance, BROKEN if any(t.tool for t in base) else PLAIN
                ):
                    tally.hold(name, mutant, case.crew, case.seed)

        drawn = settings(
            max_examples=number,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(seeded(options.seed)(given(asked())(one)))
        drawn()
        runner.run(opened.__aexit__(None, None, None))
    return report(options, tally)


def _short(line: str) -> str:
    return line if len(line) <= _WIDE else line[: _WIDE - 1] + "…"


def report(options: argparse.Namespace, tally: Tally) -> int:
    rows = [(name, count) for name, count in sorted(tally.plans.items())]
    table("Plans that left the planner", ("made by", "plans"), rows)
    plans, made, missed = tally.plans.total(), tally.made.total(), tally.missed.total()
    print(f"invalid by the second opinion: {len(tally.invalid)}; refused: {tally.refused.total()}")
    for said, count in tally.refused.most_common(SHOWN):
        print(f"  {count} × {_short(said)}")
    for line in tally.invalid[:SHOWN]:
        print(f"  {_short(line)}")
    ways = [(n, tally.made[n], tally.made[n] - tally.missed[n], tally.missed[n]) for n in WAYS]
    table(
        "Broken plans", ("way", "mutants", "caught", "missed"), [*ways, ("all", made, made - missed, missed)]
    )
    for name, line in tally.examples.items():
        print(f"  {name}: {_short(line)}")
    print(
        f"rich plans: {tally.rich} valid by the second opinion, {len(tally.overstrict)} of them refused by the checker"
    )
    print(
        f"of these, {tally.ordered} were secured, and {len(tally.unordered)} left with two tasks that change one thing"
    )
    for line in dict.fromkeys([*tally.unordered, *tally.overstrict[:_FEW]]):
        print(f"  {_short(line)}")
    return finish(
        options,
        {
            "plans": plans,
            "invalid": len(tally.invalid),
            "mutation_score": (made - missed) / made if made else 0.0,
            "mutants": made,
            "missed": missed,
            "ways": len([name for name in WAYS if tally.made[name]]),
            "crashed": tally.crashed,
            "refused": tally.refused.total(),
            "rich": tally.rich,
            "secured": tally.ordered,
            "unordered": len(tally.unordered),
            "overstrict": len(tally.overstrict) / tally.rich if tally.rich else 0.0,
        },
    )


if __name__ == "__main__":
    flags = parser(__doc__, quick=f"{QUICK} crews in place of {PLANS:,}")
    flags.add_argument("--seed", type=int, default=7, help="what is drawn (7)")
    flags.add_argument("--plans", type=int, help=f"so many crews and requests ({PLANS:,})")
    sys.exit(main(flags.parse_args()))
