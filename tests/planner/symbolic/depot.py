"""A depot with parcels, vans and places, and tools that say what they do to it."""

from __future__ import annotations

from crewgraph import tool
from crewgraph.planner.asked import Asked
from crewgraph.planner.symbolic.world import World, Worlds
from crewgraph.runtime.context import RunContext
from crewgraph.tools.planning import Action, Traits

PLACES = ("depot", "harbour", "school")
CARGO = {"parcel": "parcel", "van": "van", "place": "place"}


@tool(
    traits=Traits(
        action=Action(
            before=("at({parcel}, {place})", "stands({van}, {place})"),
            after=("in({parcel}, {van})", "not at({parcel}, {place})"),
            kinds=CARGO,
        ),
        seconds=60,
    )
)
def load(parcel: str, van: str, place: str) -> str:
    """Load a parcel into a van."""
    return f"{parcel} {van} {place}"


@tool(
    traits=Traits(
        action=Action(
            before=("in({parcel}, {van})", "stands({van}, {place})"),
            after=("at({parcel}, {place})", "not in({parcel}, {van})"),
            kinds=CARGO,
        ),
        seconds=60,
        gives="a parcel delivered to a place; 送货",
    )
)
def unload(parcel: str, van: str, place: str) -> str:
    """Unload a parcel from a van."""
    return f"{parcel} {van} {place}"


@tool(
    traits=Traits(
        action=Action(
            before=("stands({van}, {start})",),
            after=("stands({van}, {end})", "not stands({van}, {start})"),
            kinds={"van": "van", "start": "place", "end": "place"},
        ),
        seconds=600,
        money=4.0,
    )
)
def drive(van: str, start: str, end: str) -> str:
    """Drive a van from one place to another."""
    return f"{van} {start} {end}"


@tool
def weather(place: str) -> str:
    """The weather at a place."""
    return f"sunny at {place}"


def world(*facts: str, goal: tuple[str, ...] = ()) -> World:
    """Two parcels and two vans at the depot, and what else is said."""
    return World(
        {
            **dict.fromkeys(PLACES, "place"),
            "letters": "parcel",
            "books": "parcel",
            "red van": "van",
            "blue van": "van",
        },
        (
            "at(letters, depot)",
            "at(books, depot)",
            "stands(red van, depot)",
            "stands(blue van, depot)",
            *facts,
        ),
        goal,
    )


def always(told: World) -> Worlds:
    """A world that is the same for every request."""

    async def tell(asked: Asked, ctx: RunContext) -> World:
        return told

    return tell
