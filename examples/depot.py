"""A crew whose tools say what they need and change, so that planners work out what has to be done.

Nobody writes the plan: the request names what is to hold, and search finds the trips, the fewest minutes of them, and what
can go on side by side.

    pip install 'crewgraph[symbolic]'
    python examples/depot.py "The letters have to be at the harbour, and the books at the school."
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from crewgraph import Agent, Crew, tool
from crewgraph.planner.asked import Asked
from crewgraph.planner.plan import Plan
from crewgraph.planner.strategies.symbolic import SymbolicStrategy
from crewgraph.planner.symbolic.world import World
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import CrewgraphError
from crewgraph.runtime.store import open_store
from crewgraph.tools.planning import Action, Traits

PARCEL = {"parcel": "parcel", "van": "van", "place": "place"}


@tool(
    effect="once",
    traits=Traits(
        action=Action(
            before=("at({parcel}, {place})", "stands({van}, {place})"),
            after=("in({parcel}, {van})", "not at({parcel}, {place})"),
            kinds=PARCEL,
        ),
        seconds=120,
    ),
)
def load(parcel: str, van: str, place: str) -> str:
    """Load a parcel into a van."""
    return f"Loaded {parcel} into {van} at the {place}."


@tool(
    effect="once",
    traits=Traits(
        action=Action(
            before=("in({parcel}, {van})", "stands({van}, {place})"),
            after=("at({parcel}, {place})", "not in({parcel}, {van})"),
            kinds=PARCEL,
        ),
        seconds=120,
        gives="a parcel delivered, brought or taken to a place",
    ),
)
def unload(parcel: str, van: str, place: str) -> str:
    """Unload a parcel from a van."""
    return f"Unloaded {parcel} from {van} at the {place}."


@tool(
    effect="once",
    traits=Traits(
        action=Action(
            before=("stands({van}, {start})", "road({start}, {end})"),
            after=("stands({van}, {end})", "not stands({van}, {start})"),
            kinds={"van": "van", "start": "place", "end": "place"},
        ),
        seconds=900,
        money=4.0,
    ),
)
def drive(van: str, start: str, end: str) -> str:
    """Drive a van from one place to another."""
    return f"{van} drove from the {start} to the {end}."


driver = Agent("driver", "Load, drive and unload vans.", tools=[load, unload, drive])
clerk = Agent("clerk", "Tell people what was done.")
crew = Crew(name="depot", agents=[driver, clerk])

PLACES = ("depot", "harbour", "school")


async def depot(asked: Asked, ctx: RunContext) -> World:
    """How things stand; a real crew would ask its warehouse, through `ctx.step`."""
    return World(
        objects={
            **dict.fromkeys(PLACES, "place"),
            "letters": "parcel",
            "books": "parcel",
            "red van": "van",
            "blue van": "van",
        },
        facts=[
            "at(letters, depot)",
            "at(books, depot)",
            "stands(red van, depot)",
            "stands(blue van, depot)",
            *(f"road({one}, {other})" for one in PLACES for other in PLACES if one != other),
        ],
    )


async def planned(request: str) -> Plan:
    """The plan for a request, without carrying it out."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "runs.db"
        async with open_store(file) as store, await store.create_run(crew.name, request) as journal:
            return await SymbolicStrategy(depot).plan(Asked(crew, request), RunContext(journal))


if __name__ == "__main__":
    wish = " ".join(sys.argv[1:]) or "Deliver the letters to the harbour and the books to the school."
    try:
        plan = asyncio.run(planned(wish))
    except CrewgraphError as error:
        sys.exit(str(error))
    for note in plan.notes:
        print(note)
    for task in plan.tasks:
        waits = f"   after {', '.join(task.needs)}" if task.needs else ""
        print(f"  {task.id:8} {task.description}{waits}")
