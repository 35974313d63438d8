"""Planners are asked in a process of their own; what they find is proved, and what they cannot find is said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from random import Random

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crewgraph.planner.symbolic.problem import Operator, Problem, atom
from crewgraph.planner.symbolic.proof import done
from crewgraph.planner.symbolic.search import find
from crewgraph.planner.symbolic.solving import solver as solving
from crewgraph.planner.symbolic.solving.request import Engine, Reply, Request
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.runtime.errors import InvalidPlan, Unreachable
from crewgraph.tools.planning import Literal

L = Literal.parse


def network(seed: int) -> Problem:
    """Rooms that some doors join, keys that lie about, boxes to be carried: small, and perhaps without a solution."""
    chance = Random(seed)
    rooms = [f"room {n}" for n in range(chance.randint(2, 4))]
    boxes = [f"box-{n}" for n in range(chance.randint(1, 3))]
    robots = ["甲", "乙"][: chance.randint(1, 2)]
    facts = [Literal("at", (box, chance.choice(rooms))) for box in boxes]
    facts += [Literal("in", (robot, chance.choice(rooms))) for robot in robots]
    facts += [Literal("free", (robot,)) for robot in robots]
    facts += [Literal("door", (a, b)) for a in rooms for b in rooms if a != b and chance.random() < 0.7]
    facts += [Literal("shut", (room,)) for room in rooms if chance.random() < 0.3]
    operators = (
        Operator(
            "go",
            ("who", "a", "b"),
            (L("in({who}, {a})"), L("door({a}, {b})"), L("not shut({b})")),
            (L("in({who}, {b})"), L("not in({who}, {a})")),
            {"who": "robot", "a": "room", "b": "room"},
            seconds=chance.choice([None, 5.0]),
            money=chance.choice([0.0, 0.5]),
        ),
        Operator(
            "open",
            ("who", "a", "b"),
            (L("in({who}, {a})"), L("door({a}, {b})"), L("free({who})")),
            (L("not shut({b})"),),
            {"who": "robot", "a": "room", "b": "room"},
        ),
        Operator(
            "lift",
            ("who", "box", "a"),
            (L("in({who}, {a})"), L("at({box}, {a})"), L("free({who})")),
            (L("held({box}, {who})"), L("not at({box}, {a})"), L("not free({who})")),
            {"who": "robot", "box": "box", "a": "room"},
        ),
        Operator(
            "lower",
            ("who", "box", "a"),
            (L("in({who}, {a})"), L("held({box}, {who})")),
            (L("at({box}, {a})"), L("not held({box}, {who})"), L("free({who})")),
            {"who": "robot", "box": "box", "a": "room"},
        ),
    )
    kinds = {**dict.fromkeys(rooms, "room"), **dict.fromkeys(boxes, "box"), **dict.fromkeys(robots, "robot")}
    goal = tuple(dict.fromkeys(Literal("at", (box, chance.choice(rooms))) for box in boxes))
    return Problem(operators, kinds, tuple(facts), goal)


@pytest.mark.parametrize("engine", ["fast-downward", "pyperplan"])
@given(seed=st.integers(0, 10_000), chance=st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_found_works_in_every_order_tried(
    solver: Solver, engine: Engine, seed: int, chance: Random
) -> None:
    problem = network(seed)
    try:
        found = asyncio.run(find(problem, solver.solve, engines=(engine,), explain=False))
    except Unreachable:
        return
    plan = found.plan
    for _ in range(20):
        state = {atom(fact) for fact in problem.facts}
        left = set(range(len(plan.steps)))
        while left:
            step = chance.choice(sorted(n for n in left if not plan.needs[n] & left))
            left.discard(step)
            for need in plan.steps[step].before:
                assert (atom(need) in state) == need.holds
            state = done(state, plan.steps[step])
        assert all((atom(goal) in state) == goal.holds for goal in problem.goal)


async def test_engines_agree_on_what_can_be_reached(solver: Solver) -> None:
    engines: tuple[Engine, ...] = ("fast-downward-best", "fast-downward", "pyperplan")
    for seed in range(4):
        replies = [await solver.solve(Request(problem=network(seed), engine=one)) for one in engines]
        assert {reply.status for reply in replies} < {"solved", "unsolvable"}


def puzzle() -> Problem:
    """The fifteen puzzle with two tiles changed round: no way leads there, and nobody can tell without trying all."""
    tiles = [f"tile{n}" for n in range(1, 16)]
    cells = [f"cell{n}" for n in range(16)]
    near = [
        Literal("near", (f"cell{a}", f"cell{b}"))
        for a in range(16)
        for b in range(16)
        if abs(a // 4 - b // 4) + abs(a % 4 - b % 4) == 1
    ]
    slide = Operator(
        "slide",
        ("tile", "a", "b"),
        (L("on({tile}, {a})"), L("empty({b})"), L("near({a}, {b})")),
        (L("on({tile}, {b})"), L("empty({a})"), L("not on({tile}, {a})"), L("not empty({b})")),
        {"tile": "tile", "a": "cell", "b": "cell"},
    )
    facts = [Literal("on", (tile, cell)) for tile, cell in zip(tiles, cells[:15], strict=True)]
    swapped = [tiles[1], tiles[0], *tiles[2:]]
    goal = [Literal("on", (tile, cell)) for tile, cell in zip(swapped, cells[:15], strict=True)]
    kinds = {**dict.fromkeys(tiles, "tile"), **dict.fromkeys(cells, "cell")}
    return Problem((slide,), kinds, (*facts, Literal("empty", ("cell15",)), *near), tuple(goal))


def at_work(word: str) -> list[psutil.Process]:
    """The processes below this one whose command has that word, those that are over left out."""
    found: list[psutil.Process] = []
    for one in psutil.Process().children(recursive=True):
        try:
            if word in " ".join(one.cmdline()):
                found.append(one)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something outside of this program that tells nobody when it happens."""
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_search_without_end_is_ended_at_its_limit_and_the_next_one_is_answered(
    needs_planners: None,
) -> None:
    solver = Solver()
    with pytest.raises(InvalidPlan, match=r"found no plan for on.* in 2 s: allow it more time"):
        await find(puzzle(), solver.solve, engines=("pyperplan",), limit=2.0)
    assert (await find(network(1), solver.solve, engines=("pyperplan",))).plan.steps
    solver.close()


async def test_whoever_is_cancelled_takes_the_engines_along(needs_planners: None) -> None:
    own = Solver()
    asking = asyncio.create_task(own.solve(Request(problem=puzzle(), engine="fast-downward-best", limit=300)))
    await until(lambda: bool(at_work("downward")))
    working = at_work("downward")
    assert not asking.done()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: all(map(over, working)))
    own.close()


ALONE = """
import asyncio, sys
from crewgraph.planner.symbolic.solving.request import Request
from crewgraph.planner.symbolic.solving.solver import Solver
asyncio.run(Solver(idle=321.0).solve(Request.model_validate_json(sys.stdin.readline())))
"""


async def test_engines_end_with_a_program_that_is_killed(needs_planners: None) -> None:
    asked = Request(problem=puzzle(), engine="fast-downward-best", limit=300)
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", ALONE, stdin=asyncio.subprocess.PIPE)
    assert program.stdin is not None
    program.stdin.write(asked.model_dump_json().encode() + b"\n")
    await until(lambda: bool(at_work("downward")))
    working = at_work("solving.program 321.0") + at_work("downward")
    program.kill()
    await program.wait()
    await until(lambda: all(map(over, working)))


async def test_the_solver_ends_when_it_is_closed(needs_planners: None) -> None:
    solver = Solver(idle=123.0)
    await solver.solve(Request(problem=network(1), engine="pyperplan"))
    assert at_work("solving.program 123.0")
    solver.close()
    assert not at_work("solving.program 123.0")


async def test_a_solver_that_was_idle_too_long_is_started_again(needs_planners: None) -> None:
    solver = Solver(idle=0.2)
    first = await solver.solve(Request(problem=network(1), engine="pyperplan"))
    await until(lambda: not at_work("solving.program 0.2"))
    again = await solver.solve(Request(problem=network(1), engine="pyperplan"))
    assert again == first
    solver.close()


async def test_without_the_planners_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "find_spec", lambda name: None)
    with pytest.raises(InvalidPlan, match=r"pip install 'crewgraph\[symbolic\]'"):
        await find(network(1), Solver().solve)


async def test_a_solver_is_never_trusted() -> None:
    async def lies(request: Request) -> Reply:
        return Reply(status="solved", steps=(("lower", ("甲", "box-0", "room 0")),))

    with pytest.raises(InvalidPlan, match=r"no valid plan for .*fast-downward: lower.* needs in"):
        await find(network(1), lies)
