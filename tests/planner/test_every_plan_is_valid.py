"""Whatever crew and whatever request: a plan by rules passes the checker, and can be carried out as it stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, create_model

from crewgraph import Agent, Crew, Fact, Task, TaskResult, Tool, calculate
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import Plan
from crewgraph.planner.strategies.rules import by_rules
from crewgraph.runtime.graph import resolve
from crewgraph.tools.tool import Option

WORDS = (
    "apple bolt candle drum engine flute garden hammer island jacket kettle ladder north_gate to pen Old Bridge US 41"
).split()
HAN = ["苹果", "钢笔", "北京路", "重量", "价格"]
GLUE = (
    "what is the of and in or than more heaviest cheapest how many total average ratio per convert from to search "
    "12 3.5 -7 third 2nd 1,200 2024-05-01 5*6 (3+4)/2 15% it them there compare when where who ? , . ! "
    '和 比 一共 多少 最大 的 第三 "quoted text"'
).split(" ")


class Found(BaseModel):
    """A result with a number in it that is no fact."""

    amount: float
    words: str = ""


SAMPLES: dict[Any, Any] = {
    Fact: Fact(label="x", quantity="q", value=5).model_dump(mode="json"),
    Found: {"amount": 5.0, "words": "w"},
    str: "text",
    Any: {"any": 1},
}


@st.composite
def parameters(draw: st.DrawFn) -> tuple[Any, Any, tuple[Option, ...]]:
    """The type of a parameter, its field, and the options it enumerates."""
    kind = draw(st.sampled_from(["choice", "choice", "integer", "number", "text", "numbers", "flag"]))
    default: Any = ... if draw(st.booleans()) else None
    options: tuple[Option, ...] = ()
    extra: dict[str, Any] = {}
    annotation: Any
    if kind == "choice":
        values = draw(st.lists(st.sampled_from([*WORDS, *HAN]), min_size=1, max_size=14, unique=True))
        annotation = Literal[tuple(values)]
        about = draw(st.sampled_from(["", "how heavy it is", "what it costs"]))
        options = tuple(
            Option(v, draw(st.sampled_from([(), (v.upper(),), ("other " + v,)])), about) for v in values
        )
    elif kind in ("integer", "number"):
        annotation = int if kind == "integer" else float
        extra = draw(st.sampled_from([{}, {"ge": 1, "le": 10}, {"gt": 3}, {"lt": 100}, {"multiple_of": 5}]))
    elif kind == "text":
        annotation = str
        extra = draw(st.sampled_from([{}, {"max_length": 5}, {"pattern": "^[a-z]+$"}]))
    elif kind == "numbers":
        annotation = Literal[1, 2, 3]
    else:
        annotation = bool
    if default is None:
        annotation = annotation | None
    return Annotated[annotation, Field(**extra)] if extra else annotation, default, options


@st.composite
def tools(draw: st.DrawFn) -> list[Tool]:
    made: list[Tool] = []
    for number in range(draw(st.integers(1, 4))):
        fields: dict[str, Any] = {}
        options: dict[str, tuple[Option, ...]] = {}
        names = ["amount", "from_place", "to_place", "query", "kind", "title"]
        for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
            annotation, default, values = draw(parameters())
            fields[name] = (annotation, default)
            if values:
                options[name] = values
        about = " ".join(draw(st.lists(st.sampled_from([*WORDS, *GLUE]), min_size=1, max_size=6)))
        model = create_model(f"t{number}", __config__=ConfigDict(extra="forbid"), **fields)
        returns = draw(st.sampled_from([Fact, Fact, Found, Any]))
        made.append(Tool(f"tool_{number}", f"Find {about}", model, returns, _never, options=options))
    return made


async def _never(**_: Any) -> Any:
    raise AssertionError("planning calls no tool")


@st.composite
def crews(draw: st.DrawFn) -> Crew:
    given_tools: list[Any] = draw(tools())
    if draw(st.booleans()):
        given_tools.append(calculate)
    owners = [draw(st.integers(0, 2)) for _ in given_tools]
    agents = [
        Agent(f"agent{n}", "Work.", tools=[t for t, o in zip(given_tools, owners, strict=True) if o == n])
        for n in (1, 2)
    ]
    tasks = ()
    if draw(st.integers(0, 3)) == 0:
        tasks = (
            Task(id="one", description=draw(requests()), agent="agent1"),
            Task(id="two", description="Compare.", agent="agent2", depends_on=("one",)),
        )
    return Crew(agents, tools=[t for t, o in zip(given_tools, owners, strict=True) if o == 0], tasks=tasks)


def requests() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from([*WORDS, *HAN, *GLUE]), max_size=12).map(" ".join) | st.text(max_size=40)


def carry_out(plan: Plan, crew: Crew) -> None:
    """A second opinion: go through the plan with stand-in results, and hold every call against its tool."""
    results: dict[str, TaskResult] = {}
    for task in plan.tasks:
        assert task.id not in results
        assert all(need in results for need in task.needs), "a task stands before what it needs"
        agent = next(a for a in crew.agents if a.role == task.agent)
        if task.tool is None:
            assert not task.args
            results[task.id] = TaskResult(value="text", text="text")
            continue
        mine = {t.name: t for t in (*crew.tools, *agent.tools) if isinstance(t, Tool)}
        tool = mine.get(task.tool) or crew.toolset[task.tool]
        assert task.tool in mine or tool.combines
        tool.check(resolve(task.args, results))
        kind = tool.returns if tool.returns in SAMPLES else BaseModel
        value = SAMPLES.get(kind, {"facts": [], "value": 1, "expression": "1"})
        results[task.id] = TaskResult(value=value)
    used = {need for task in plan.tasks for need in task.needs}
    assert set(results) - used == {plan.tasks[-1].id}, "something hangs loose"


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crews(), requests(), requests())
def test_a_plan_by_rules_is_valid(crew: Crew, request: str, earlier: str) -> None:
    plan = by_rules(crew, request, earlier=earlier)
    assert check(plan.tasks, crew) == []
    carry_out(plan, crew)
    assert by_rules(crew, request, earlier=earlier) == plan, "the same request, another plan"
