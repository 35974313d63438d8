"""Wrong arguments come back as a correction that a model or a person can act on, not as a crash."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from crewgraph import Table, tool
from crewgraph.runtime.errors import ToolArgumentError


@tool(names={"city": {"Wien": ["Vienna"]}})
def weather(city: Literal["Wien", "Graz", "Linz"], days: int = 1) -> str:
    """The weather in a city."""
    return f"{city} {days}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "city is missing"),
        ({"city": "Graz", "when": "now"}, r"when is not a parameter \(it has: city, days\)"),
        ({"city": "Gratz"}, r"city='Gratz' is not known; did you mean Graz\?"),
        ({"city": "vienna"}, r"did you mean Wien\?"),
        ({"city": "Timbuktu"}, "it is one of Wien, Graz, Linz"),
        ({"city": "Graz", "days": "soon"}, "days='soon': input should be a valid integer"),
    ],
)
async def test_the_correction_says_what_would_be_right(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolArgumentError, match=f"weather: .*{said}"):
        await weather.call(arguments)


async def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ToolArgumentError) as error:
        await weather.call({"days": "soon", "when": 1})
    said = str(error.value)
    assert "city is missing" in said
    assert "days='soon'" in said
    assert "when is not a parameter" in said


async def test_a_row_of_a_table_is_corrected_by_its_other_names(orchard: Table) -> None:
    lookup = orchard.tools()[0]
    with pytest.raises(ToolArgumentError, match=r"row='Golden Ones' is not known; did you mean Amber\?"):
        await lookup.call({"row": "Golden Ones", "column": "weight"})
    with pytest.raises(ToolArgumentError, match=r"column='wieght' is not known; did you mean weight\?"):
        await lookup.call({"row": "Amber", "column": "wieght"})


@tool
def pick(which: Literal["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8", "i9", "j10"]) -> str:
    """Pick one."""
    return which


def test_a_long_list_of_values_is_cut_short() -> None:
    with pytest.raises(ToolArgumentError) as error:
        pick.check({"which": "§"})
    assert str(error.value).endswith("g7, h8 …")


def test_arguments_that_fit_are_converted_to_their_types() -> None:
    assert weather.check({"city": "Graz", "days": "3"}).model_dump() == {"city": "Graz", "days": 3}
