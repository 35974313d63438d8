"""A YAML or JSON file becomes the crew that the same words in Python would make."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from crewgraph import Agent, Crew, Task
from crewgraph.agents.guarding.judge import Judge
from crewgraph.runtime.policy import Allowance
from crewgraph.serving.crewfile import load_crew
from crewgraph.serving.crewfiles.schema import AgentSaid, CrewSaid, json_schema

from .conftest import CREW

EXAMPLES = Path(__file__).parents[2] / "examples"
SCHEMA = Path(__file__).parents[2] / "serving" / "crewfiles" / "crew.schema.json"

FULL = """
$schema: crew.schema.json
name: shop
description: Sells pens.
briefing: &rules Be brief.
process: planned
risky: note
tools:
  - shop_parts:plain
  - {use: "shop_parts:order", approval: true, timeout: 5}
  - table: {file: items.csv, key: name, thing: item, columns: {price: {about: the price, unit: EUR}}}
documents:
  - {folder: texts, about: house rules, name: look_up}
agents:
  - role: clerk
    goal: Know prices.
    backstory: Old.
    model: small
    adapter: polite
    tools: ["shop_parts:price", {read_file: texts}]
    output_type: shop_parts:Report
    max_turns: 3
    max_tokens: 99
    limit: 2
    corrections: 1
    delegates: [writer]
    may: [read_only, once]
    allowance: {tokens: 500}
  - {role: writer, goal: Answer., delegates: true, briefing: Other rules.}
tasks:
  - id: a
    description: a price
    expected_output: a number
    tool: price
    args: {item: pen}
    retry: {attempts: 2}
    timeout: 3
  - id: b
    description: write
    agent: writer
    depends_on: [a]
    when: {value: $a.value, test: above, to: 5}
    expects: [{value: $result, test: not_empty}]
    approval: true
    optional: true
"""


@pytest.fixture
def full(written: Callable[..., Path], shop: Path) -> Path:
    (shop / "texts").mkdir()
    (shop / "texts" / "rules.md").write_text("# Rules\n\nAlways smile.\n")
    (shop / "items.csv").write_text("name,price\npen,12.5\nink,6\n")
    return written(FULL)


def test_everything_that_a_crew_takes_can_be_said(full: Path) -> None:
    crew = load_crew(full)
    assert (crew.name, crew.description, crew.risky) == ("shop", "Sells pens.", "note")
    assert set(crew.toolset) >= {"plain", "order", "look_up", "price", "read_file"}
    assert (crew.toolset["order"].approval, crew.toolset["order"].timeout) == (True, 5)
    clerk, writer = crew.agents
    own = {"tools": (), "output_type": None}
    said = {name: getattr(clerk, name) for name in ("role", "goal", "backstory", "model", "adapter")}
    assert Agent(**said) == Agent("clerk", "Know prices.", "Old.", model="small", adapter="polite", **own)
    assert (clerk.max_turns, clerk.max_tokens, clerk.limit, clerk.corrections) == (3, 99, 2, 1)
    assert clerk.output_type is not None
    assert clerk.output_type.__name__ == "Report"
    assert (clerk.delegates, writer.delegates) == (["writer"], True)
    assert clerk.allowance == Allowance(tokens=500)
    assert tuple(clerk.may or ()) == ("read_only", "once")
    assert (clerk.briefing, writer.briefing) == ("Be brief.", "Other rules.")


def test_tasks_are_the_very_tasks_of_python(full: Path) -> None:
    said = yaml.safe_load(FULL)["tasks"]
    assert list(load_crew(full).tasks) == [Task(**one) for one in said]


def test_json_says_the_same_as_yaml_tabs_and_surrogates_included(
    written: Callable[..., Path], full: Path
) -> None:
    data = yaml.safe_load(FULL) | {"description": "pens 🖊"}
    other = load_crew(written(json.dumps(data, indent="\t"), "crew.json"))
    assert other.description == "pens 🖊"
    assert other.tasks == load_crew(full).tasks


def test_words_mean_what_yaml_1_2_says(written: Callable[..., Path]) -> None:
    text = CREW.replace("name: shop", "name: no").replace("goal: Answer.", "goal: 2026-01-02")
    crew = load_crew(written(text))
    assert (crew.name, crew.agents[1].goal) == ("no", "2026-01-02")


def test_anchors_and_merges_are_taken(written: Callable[..., Path]) -> None:
    text = """
agents:
  - &first {role: one, goal: work, max_tokens: 50}
  - {<<: *first, role: two}
"""
    one, two = load_crew(written(text)).agents
    assert (one.role, two.role, two.max_tokens, two.goal) == ("one", "two", 50, "work")


def test_a_crew_without_a_name_is_called_like_its_file(written: Callable[..., Path]) -> None:
    assert load_crew(written(CREW.replace("name: shop\n", ""), "tea.yml")).name == "tea"


@pytest.mark.parametrize("name", ["shop_parts:BOTH", "shop_parts.py:BOTH"])
def test_an_import_path_may_name_several_tools(written: Callable[..., Path], name: str) -> None:
    text = CREW.replace("shop_parts:price", name).replace("may: [read_only]", "limit: 1")
    assert {"price", "order"} <= set(load_crew(written(text)).toolset)


def test_an_inline_schema_takes_only_what_fits_it(written: Callable[..., Path]) -> None:
    schema = "{type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}"
    crew = load_crew(written(CREW.replace("goal: Answer.", f"goal: Answer.\n    output_type: {schema}")))
    shape = crew.agents[1].output_type
    assert shape is not None
    assert shape.model_json_schema() == yaml.safe_load(schema)
    assert shape.model_validate_json('{"n": 3}').model_dump(mode="json") == {"n": 3}
    with pytest.raises(ValidationError, match="'x' is not of type 'integer'"):
        shape.model_validate_json('{"n": "x"}')


def test_the_published_schema_is_that_of_the_code_and_takes_what_loads() -> None:
    published = json.loads(SCHEMA.read_text("utf-8"))
    assert published == json_schema(), "write it anew: crewgraph schema > serving/crewfiles/crew.schema.json"
    Draft202012Validator.check_schema(published)
    validator = Draft202012Validator(published)
    assert list(validator.iter_errors(yaml.safe_load(FULL))) == []
    assert list(validator.iter_errors(yaml.safe_load(CREW))) == []
    assert list(validator.iter_errors(yaml.safe_load(CREW.replace("goal:", "gaol:")))) != []


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_examples_load_and_fit_the_schema(file: Path) -> None:
    assert load_crew(file).agents
    said = yaml.safe_load(file.read_text("utf-8"))
    assert list(Draft202012Validator(json_schema()).iter_errors(said)) == []


def test_ways_of_working_have_names_and_options(written: Callable[..., Path]) -> None:
    text = """
process: conversation
turns: 4
manager: {role: host, goal: Give the word.}
agents:
  - {role: one, goal: work, architecture: react}
  - {role: two, goal: work, architecture: {name: reflection, rounds: 5}}
"""
    crew = load_crew(written(text))
    one, two = crew.agents
    assert one.architecture == "react"
    assert getattr(two.architecture, "rounds", None) == 5
    assert (crew.turns, crew.manager.role if crew.manager else "") == (4, "host")


def test_guardrails_are_functions_schemas_and_judges(written: Callable[..., Path]) -> None:
    text = """
agents:
  - role: one
    goal: work
    guardrails:
      - shop_parts:plain
      - {schema: {type: string, minLength: 3}}
      - {schema: "shop_parts:Report"}
      - {judge: It is polite., model: big}
tasks: [{id: a, description: work, agent: one}]
guardrails: {a: [{check: "shop_parts:plain"}]}
"""
    crew = load_crew(written(text))
    function, schema, model, judge = crew.agents[0].guardrails
    assert function.__name__ == "plain"
    assert schema == {"type": "string", "minLength": 3}
    assert model.__name__ == "Report"
    assert judge == Judge("It is polite.", None, "big")
    assert [check.__name__ for check in crew.guardrails["a"]] == ["plain"]  # type: ignore[union-attr]  # a function


def test_a_board_is_for_all_or_for_some_with_types(written: Callable[..., Path]) -> None:
    free = load_crew(written(CREW.replace("name: shop", "board: true"))).board
    assert free is not None
    assert (free.keys, free.agents) == (None, None)
    said = "board: {keys: {note: {type: string}, whole: 'shop_parts:Report'}, agents: [clerk]}"
    board = load_crew(written(CREW.replace("name: shop", said))).board
    assert board is not None
    assert (list(board.keys or ()), board.agents) == (["note", "whole"], ("clerk",))
    assert load_crew(written(CREW)).board is None


def test_whatever_python_can_say_of_agents_and_crews_a_file_can_say() -> None:
    for python, said in ((Agent, AgentSaid), (Crew, CrewSaid)):
        own = {field.name for field in dataclasses.fields(python) if field.init}
        assert own <= set(said.model_fields), f"{said.__name__} does not know all of {python.__name__}"
