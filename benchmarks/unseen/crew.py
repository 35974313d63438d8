"""A guide to the solar system: a crew over a table of planets and moons, with articles and two formulas."""

from pathlib import Path
from typing import Literal

from crewgraph import Agent, Column, Crew, Documents, Table, calculate, tool

HERE = Path(__file__).parent

table = Table.from_csv(
    HERE / "bodies.csv",
    key="name",
    thing="body",
    plural="bodies",
    other_names=["name_zh", "aliases"],
    columns={
        "diameter_km": Column(
            "the mean diameter in kilometres, how big it is across: its size",
            unit="km",
            names=("diameter", "size", "直径"),
        ),
        "distance_km": Column(
            "how far it is from what it goes round: a planet from the Sun, a moon from its planet",
            unit="km",
            names=("distance", "距离"),
        ),
        "period_days": Column(
            "how many days it takes to go round once, the length of its year",
            unit="days",
            names=("orbital period", "公转周期"),
        ),
        "discovered": Column(
            "the year in which it was discovered, when it was found", names=("year of discovery", "发现年份")
        ),
        "discoverer": Column("the person or probe that discovered it", names=("discoverer", "发现者")),
    },
    groups=["kind", "family"],
    group_names={
        "planet": ("planets", "行星"),
        "dwarf planet": ("dwarf planets", "矮行星"),
        "moon": ("moons", "卫星"),
        "Martian moon": ("moons of Mars", "火星的卫星"),
        "Jovian moon": ("moons of Jupiter", "Jupiter's moons", "木星的卫星"),
        "Saturnian moon": ("moons of Saturn", "Saturn's moons", "土星的卫星"),
        "Uranian moon": ("moons of Uranus", "Uranus's moons", "天王星的卫星"),
        "Neptunian moon": ("moons of Neptune", "Neptune's moons", "海王星的卫星"),
    },
)

articles = Documents(
    HERE / "documents",
    about="Articles on the planets, their moons and rings, and the spacecraft that explored them.",
)

GRAVITY = {
    "Mercury": 3.70,
    "Venus": 8.87,
    "Moon": 1.62,
    "Mars": 3.71,
    "Jupiter": 24.79,
    "Saturn": 10.44,
    "Uranus": 8.69,
    "Neptune": 11.15,
    "Pluto": 0.62,
}
EARTH_GRAVITY = 9.81
LIGHT_KM_S = 299_792.458

Place = Literal["Mercury", "Venus", "Moon", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune", "Pluto"]


@tool(
    names={
        "place": {
            "Mercury": ["水星"],
            "Venus": ["金星"],
            "Moon": ["the Moon", "月球", "月亮"],
            "Mars": ["火星"],
            "Jupiter": ["木星"],
            "Saturn": ["土星"],
            "Uranus": ["天王星"],
            "Neptune": ["海王星"],
            "Pluto": ["冥王星"],
        }
    },
    unit="kg",
)
def weight_on(place: Place, weight: float) -> float:
    """Work out what a person or thing would weigh on another planet or on the Moon (换算在其他星球上的体重).

    Args:
        place: Where it is weighed.
        weight: What it weighs on Earth, in kilograms.
    """
    return round(weight * GRAVITY[place] / EARTH_GRAVITY, 2)


@tool(unit="s")
def light_travel_time(kilometres: float) -> float:
    """Work out how many seconds light takes to travel a number of kilometres (光走这段距离的时间).

    Args:
        kilometres: The length of the way in kilometres.
    """
    return round(kilometres / LIGHT_KM_S, 2)


crew = Crew(
    name="unseen",
    agents=[
        Agent(
            "astronomer",
            "Find figures about planets and moons.",
            tools=[*table.tools(), weight_on, light_travel_time],
        ),
        Agent("librarian", "Find what the articles say about the solar system.", tools=articles.tools()),
        Agent(
            "guide",
            "Answer visitors of the observatory in plain words.",
            backstory="You are friendly and brief.",
            tools=[calculate],
        ),
    ],
)
