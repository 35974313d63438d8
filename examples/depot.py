"""A crew whose tools say what they need and change, so that planners work out what has to be done.

Nobody writes the plan: the request names what is to hold, and search finds the trips, those that take the least time, and
what can go on side by side. Every plan is proved before it is carried out.

    pip install 'crewgraph[symbolic]'
    crewgraph plan examples/depot.py "Deliver the letters to the harbour and the books to the school."
    crewgraph run examples/depot.py "The books have to be at the school."
    crewgraph run examples/depot.py "at(books, harbour) and at(books, school)"       (says why not)
"""

from crewgraph import Agent, Crew, tool
from crewgraph.planner.asked import Asked
from crewgraph.planner.strategies.symbolic import SymbolicStrategy
from crewgraph.planner.symbolic.world import World
from crewgraph.runtime.context import RunContext
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


driver = Agent("driver", "Load, drive and unload vans.", tools=[load, unload, drive])
clerk = Agent("clerk", "Tell people what was done.")
crew = Crew(name="depot", agents=[driver, clerk], planner=SymbolicStrategy(depot, least="seconds"))
