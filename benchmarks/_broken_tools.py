"""Scenes for `replanning.py`: a crew of gauges, a plan of some shape, and faults that strike in the middle of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, JsonValue

from crewgraph import Agent, Crew, Fact, Task, tool
from crewgraph.planner.plan import ANSWER
from crewgraph.runtime.errors import ToolError
from crewgraph.runtime.policy import Condition
from crewgraph.tools.tool import Tool

KINDS = ("error", "timeout", "wrong type", "empty")
SHAPES = ("chain", "compare", "total", "list", "found list", "condition", "report", "several", "side by side")
PLACES: tuple[str, ...] = (*"Aba Bex Cam Dun Eck Fen Gap Hof Ill Jos Kew Lom Mur Nax Orb Pau".split(),)
FOR_GOOD = 10**6
_GARBAGE = "garbage-of-no-type"


class Spot(BaseModel):
    """Where something stands."""

    place: str


@dataclass
class Fault:
    """What goes wrong with one call, and how many more times."""

    kind: str
    left: int


@dataclass
class Scene:
    """A crew with its plan, what is asked for (each in one of several words), what is true, and what has happened.

    `done` counts the calls that worked, by tool and argument; of reports, all that were filed.
    """

    shape: str
    request: str
    chance: random.Random
    values: dict[str, int]
    faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    crew: Crew = field(init=False)
    tasks: tuple[Task, ...] = ()

    nonsense = (_GARBAGE,)
    reasons = ("broken", "closed", "took longer", "not what was expected", "validation error", "not a list")

    @property
    def truth(self) -> dict[str, set[int]]:
        """The values that may be said of each place."""
        return {place: {value} for place, value in self.values.items()}

    @property
    def repeated(self) -> list[tuple[str, str]]:
        """The calls that were made again after they had worked."""
        return [call for call, times in self.done.items() if times > 1]

    async def answer(self, name: str, about: str, right: Any, empty: Any) -> Any:
        """What the tool of that name says, if no fault strikes."""
        self.calls += 1
        fault = self.faults.get((name, about))
        if fault is None or fault.left == 0:
            self.done[name, about] += 1
            return right
        fault.left -= 1
        self.struck[fault.kind] += 1
        if fault.kind == "error":
            raise (
                ToolError("the office is closed") if name == "file_report" else OSError("the gauge is broken")
            )
        if fault.kind == "timeout":
            await asyncio.sleep(30)
        if name == "file_report":  # it happened, whatever it says
            self.done[name, about] += 1
        return empty if fault.kind == "empty" else _wrong_for(name)


def _wrong_for(name: str) -> Any:
    return [_GARBAGE] if name.endswith("level") else _GARBAGE


def tools_of(made: Scene, *, stand_in: bool) -> list[Tool]:
    """The tools of a scene; with a `stand_in`, levels can also be had from elsewhere."""

    @tool(unit="mm", timeout=0.03)
    async def level(place: str) -> int:
        """The water level at a place."""
        found: int = await made.answer("level", place, made.values[place], "")
        return found

    @tool(unit="mm", timeout=0.03)
    async def backup_level(place: str) -> int:
        """The water level at a place, from a mirror."""
        found: int = await made.answer("backup_level", place, made.values[place], "")
        return found

    @tool(timeout=0.03)
    async def levels(places: list[str]) -> list[Fact]:
        """The water levels at places."""
        facts = [Fact(label=p, quantity="level", value=made.values[p], unit="mm") for p in places]
        found: list[Fact] = await made.answer("levels", ",".join(places), facts, [])
        return found

    @tool(timeout=0.03)
    async def stations(region: str) -> list[str]:
        """The stations of a region."""
        found: list[str] = await made.answer("stations", region, region.split("-"), [])
        return found

    @tool(timeout=0.03)
    async def locate(number: str) -> Spot:
        """Where a gauge of this number stands."""
        right = Spot(place=PLACES[int(number)])
        found: Spot = await made.answer("locate", number, right, Spot(place=""))
        return found

    @tool(effect="once")
    async def file_report(place: str) -> str:
        """File a report about a place."""
        found: str = await made.answer("file_report", place, f"The report on {place} is filed.", "")
        return found

    return [level, levels, stations, locate, file_report, *([backup_level] if stand_in else [])]


def scene(chance: random.Random, shape: str) -> Scene:
    """A scene of this shape, with one or two faults."""
    places = chance.sample(PLACES, 5)
    values = {place: chance.randrange(100, 10_000) for place in PLACES}
    made = Scene(shape, f"How high is the water? ({shape})", chance, values)
    made.tasks = tuple(_tasks(made, shape, places))
    stand_in = chance.random() < 0.5
    given = tools_of(made, stand_in=stand_in)
    gauger = Agent("gauger", "Know levels.", tools=given[:-1] if stand_in else given)
    others = [Agent("neighbour", "Know them too.", tools=given[-1:])] if stand_in else []
    made.crew = Crew([gauger, *others, Agent("writer", "Answer in plain words.")], name="gauges")
    if stand_in and chance.random() < 0.3:
        for place in chance.sample(places, 2):
            made.faults["backup_level", place] = Fault(chance.choice(KINDS), chance.choice((1, FOR_GOOD)))
    return made


def _level(made: Scene, task_id: str, place: str, **more: Any) -> Task:
    if place in made.values:
        made.asked.append((place,))
        more.setdefault("args", {"place": place})
    expects = (Condition(value="$result.value", test="not_empty"),)
    return Task(
        id=task_id, description=f"level: {place}", agent="gauger", tool="level", expects=expects, **more
    )


def _tasks(made: Scene, shape: str, places: list[str]) -> list[Task]:
    """The plan; what can fail in it gets its faults."""
    chance, tasks, ends = made.chance, list[Task](), list[str]()
    a, b, c, *_ = places
    calls: list[tuple[str, str]] = []
    match shape:
        case "chain":
            number = str(PLACES.index(a))
            found = (Condition(value="$result.place", test="not_empty"),)
            tasks = [
                Task(id="t1", description=f"gauge {number}: where", agent="gauger", tool="locate",
                     args={"number": number}, expects=found),
                _level(made, "t2", f"at gauge {number}", args={"place": "$t1.place"}),
                _level(made, "t3", b),
            ]  # fmt: skip
            made.asked.append((a, f"gauge {number}"))
            ends, calls = ["t2", "t3"], [("locate", number), ("level", a), ("level", b)]
        case "compare" | "total":
            several = places[: chance.randrange(2, 5)]
            tasks = [_level(made, f"t{n}", place) for n, place in enumerate(several)]
            facts: list[JsonValue] = [f"${task.id}" for task in tasks]
            tasks.append(
                Task(
                    id="join",
                    description=f"{shape}: {', '.join(several)}",
                    agent="gauger",
                    tool=shape,
                    args={"facts": facts},
                )
            )
            ends, calls = ["join"], [("level", place) for place in several]
        case "list":
            made.asked += [(place,) for place in places]
            tasks = [_level(made, "t1", "each of a list", args={"place": "$item"}, each=[*places])]
            tasks.append(
                Task(
                    id="t2", description="compare them", agent="gauger", tool="compare", args={"facts": "$t1"}
                )
            )
            ends, calls = chance.choice((["t2"], ["t1"])), [("level", place) for place in places]
            tasks = tasks if ends == ["t2"] else tasks[:1]
        case "found list":
            region = "-".join(places[:3])
            made.asked += [(place, region) for place in places[:3]]
            whole = (Condition(value="$result", test="not_empty"),)
            tasks = [
                Task(id="t1", description=f"stations: {region}", agent="gauger", tool="stations",
                     args={"region": region}, expects=whole),
                _level(made, "t2", "each station", args={"place": "$item"}, each="$t1"),
                _level(made, "t3", places[4]),
            ]  # fmt: skip
            ends = ["t2", "t3"]
            calls = [("stations", region), *(("level", place) for place in (*places[:3], places[4]))]
        case "condition":
            limit = chance.choice((0, 20_000))
            tasks = [_level(made, "t1", a)]
            wanted = len(made.asked)
            tasks.append(_level(made, "t2", b, when=Condition(value="$t1.value", test="above", to=limit)))
            del made.asked[wanted + bool(limit == 0) :]
            tasks.append(_level(made, "t3", c, depends_on=("t1",)))
            ends, calls = (
                ["t1", "t2", "t3"],
                [("level", a), ("level", c), *([("level", b)] if limit == 0 else [])],
            )
        case "report":
            filed = (Condition(value="$result.value", test="not_empty"),)
            tasks = [
                _level(made, "t1", a),
                Task(id="t2", description=f"report on {b}", agent="gauger", tool="file_report", args={"place": b},
                     expects=filed, depends_on=chance.choice(((), ("t1",)))),
                _level(made, "t3", c, depends_on=chance.choice(((), ("t2",)))),
            ]  # fmt: skip
            made.asked.append((f"report on {b}",))
            ends, calls = ["t1", "t2", "t3"], [("level", a), ("file_report", b), ("level", c)]
        case "several":
            several = places[:3]
            listed: list[JsonValue] = [*several]
            made.asked += [(place,) for place in several]
            whole = (Condition(value="$result", test="not_empty"),)
            tasks = [
                Task(id="t1", description=f"levels: {', '.join(several)}", agent="gauger", tool="levels",
                     args={"places": listed}, expects=whole),
                _level(made, "t2", places[4]),
            ]  # fmt: skip
            ends, calls = ["t1", "t2"], [("levels", ",".join(several)), ("level", places[4])]
            if chance.random() < 0.5:
                tasks.append(
                    Task(
                        id="t3",
                        description="compare them",
                        agent="gauger",
                        tool="compare",
                        args={"facts": "$t1"},
                    )
                )
                ends = ["t3", "t2"]
        case _:
            tasks = [_level(made, f"t{n}", place) for n, place in enumerate(places)]
            ends, calls = [task.id for task in tasks], [("level", place) for place in places]
    for call in chance.sample(calls, min(len(calls), chance.choice((1, 1, 2, len(calls) - 1)))):
        kinds = ("error", "empty") if call[0] == "file_report" else KINDS
        made.faults[call] = Fault(chance.choice(kinds), chance.choice((1, FOR_GOOD)))
    answer = Task(
        id=ANSWER, description=f"Answer the request: {made.request}", agent="writer", depends_on=tuple(ends)
    )
    return [*tasks, answer]
