"""Eight ways of reasoning, each on puzzles of its own with a model that errs as it mends, beside `direct` on the same.

A puzzle is a bill to work out; the model is a script that errs by chance, drawn from a seed (`_puzzles.py`): a wrong first
answer, a wrong tool, a forgotten line, the same action again and again, the wrong colleague. So this shows what each way
of reasoning makes of a model that errs in that way, and what it costs; it says nothing of any real model. Then each works
with a model that never stops, at several sizes of its bounds.

Figures, for each architecture: `<name>_solved` (of its puzzles, 0 to 1), `<name>_calls` (model calls a puzzle, on average),
`<name>_over_bound` (tasks, of all, that made more calls than `most_calls` says; bar 0), `direct_on_<name>_solved`.

    python benchmarks/architectures.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from _puzzles import SETS, Puzzle, crew_of, never_stops
from _report import Figures, finish, parser, table


@dataclass(frozen=True)
class Done:
    """One task: what was written, how many model calls were made, and how many were allowed."""

    text: str
    calls: int
    most: int


async def work(way: Any, name: str, puzzle: Puzzle, script: Any, *, priced: bool) -> Done:
    """One task of the architecture, in a run of its own that is journalled in memory."""
    from crewgraph import Task
    from crewgraph.agents.desk import Desk
    from crewgraph.agents.testing import ScriptedModel
    from crewgraph.agents.writing import Brief
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.journalling.journal import Journal

    crew, agent = crew_of(name, puzzle)
    model = ScriptedModel(script)
    ctx = RunContext(Journal(f"r-{puzzle.seed}", [])).for_task("t")
    brief = Brief(puzzle.asked(priced=priced), "en")
    task = Task(id="t", description="Work out the bill.", agent=agent.role)
    found = await way.conclude(Desk(agent, crew, model, ctx, task, brief, crew.tools_of(agent)))
    return Done(found.text, len(model.requests), way.most_calls(agent))


async def solving(name: str, puzzles: int, seed: int) -> Figures:
    """The architecture and `direct` on the same puzzles, with the same models."""
    from crewgraph.agents.architectures import architecture

    errant, items, priced = SETS[name]
    solved = plain = over = calls = 0
    for number in range(puzzles):
        puzzle = Puzzle.made(f"{seed}/{name}/{number}", items)
        script = partial(errant, puzzle)
        done = await work(architecture(name), name, puzzle, script, priced=priced)
        beside = await work(architecture("direct"), name, puzzle, script, priced=priced)
        solved += puzzle.solved(done.text)
        plain += puzzle.solved(beside.text)
        over += done.calls > done.most
        calls += done.calls
    return {
        f"{name}_solved": solved / puzzles,
        f"{name}_calls": calls / puzzles,
        f"{name}_over_bound": over,
        f"direct_on_{name}_solved": plain / puzzles,
    }


def sizes(name: str) -> list[Any]:
    """The architecture with its usual bounds, with the least, and with larger ones."""
    from crewgraph.agents.architectures.debate import Debate
    from crewgraph.agents.architectures.direct import Direct
    from crewgraph.agents.architectures.plan_and_solve import PlanAndSolve
    from crewgraph.agents.architectures.react import React
    from crewgraph.agents.architectures.reflection import Reflection
    from crewgraph.agents.architectures.self_consistency import SelfConsistency
    from crewgraph.agents.architectures.supervisor import Supervisor
    from crewgraph.agents.architectures.tree_of_thoughts import TreeOfThoughts

    three = ("You add.", "You check.", "You doubt.")
    ways: dict[str, list[Any]] = {
        "direct": [Direct()],
        "react": [React(), React(1), React(25)],
        "plan_and_solve": [PlanAndSolve(), PlanAndSolve(1), PlanAndSolve(12)],
        "reflection": [Reflection(), Reflection(1), Reflection(8)],
        "self_consistency": [SelfConsistency(), SelfConsistency(1), SelfConsistency(20)],
        "tree_of_thoughts": [TreeOfThoughts(), TreeOfThoughts(1, 1, 1), TreeOfThoughts(4, 4, 5)],
        "debate": [
            Debate(),
            Debate(rounds=1),
            Debate(three, rounds=6),
            Debate(colleagues=("clerk", "writer")),
        ],
        "supervisor": [Supervisor(), Supervisor(1, 2, 1), Supervisor(20, 15), Supervisor(20, 200)],
    }
    return ways[name]


async def endless(name: str) -> tuple[int, int, int]:
    """With a model that never stops: tasks over their bound, and of the usual size the calls made and allowed."""
    puzzle = Puzzle.made(f"endless/{name}", 2)
    done = [await work(way, name, puzzle, never_stops, priced=True) for way in sizes(name)]
    return sum(one.calls > one.most for one in done), done[0].calls, done[0].most


async def measure(puzzles: int, seed: int) -> Figures:
    figures: Figures = {}
    rows, bounds = [], []
    for name in SETS:
        found = await solving(name, puzzles, seed)
        over, made, most = await endless(name)
        found[f"{name}_over_bound"] += over
        figures |= found
        rows.append(
            (name, found[f"{name}_solved"], found[f"direct_on_{name}_solved"], found[f"{name}_calls"])
        )
        bounds.append((name, made, most, found[f"{name}_over_bound"]))
    table(
        f"Solved, of {puzzles} puzzles each (seed {seed})",
        ("architecture", "solved", "direct on the same", "calls"),
        rows,
    )
    table(
        "A model that never stops",
        ("architecture", "calls made", "at most", "tasks over their bound, of all"),
        bounds,
    )
    return figures


def main() -> int:
    """Print the tables."""
    flags = parser(__doc__ or "", quick="a fifth of the puzzles")
    flags.add_argument("--seed", type=int, default=1, help="of the puzzles and of the errors in them")
    options = flags.parse_args()
    logging.disable(logging.CRITICAL)
    return finish(options, asyncio.run(measure(60 if options.quick else 300, options.seed)))


if __name__ == "__main__":
    sys.exit(main())
