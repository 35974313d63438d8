"""Random crews and requests, as hypothesis strategies: agents, tools with typed signatures of many kinds, effects, traits."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from crewgraph import Agent, Allowance, Crew, Fact, Task, Tool, calculate
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.events import Effect
from crewgraph.tools.options import options_of
from crewgraph.tools.planning import Traits
from crewgraph.tools.values import FactLike

WORDS = (
    "apple bolt candle drum engine flute garden hammer island jacket kettle ladder north pen bridge".split()
)
HAN = ["苹果", "钢笔", "北京路", "重量", "价格"]
GLUE = (
    "what is the of and in or than more heaviest cheapest how many total average ratio per convert from to search if "
    "12 3.5 -7 third 2nd 1,200 2024-05-01 5*6 15% it them compare when where who ? , . ask me first at most budget all "
    '和 比 一共 多少 最大 的 第三 如果 "quoted text"'
).split(" ")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """A small thing inside a larger one."""

    model_config = ConfigDict(extra="forbid")

    name: str
    weight: float = Field(gt=0)


class Found(BaseModel):
    """A result with fields of several kinds."""

    amount: float
    number: int
    words: str = ""
    colour: Colour = Colour.RED
    part: Part = Part(name="p", weight=1)
    parts: list[Part] = []
    tags: list[str] = []


class Span(BaseModel):
    """Arguments that only fit together."""

    model_config = ConfigDict(extra="forbid")

    low: int
    high: int

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


RETURNS: list[Any] = [
    Fact, Fact, Found, Found, int, float, str, bool, list[int], list[str], list[Part], list[Found], Part, Any,
    Literal["apple", "pen"], int | None,
]  # fmt: skip

PARAMETERS: list[Any] = [
    Annotated[int, Field(ge=1, le=500)],
    int,
    Annotated[float, Field(gt=-1000)],
    float,
    str,
    Annotated[str, Field(max_length=40)],
    Annotated[str, Field(pattern="^[a-z]+$")],
    bool,
    Literal["apple", "bolt", "pen"],
    Literal["apple", "bolt", "candle", "drum", "engine", "flute", "garden", "hammer", "island", "jacket"],
    Literal[1, 2, 3],
    Colour,
    Part,
    FactLike,
    list[int],
    Annotated[list[str], Field(min_length=1, max_length=3)],
    Annotated[list[Part], Field(max_length=2)],
    Annotated[list[FactLike], Field(min_length=2)],
    int | str,
    dict[str, float],
]


class Case(NamedTuple):
    """One crew, what it is asked, and under which limits."""

    crew: Crew
    request: str
    earlier: str
    budget: Budget
    seed: int


async def _never(**_: Any) -> Any:
    raise AssertionError("planning calls no tool")


@st.composite
def tools(draw: st.DrawFn, number: int) -> Tool:
    fields: dict[str, Any] = {}
    names = draw(
        st.lists(st.sampled_from("amount from_place query kind title items".split()), max_size=3, unique=True)
    )
    for name in names:
        kind = draw(st.sampled_from(PARAMETERS))
        required = draw(st.integers(0, 3)) > 0
        fields[name] = (kind, ...) if required else (kind | None, None)
    base = Span if draw(st.integers(0, 7)) == 0 else None
    name = f"tool_{number}"
    model = (
        create_model(f"{name}_arguments", __base__=base, **fields)
        if base is not None
        else create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
    )
    effects: tuple[Effect, ...] = ("read_only", "once")
    effect = draw(st.sampled_from(effects))
    places = [f"thing:{{{field}}}" for field in names] + ["log"]
    writes = (draw(st.sampled_from(places)),) if effect == "once" and draw(st.integers(0, 3)) else ()
    reads = (draw(st.sampled_from(places)),) if draw(st.integers(0, 3)) == 0 else ()
    about = " ".join(draw(st.lists(st.sampled_from([*WORDS, *GLUE]), min_size=1, max_size=5)))
    return Tool(
        name,
        f"Find {about}",
        model,
        draw(st.sampled_from(RETURNS)),
        _never,
        effect=effect,
        options=options_of(model),
        traits=Traits(reads=reads, writes=writes),
    )


@st.composite
def crews(draw: st.DrawFn) -> Crew:
    given: list[Any] = [draw(tools(number)) for number in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        given.append(calculate)
    agents_number = draw(st.integers(1, 3))
    owners = [draw(st.integers(0, agents_number)) for _ in given]
    agents = [
        Agent(
            f"agent{n}",
            "Work.",
            tools=[t for t, owner in zip(given, owners, strict=True) if owner == n],
            output_type=Found if draw(st.integers(0, 5)) == 0 else None,
        )
        for n in range(1, agents_number + 1)
    ]
    tasks: tuple[Task, ...] = ()
    if draw(st.integers(0, 6)) == 0:
        allowance = Allowance(tokens=draw(st.integers(1, 900))) if draw(st.booleans()) else None
        tasks = (
            Task(id="one", description=draw(requests()), agent="agent1"),
            Task(
                id="two",
                description="Compare.",
                agent=agents[-1].role,
                depends_on=("one",),
                allowance=allowance,
            ),
        )
    shared = [t for t, owner in zip(given, owners, strict=True) if owner == 0]
    return Crew(agents, tools=shared, tasks=tasks)


def requests() -> st.SearchStrategy[str]:
    """What people may say: words that tools know among others, and now and then anything at all."""
    said = st.lists(st.sampled_from([*WORDS, *HAN, *GLUE]), max_size=12).map(" ".join)
    return st.one_of(said, said, said, st.text(max_size=40))


@st.composite
def asked(draw: st.DrawFn) -> Case:
    """A crew and a request for it."""
    budget = Budget(
        tokens=draw(st.sampled_from([None, None, 100_000])),
        tool_calls=draw(st.sampled_from([None, None, None, 2, 5])),
    )
    crew = draw(crews())
    named = [
        option.value for tool in crew.toolset.values() for known in tool.options.values() for option in known
    ]
    about = [word for tool in crew.toolset.values() for word in tool.description.split() if not tool.combines]
    spoken = st.lists(st.sampled_from([*named, *about, *GLUE, "12", "3.5"]), min_size=2, max_size=14).map(
        " ".join
    )
    request = draw(st.one_of(spoken, spoken, requests()))
    return Case(crew, request, draw(st.one_of(st.just(""), requests())), budget, draw(st.integers(0, 2**32)))
