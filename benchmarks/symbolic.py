"""Symbolic planning: every Blocksworld and Logistics instance solved, in tenths of a second, and validated by somebody else.

    python benchmarks/symbolic.py                     # all instances; a few minutes
    python benchmarks/symbolic.py --quick             # every sixth instance, under a minute
    python benchmarks/symbolic.py --data ../shared/data --json -

The instances are PDDL files below DATA/pddl (Blocksworld and Logistics of the International Planning Competition, as
sampled by PlanBench, Valmeekam et al. 2023). A plan counts as solved only if unified-planning's own reader and validator,
which share no code with ours, accept it as one chain, and again in random orders that its edges allow. Seconds are those
of the whole way: reading the files, asking the solver's process, loosening and proving the plan. `cold` is the first one,
with the start of that process. The engines are compared on the same instances; Tamer only where it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _report import Figures, finish, in_child, parser, percentile, table

from crewgraph.planner.symbolic.search import SEARCH, Found, solve_pddl
from crewgraph.planner.symbolic.solving.request import INSTALL, Engine
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.runtime.errors import InvalidPlan

DOMAINS = ("blocksworld", "logistics")
ORDERS = 3
QUICK = 6
LIMIT = 30.0
PEER_LIMIT = 10.0
PEERS: dict[Engine, str] = {
    "fast-downward-best": "up_fast_downward",
    "fast-downward": "up_fast_downward",
    "pyperplan": "up_pyperplan",
    "tamer": "up_tamer",
}


@dataclass
class Outcome:
    """What came of some instances."""

    seconds: dict[Path, float] = field(default_factory=dict)
    found: dict[Path, Found] = field(default_factory=dict)
    unsolved: dict[Path, str] = field(default_factory=dict)


async def solved(files: list[Path], solver: Solver, engines: tuple[Engine, ...], limit: float) -> Outcome:
    """Each instance, one after the other."""
    outcome = Outcome()
    for file in files:
        began = time.perf_counter()
        domain, problem = (one.read_text("utf-8") for one in (file.with_name("domain.pddl"), file))
        try:
            outcome.found[file] = await solve_pddl(
                domain, problem, solver=solver, engines=engines, limit=limit
            )
        except InvalidPlan as error:
            outcome.unsolved[file] = str(error)
        outcome.seconds[file] = time.perf_counter() - began
    return outcome


def orders(found: Found, chance: random.Random) -> list[list[int]]:
    """The chain as it was found, and some random ones that its edges allow."""
    made = [list(range(len(found.plan.steps)))]
    for _ in range(ORDERS):
        left, order = set(made[0]), list[int]()
        while left:
            order.append(chance.choice(sorted(n for n in left if not found.plan.needs[n] & left)))
            left.discard(order[-1])
        made.append(order)
    return made


def judged(outcome: Outcome, chance: random.Random) -> dict[str, bool]:
    """Which plans unified-planning's validator accepts in all of their orders, by file."""
    plans = {
        str(file): [
            [[found.plan.steps[n].name, *found.plan.steps[n].args] for n in order]
            for order in orders(found, chance)
        ]
        for file, found in outcome.found.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plans.json"
        path.write_text(json.dumps(plans), "utf-8")
        verdicts: dict[str, bool] = in_child(__file__, "judge", "--plans", str(path))
    return verdicts


def judge(path: Path) -> dict[str, bool]:
    """In a process of its own: PDDL read and plans validated by unified-planning alone."""
    from unified_planning.engines import SequentialPlanValidator
    from unified_planning.io import PDDLReader
    from unified_planning.plans import ActionInstance, SequentialPlan

    verdicts: dict[str, bool] = {}
    for file, plans in json.loads(path.read_text("utf-8")).items():
        problem: Any = PDDLReader().parse_problem(str(Path(file).with_name("domain.pddl")), file)
        actions = {one.name.lower(): one for one in problem.actions}
        things = {
            one.name.lower(): problem.environment.expression_manager.ObjectExp(one)
            for one in problem.all_objects
        }
        accepted: list[bool] = []
        for steps in plans:
            chain = [
                ActionInstance(actions[name], tuple(things[one] for one in args)) for name, *args in steps
            ]
            with SequentialPlanValidator() as validator:
                accepted.append(bool(validator.validate(problem, SequentialPlan(chain))))
        verdicts[file] = all(accepted)
    return verdicts


async def cold(file: Path, rounds: int) -> float:
    """Seconds of the first problem of a fresh solver, with the start of its process: the median of some."""
    times: list[float] = []
    for _ in range(rounds):
        solver = Solver()
        times += (await solved([file], solver, SEARCH, LIMIT)).seconds.values()
        solver.close()
    return statistics.median(times)


async def measured(files: list[Path], peers: list[Path], rounds: int, figures: Figures) -> None:
    """Fill in the figures, and print the tables."""
    chance = random.Random(1)
    figures["cold_s"] = await cold(files[0], rounds)
    solver = Solver()
    await solved(files[:1], solver, SEARCH, LIMIT)  # the process is up
    outcome = await solved(files, solver, SEARCH, LIMIT)
    verdicts = judged(outcome, chance)
    figures["instances"] = len(files)
    figures["solved"] = sum(verdicts.values())
    figures["invalid"] = len(verdicts) - figures["solved"]
    rows: list[tuple[object, ...]] = []
    for name in (*DOMAINS, ""):
        own = [file for file in files if name in ("", file.parent.name)]
        if not own:
            continue
        seconds = [outcome.seconds[file] for file in own]
        plans = [outcome.found[file] for file in own if file in outcome.found]
        prefix = f"{name}_" if name else ""
        figures[f"{prefix}median_s"] = statistics.median(seconds)
        figures[f"{prefix}p90_s"] = percentile(seconds, 0.9)
        rows.append(
            (
                name or "all",
                len(own),
                sum(verdicts.get(str(file), False) for file in own),
                figures[f"{prefix}median_s"],
                figures[f"{prefix}p90_s"],
                max(seconds),
                sum(plan.cheapest for plan in plans),
                statistics.mean(len(plan.plan.steps) for plan in plans) if plans else 0.0,
                statistics.mean(plan.plan.critical_seconds for plan in plans) if plans else 0.0,
            )
        )
    head = (
        "domain",
        "instances",
        "solved",
        "median s",
        "p90 s",
        "slowest s",
        "proved shortest",
        "steps",
        "longest chain",
    )
    table("Solved and validated (bar: all, median 1 s)", head, rows)
    for file, why in outcome.unsolved.items():
        print(f"{file.parent.name}/{file.name}: {why}")
    print(f"\nCold, with the start of the solver's process: {figures['cold_s']:.2f} s")
    rows = []
    for engine, module in PEERS.items():
        if find_spec(module) is None:
            rows.append((engine, "-", "not installed", "-", "-", "-"))
            continue
        peer = await solved(peers, solver, (engine,), PEER_LIMIT)
        accepted = judged(peer, chance)
        key = engine.replace("-", "_")
        figures[f"{key}_solved"] = sum(accepted.values())
        figures[f"{key}_median_s"] = statistics.median(peer.seconds.values())
        figures["invalid"] += len(accepted) - sum(accepted.values())
        steps = [len(found.plan.steps) for found in peer.found.values()]
        rows.append(
            (
                engine,
                len(peers),
                figures[f"{key}_solved"],
                figures[f"{key}_median_s"],
                percentile(peer.seconds.values(), 0.9),
                statistics.mean(steps) if steps else 0.0,
            )
        )
    figures["peer_instances"] = len(peers)
    table(
        f"Each engine alone (at most {PEER_LIMIT:g} s an instance; steps of what it solved)",
        ("engine", "instances", "solved", "median s", "p90 s", "steps"),
        rows,
    )
    solver.close()


def arguments() -> argparse.Namespace:
    """The shared flags, and where the data is."""
    made = parser(__doc__ or "", quick=f"every {QUICK}th instance, and fewer for each engine alone")
    made.add_argument(
        "--data", type=Path, default=Path(__file__).parents[1] / "../shared/data", metavar="DIR"
    )
    made.add_argument("--plans", type=Path, help=argparse.SUPPRESS)
    return made.parse_args()


def main() -> int:
    """Measure."""
    options = arguments()
    if options.child == "judge":
        print(json.dumps(judge(options.plans)))
        return 0
    figures: Figures = {}
    files = [
        file
        for name in DOMAINS
        for file in sorted((options.data / "pddl" / name).glob("*.pddl"))
        if file.name != "domain.pddl"
    ]
    if not files:
        print(f"No instances below {options.data / 'pddl'}: give their folder with --data.")
    elif any(find_spec(one) is None for one in ("unified_planning", "up_fast_downward")):
        print(f"The planners are not installed: {INSTALL}")
    else:
        some = files[::QUICK] if options.quick else files
        peers = some[::QUICK] if options.quick else some
        asyncio.run(measured(some, peers, 1 if options.quick else 3, figures))
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
