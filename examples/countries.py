"""Compare and look up figures: a crew over a table of countries."""

from pathlib import Path

from crewgraph import Agent, Column, Crew, Table, calculate

DATA = Path(__file__).parent / "data"

table = Table.from_csv(
    DATA / "countries.csv",
    key="name",
    thing="country",
    plural="countries",
    other_names=["name_zh", "aliases"],
    columns={
        "population": Column("how many people, inhabitants, live there", names=("population", "人口")),
        "area_km2": Column(
            "land area in square kilometres: its size, how large it is", unit="km²", names=("area", "面积")
        ),
        "capital": Column("the capital city", names=("capital", "首都")),
        "continent": Column("the part of the world it lies in", names=("continent", "洲")),
        "currency": Column("the money people pay with", names=("currency", "货币")),
    },
    groups=["continent"],
    group_names={
        "Africa": ("African", "非洲"),
        "Asia": ("Asian", "亚洲"),
        "Europe": ("European", "欧洲"),
        "North America": ("North American", "北美洲", "北美"),
        "South America": ("South American", "南美洲", "南美"),
        "Oceania": ("Oceanian", "大洋洲"),
    },
)

crew = Crew(
    name="countries",
    agents=[
        Agent("researcher", "Find figures about countries.", tools=table.tools()),
        Agent("analyst", "Work out and compare figures.", tools=[calculate]),
        Agent("writer", "Answer the request in plain words.", backstory="You are friendly and brief."),
    ],
)
