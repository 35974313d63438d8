"""A crew file with a slip in it becomes one sentence: file, line, column, what is wrong, and what was likely meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crewgraph.runtime.errors import InvalidCrew
from crewgraph.serving.crewfile import load_crew
from crewgraph.serving.crewfiles.schema import AgentSaid

from .conftest import CREW

SLIPS = {
    ("goal: Know", "gaol: Know"): ("line 4, column 5", "'gaol'", "'goal'"),
    ("role: clerk", "rolle: clerk"): ("line 3, column 5", "'rolle'", "'role'"),
    ("depends_on: [a]", "depend_on: [a]"): ("line 14, column 5", "'depend_on'", "'depends_on'"),
    ("{item: ink}", "{item: ink}\n    when: {vaule: 1, test: above}"): ("line 14, column 12", "'vaule'", "'value'"),
    ("name: shop", "nmae: shop"): ("line 1, column 1", "'nmae'", "'name'"),
    ("name: shop", "process: sequental"): ("line 1, column 10", "sequental", "'sequential'"),
    ("role: writer", "role: clerk"): ("line 7, column 11", "two agents have the role 'clerk'", "line 3"),
    ("role: writer", "role: 12"): ("line 7, column 11", "must be a text", "quotes"),
    ("goal: Answer.", "limit: 2"): ("line 7, column 5", "has no 'goal'", "add it"),
    ("goal: Answer.", "goal: x\n    max_turns: six"): ("line 9, column 16", '"six"', "a whole number"),
    ("goal: Answer.", "goal: x\n    max_turns: 0"): ("line 9, column 16", "max_turns is 0", "greater than or equal"),
    ("goal: Answer.", "goal: x\n    delegates: [clrk]"): ("line 9, column 17", "'clrk'", "'clerk'"),
    ("goal: Answer.", "goal: x\n    delegates: [writer]"): ("line 9, column 17", "itself", "clerk"),
    ("may: [read_only]", "may: [read-only]"): ("line 6, column 11", "read-only", "'read_only'"),
    ("tool: price\n", "tool: prise\n"): ("line 12, column 11", "'prise'", "'price'"),
    ("agent: clerk", "agent: clrk"): ("line 10, column 85", "'clrk'", "'clerk'"),
    ("depends_on: [a]", "depends_on: [b]"): ("line 14, column 18", "'b'", "there are: a"),
    ("parts:price", "parts:prise"): ("line 5, column 13", "no 'prise'", "'price'"),
    ("shop_parts", "shop_prts"): ("line 5, column 13", "no module 'shop_prts'", "'shop_parts'"),
    ("shop_parts:price", "shop_parts:NUMBER"): ("line 5, column 13", "7 is not a tool", "@tool"),
    ("calculate", "calculat"): ("line 5, column 31", "'calculat'", "'calculate'"),
    ("calculate", "shop_parts:order"): ("line 5, column 31", "nobody may use the tool 'order'", "read_only"),
    ("calculate", "{use: calculate, read_file: x}"): ("line 5, column 31", "exactly one", "read_file"),
    ("calculate", "{read_file: nowhere}"): ("line 5, column 43", "nowhere", "does not exist"),
    ("name: shop", "documents: [nowhere]"): ("line 1, column 13", "nowhere", "does not exist"),
    ("name: shop", "name: shop\nname: x"): ("line 2, column 1", "'name' is there twice", "line 1"),
    ("name: shop", "name: !!python/name:os.system"): ("line 1, column 7", "tag", "plain values"),
    ("name: shop", 'name: !!python/name:os.system ""'): ("line 1, column 7", "tag", "plain values"),
    ("name: shop", "name: &a [*a]"): ("line 1, column 7", "contains itself", "alias"),
    ("goal: Answer.", "goal: [Answer"): ("line 9, column 6", "not valid YAML", "expected"),
    ("name: shop", "manager: {role: boss, goal: lead}"): ("line 1, column 1", "hierarchical", "planned"),
    ("name: shop", "guardrails: {z: [shop_parts:plain]}"): ("line 1, column 14", "'z'", "a, t2"),
    ("goal: Answer.", "goal: x\n    output_type: {type: nonsense}"): ("line 9, column 18", "JSON schema", "type"),
    ("goal: Answer.", "goal: x\n    output_type: shop_parts:price"): ("line 9, column 18", "pydantic model", "BaseModel"),
    ("goal: Answer.", "goal: x\n    architecture: reflexion"): ("line 9, column 19", "'reflexion'", "'reflection'"),
    ("goal: Answer.", "goal: x\n    architecture: {name: reflection, round: 2}"): ("line 9, column", "'round'", "'rounds'"),
    ("name: shop", "board: {agents: [clrk]}"): ("line 1, column 18", "'clrk'", "'clerk'"),
    ("goal: Answer.", "goal: x\n    guardrails: [shop_parts:NUMBER]"): ("line 9, column 18", "no guardrail", "function"),
    ("goal: Answer.", "goal: x\n    guardrails: [{judge: x, schema: {}}]"): ("line 9, column 18", "exactly one", "judge"),
}  # fmt: skip


@pytest.mark.parametrize(("slip", "said"), SLIPS.items(), ids=[slip[1].replace("\n", "|") for slip in SLIPS])
def test_a_slip_is_said_with_line_column_and_what_was_likely_meant(
    written: Callable[..., Path],
    refusal: Callable[[Path], str],
    slip: tuple[str, str],
    said: tuple[str, ...],
) -> None:
    assert slip[0] in CREW
    message = refusal(written(CREW.replace(*slip, 1)))
    assert message.startswith(said[0])
    assert all(words in message for words in said[1:]), message


def test_a_circle_of_tasks_is_refused(written: Callable[..., Path], refusal: Callable[[Path], str]) -> None:
    message = refusal(written(CREW.replace("{id: a,", "{id: a, depends_on: [t2],")))
    assert "circle" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the file is empty; a crew needs at least `agents`."),
        ("- a\n- b\n", "line 1, column 1: a crew file is a map with the key 'agents'."),
        ("name: x\n", "line 1, column 1: the crew has no 'agents': add it."),
    ],
)
def test_a_file_without_a_crew_says_what_a_crew_needs(
    written: Callable[..., Path], refusal: Callable[[Path], str], text: str, said: str
) -> None:
    assert refusal(written(text)) == said


def test_what_is_not_utf8_is_said_with_its_line(shop: Path, refusal: Callable[[Path], str]) -> None:
    file = shop / "crew.yaml"
    file.write_bytes(b"name: shop\nbriefing: \xff\n")
    assert refusal(file) == "line 2: it is not UTF-8; save it as UTF-8."


def test_a_file_that_grows_without_end_by_its_aliases_is_refused(
    written: Callable[..., Path], refusal: Callable[[Path], str]
) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "more than 100000 values" in refusal(written("\n".join(lines)))


def test_an_import_that_fails_names_both_places(
    written: Callable[..., Path], refusal: Callable[[Path], str], shop: Path
) -> None:
    (shop / "broken_parts.py").write_text("a = 1\nb = a / 0\n")
    message = refusal(written(CREW.replace("calculate", "broken_parts:b")))
    assert message.startswith("line 5, column 31: ")
    assert "ZeroDivisionError" in message
    assert "(broken_parts.py, line 2)" in message


@given(
    key=st.sampled_from([name for name in AgentSaid.model_fields if len(name) > 3]),
    data=st.data(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_with_one_letter_wrong_is_traced_to_itself(
    tmp_path: Path, key: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(key) - 1))
    typo = key[:place] + "q" + key[place + 1 :]
    file = tmp_path / "crew.yaml"
    file.write_text(f"agents:\n  - role: a\n    goal: b\n    {typo}: 1\n")
    with pytest.raises(InvalidCrew) as caught:
        load_crew(file)
    assert f"line 4, column 5: the key {typo!r} is not known" in str(caught.value)
    assert f"the nearest is {key!r}" in str(caught.value)


@given(
    place=st.integers(0, len(CREW)),
    cut=st.integers(0, 8),
    put=st.text(st.sampled_from(list("[]{}:,-&*!|>'\"#% \n\tab01.~<=é\u2028\x00")), max_size=6),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_a_file_it_is_a_crew_or_one_sentence(
    shop: Path, place: int, cut: int, put: str
) -> None:
    file = shop / "crew.yaml"
    file.write_text(CREW[:place] + put + CREW[place + cut :], encoding="utf-8")
    said = f"{file}, line"
    try:
        load_crew(file)
    except InvalidCrew as error:
        said = str(error)
    assert "\n" not in said
    assert said.startswith(f"{file}, line")
