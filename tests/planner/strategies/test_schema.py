"""The form of a plan: what the crew has and what the types allow, and nothing that would lead a small model astray."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, create_model

from crewgraph import Agent, Budget, Crew, tool
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import wrong
from crewgraph.planner.strategies.written.items import answer_task, task_of, written
from crewgraph.planner.strategies.written.schema import plan_schema
from crewgraph.runtime.graph import Task
from crewgraph.serving.client.answers.forms.schemas import compiled
from crewgraph.serving.client.answers.shapes.shape import SHAPES, fast_shape

PLAIN = "Who sings in Ghent, and what are they paid?"


def places(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The forms of a task at each place of the longest plan, by tool; those for each of a list as ``TOOL*``."""
    tasks = schema["properties"]["tasks"]
    longest = tasks["anyOf"][-1] if "anyOf" in tasks else tasks
    refs = longest.get("prefixItems") or [longest["items"]] * longest["maxItems"]
    found: dict[str, dict[str, Any]] = {}
    for number, ref in enumerate(refs, 1):
        body = inlined(ref, schema)
        for variant in body.get("anyOf", [body]):
            said = variant["properties"]
            name = said["tool"]["const"] if "tool" in said else "words"
            many = "" if "each" not in said else "+" if "items" in said["each"] else "*"
            found[f"{number} {name}{many}"] = said
    return found


def inlined(node: Any, root: dict[str, Any]) -> Any:
    """A form with its references written out."""
    if isinstance(node, list):
        return [inlined(part, root) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return inlined(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    return {key: inlined(part, root) for key, part in node.items()}


def fits(schema: dict[str, Any], *tasks: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid({"tasks": list(tasks)}))


def test_the_form_offers_only_what_the_crew_has(shop: Crew) -> None:
    schema = plan_schema(shop, "What does a pen cost in yuan?")
    offered = places(schema)
    assert {name.split()[1] for name in offered} == set(shop.toolset)
    assert offered["1 price"]["args"]["properties"] == {"item": {"enum": ["pen"]}}
    assert offered["1 price"]["args"]["required"] == ["item"]
    assert offered["1 convert_currency"]["args"]["properties"]["to"] == {"enum": ["USD", "CNY", "GBP"]}
    assert all(said["args"]["additionalProperties"] is False for said in offered.values())


def test_references_lead_only_back_and_only_where_the_types_fit(shop: Crew) -> None:
    offered = places(plan_schema(shop, "What does a pen cost in yuan?"))
    assert "1 compare" not in offered
    assert "2 compare" not in offered
    assert offered["1 convert_currency"]["args"]["properties"]["amount"] == {"type": "number"}
    number, reference = offered["3 convert_currency"]["args"]["properties"]["amount"]["anyOf"]
    assert number == {"type": "number"}
    assert reference["enum"] == ["$t1.value", "$t2.value"]
    facts = offered["3 compare"]["args"]["properties"]["facts"]
    assert facts == {"type": "array", "items": {"enum": ["$t1", "$t2"]}, "minItems": 2, "maxItems": 2}


def test_fields_of_records_are_offered_by_name() -> None:
    @tool
    def distance(kilometres: int) -> float:
        """How long a way takes."""
        return 1.0

    @tool
    def place(name: str) -> Place:
        """Where a town lies."""
        return Place(height=1, people=2, name="")

    crew = Crew([Agent("guide", "Know places.", tools=[distance, place])])
    offered = places(plan_schema(crew, "How far is it?"))
    assert offered["2 distance"]["args"]["properties"]["kilometres"]["anyOf"][1] == {
        "enum": ["$t1.value", "$t1.height", "$t1.people"]
    }


class Place(BaseModel):
    height: int
    people: int
    name: str


class Word(BaseModel):
    loud: bool


def test_where_no_value_is_mentioned_all_are_offered_and_what_was_said_before_counts(shop: Crew) -> None:
    item = lambda schema: places(schema)["1 price"]["args"]["properties"]["item"]["enum"]  # noqa: E731
    assert len(item(plan_schema(shop, "What does it cost?"))) == 10
    assert item(plan_schema(shop, "And in yuan?", earlier="What does ink cost?")) == ["ink"]


def test_tasks_for_each_of_a_list_are_offered_where_a_tool_takes_its_entries(choir: Crew, shop: Crew) -> None:
    offered = places(plan_schema(choir, PLAIN))
    assert "1 phone*" not in offered
    assert offered["2 phone*"]["each"] == {"enum": ["$t1.people"]}
    assert offered["2 phone*"]["args"]["properties"]["name"]["enum"] == ["$item.name", "$item.voice"]
    assert offered["2 pay*"]["args"]["properties"]["age"] == {"enum": ["$item.age"]}
    assert "each" not in json.dumps(plan_schema(shop, "What does a pen cost?"))


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        ("If a pen costs more than 5, what are 5 euros in yuan?", "when"),
        ("如果钢笔超过5欧元，换算成人民币", "when"),
        ("Price a pen, but ask me first", "needs_approval"),
        ("先问我再查钢笔的价格", "needs_approval"),
        ("Price a pen with a budget of 500 tokens", "budget"),
        ("查钢笔的价格，预算最多500", "optional"),
    ],
)
def test_what_may_be_left_out_is_offered_where_the_request_speaks_of_it(
    shop: Crew, request_: str, part: str
) -> None:
    said = places(plan_schema(shop, request_))["3 price"]
    assert part in said
    plain = places(plan_schema(shop, "What does a pen cost?"))
    assert set(plain["3 price"]) == {"tool", "args"}
    body = plan_schema(shop, request_)["$defs"]
    body = {name: inlined(form, {"$defs": body}) for name, form in body.items() if name.startswith("task")}
    required = [v["required"] for form in body.values() for v in form.get("anyOf", [form])]
    assert all(names == ["tool", "args"] for names in required)


def test_effects_may_always_be_approved_and_limits_of_the_run_are_those_of_tasks(choir: Crew) -> None:
    offered = places(plan_schema(choir, PLAIN))
    assert offered["1 invite"]["needs_approval"] == {"const": True}
    assert "needs_approval" not in offered["1 phone"]
    limited = places(plan_schema(choir, PLAIN, budget=Budget(tokens=900)))
    assert list(limited["1 phone"]["budget"]["properties"]) == ["tokens"]
    assert limited["1 phone"]["optional"] == {"const": True}


def test_a_plan_that_goes_on_refers_to_what_stands_by_its_type(choir: Crew) -> None:
    done = Task(id="t3", description="", agent="manager", tool="roster", args={"town": "Ghent"})
    schema = plan_schema(choir, PLAIN, stands=[done])
    offered = places(schema)
    assert offered["1 phone*"]["each"] == {"enum": ["$t3.people"]}
    assert "$t4" in json.dumps(schema)
    assert "$t1." not in json.dumps(schema)
    assert offered["1 pay"]["args"]["properties"]["age"] == {"type": "integer"}
    assert fits(schema)
    assert not fits(plan_schema(choir, PLAIN))


def test_agents_are_chosen_only_where_there_is_a_choice() -> None:
    @tool
    def look(what: str) -> str:
        """Look something up."""
        return what

    both = Crew([Agent("a", "Read.", tools=[look]), Agent("b", "Write.", tools=[look])])
    one = Crew([Agent("a", "Read.", tools=[look]), Agent("b", "Write.")])
    assert places(plan_schema(both, "Look"))["1 look"]["agent"] == {"enum": ["a", "b"]}
    assert "agent" not in places(plan_schema(one, "Look"))["1 look"]


def test_work_in_words_is_offered_only_to_a_model_that_is_trusted(choir: Crew) -> None:
    assert "3 words" not in places(plan_schema(choir, PLAIN))
    said = places(plan_schema(choir, PLAIN, words=True))["3 words"]
    assert said["after"]["items"] == {"enum": ["$t1", "$t2"]}


def test_calls_for_each_of_several_values_are_offered_only_to_a_model_that_is_trusted(shop: Crew) -> None:
    both = {"tool": "price", "each": ["pen", "ink"], "args": {"item": "$item"}}
    sum_ = {"tool": "total", "args": {"facts": "$t1"}}
    request = "What do a pen and ink cost together?"
    assert fits(plan_schema(shop, request, words=True), both, sum_)
    assert not fits(plan_schema(shop, request), both)
    tasks = [task_of(item, n, shop, ["t1"]) for n, item in enumerate((both, sum_), 1)]
    assert not wrong(check((*tasks, answer_task(shop, request, tasks)), shop))


def test_tools_may_have_definitions_of_the_same_name() -> None:
    def made(kind: type) -> Any:
        return create_model("Spot", x=(kind, ...))

    one, other = made(int), made(str)

    def near(spot: one) -> str:  # type: ignore[valid-type]
        """What is near."""
        return ""

    def far(spot: other) -> str:  # type: ignore[valid-type]
        """What is far."""
        return ""

    near.__annotations__, far.__annotations__ = {"spot": one, "return": str}, {"spot": other, "return": str}
    schema = plan_schema(Crew([Agent("a", "b", tools=[tool(near), tool(far)])]), "What is near?")
    assert fits(schema, {"tool": "near", "args": {"spot": {"x": 1}}})
    assert not fits(schema, {"tool": "near", "args": {"spot": {"x": "1"}}})
    assert fits(schema, {"tool": "far", "args": {"spot": {"x": "1"}}})


def test_a_crew_without_tools_has_a_form_too() -> None:
    schema = plan_schema(Crew([Agent("a", "b")]), "Hm?")
    compiled(schema)
    assert fits(schema)


def test_every_engines_shape_of_the_form_accepts_the_same_plan(choir: Crew) -> None:
    schema = plan_schema(
        choir, "If Ada sings in Ghent, ask me and call everybody within 10 seconds", words=True
    )
    compiled(schema)
    plan = [
        {"tool": "roster", "args": {"town": "Ghent"}},
        {
            "tool": "phone",
            "each": "$t1.people",
            "args": {"name": "$item.name"},
            "when": {"value": "$t1.people", "test": "not_empty"},
            "needs_approval": True,
            "budget": {"seconds": 10},
            "optional": True,
        },
    ]
    for shape in SHAPES.values():
        assert fits(fast_shape(schema, shape), *plan)
    assert not fits(schema, plan[1])


def test_places_that_offer_the_same_share_one_definition() -> None:
    @tool
    def say(what: str) -> Word:
        """Say something."""
        return Word(loud=True)

    crew = Crew([Agent("a", "b", tools=[say])])
    schema = plan_schema(crew, "Say it")
    assert [name for name in schema["$defs"] if name.startswith("task")] == ["task1"]
    assert schema["properties"]["tasks"] == {
        "type": "array",
        "items": {"$ref": "#/$defs/task1"},
        "minItems": 1,
        "maxItems": 8,
    }


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_keeps_the_form_is_read_and_written_back_the_same(data: st.DataObject) -> None:
    crew = _choir()
    request = data.draw(st.sampled_from([PLAIN, "If Ada sings, ask me first", "Invite all within 9 seconds"]))
    schema = plan_schema(crew, request, most=4)
    items = data.draw(plans(schema))
    assert fits(schema, *items)
    tasks: list[Task] = []
    for number, item in enumerate(items, 1):
        tasks.append(task_of(item, number, crew, [task.id for task in tasks]))
    whole = (*tasks, answer_task(crew, request, tasks))
    text = written(whole, crew)
    assert text is not None
    assert fits(schema, *json.loads(text)["tasks"])
    again: list[Task] = []
    for number, item in enumerate(json.loads(text)["tasks"], 1):
        again.append(task_of(item, number, crew, [task.id for task in again]))
    assert again == tasks
    # Which of the earlier tasks has the type that is wanted is left to the checker, and nothing else.
    said = [finding.problem for finding in wrong(check(whole, crew))]
    never = (
        "there is no tool",
        "has no parameter",
        "needs ",
        "not in the graph",
        "nobody has",
        "may not use",
    )
    assert not [problem for problem in said if any(words in problem for words in never)]


def _choir() -> Crew:
    from .conftest import invite, pay, phone, roster

    return Crew([Agent("a", "Sing.", tools=[roster, phone, pay, invite]), Agent("b", "Speak.")], name="choir")


@st.composite
def plans(draw: st.DrawFn, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Plans that keep a form, drawn from it."""
    forms = schema["properties"]["tasks"]
    form = draw(st.sampled_from(forms.get("anyOf", [forms])))
    refs = form.get("prefixItems") or [form["items"]] * draw(st.integers(1, form.get("maxItems", 1)))
    return [draw(values(ref, schema)) for ref in refs]


def values(node: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        return values(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    if "anyOf" in node:
        return st.one_of([values(part, root) for part in node["anyOf"]])
    if "const" in node:
        return st.just(node["const"])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    match node["type"]:
        case "object":
            must = {n: values(p, root) for n, p in node["properties"].items() if n in node["required"]}
            may = {n: values(p, root) for n, p in node["properties"].items() if n not in node["required"]}
            return st.fixed_dictionaries(must, optional=may)
        case "array":
            return st.lists(
                values(node["items"], root),
                min_size=node.get("minItems", 0),
                max_size=node.get("maxItems", 3),
            )
        case "string":
            return st.text(st.characters(codec="ascii", exclude_characters="$"), max_size=9)
        case "integer":
            return st.integers(node.get("minimum", -9), 99)
        case "number":
            return st.integers(-9, 99).map(float)
        case _:
            return st.booleans()
