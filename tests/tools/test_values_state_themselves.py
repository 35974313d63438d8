"""Comparisons, totals, rankings and ratios say themselves, in English and Chinese, with figures computed here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.runtime.errors import ToolArgumentError, ToolError
from crewgraph.tools.builtin.figures import compare, ratio, total
from crewgraph.tools.tool import Tool
from crewgraph.tools.values import Comparison, Count, Fact, Passages, Ranking, number_text


def fact(label: str, value: Any, *, zh: str = "", quantity: str = "mass", unit: str = "kg") -> dict[str, Any]:
    local = {"zh": {"label": zh, "quantity": "质量"}} if zh else {}
    return Fact(
        label=label, quantity=quantity, value=value, unit=unit, source="scales", local=local
    ).model_dump()


async def said(tool: Tool, facts: list[Any], lang: Any = "en") -> str:
    return tool.read(await tool.call({"facts": facts})).statement(lang)


OX, HEN, FOX = fact("ox", 900, zh="牛"), fact("hen", 2, zh="母鸡"), fact("fox", 8, zh="狐狸")


async def test_a_comparison_says_who_by_how_much_and_how_many_times() -> None:
    assert await said(compare, [HEN, FOX]) == (
        "fox has the higher mass: 8 kg against 2 kg for hen. The difference is 6 kg, "
        "which is 300.0% more (hen has 75.0% less), or 4.00 times as much."
    )
    assert await said(compare, [HEN, FOX], "zh") == (
        "狐狸的质量更高：8 kg，母鸡为 2 kg，相差 6 kg，狐狸多 300.0%（母鸡少 75.0%），前者是后者的 4.00 倍。"
    )


async def test_three_or_more_are_put_in_order() -> None:
    english = await said(compare, [HEN, OX, FOX])
    assert english.startswith("By mass, highest first: ox 900 kg, fox 8 kg, hen 2 kg. ox has the higher mass")
    chinese = await said(compare, [HEN, OX, FOX], "zh")
    assert chinese.startswith("按质量从高到低：牛 900 kg，狐狸 8 kg，母鸡 2 kg。牛的质量更高")


async def test_a_tie_is_a_tie() -> None:
    cat = fact("cat", 8, zh="猫")
    assert await said(compare, [FOX, cat]) == "fox and cat have the same mass: 8 kg."
    assert await said(compare, [FOX, cat], "zh") == "狐狸和猫的质量相同：8 kg。"


@pytest.mark.parametrize(("high", "low"), [(5, 0), (5, -3), (0, -3), (-1, -2), (-0.5, -2.25)])
async def test_zero_and_negative_figures_get_no_percentage(high: float, low: float) -> None:
    pair = [fact("low", low, unit="°C", zh="低"), fact("high", high, unit="°C", zh="高")]
    for lang in ("en", "zh"):
        text = await said(compare, pair, lang)
        assert "%" not in text
        assert number_text(high - low, unit="°C") in text
    evidence = compare.read(await compare.call({"facts": pair})).evidence("en")
    assert len(evidence) == 2


async def test_texts_are_set_side_by_side() -> None:
    rome, oslo = (fact(n, v, quantity="weather", unit="") for n, v in (("Rome", "dry"), ("Oslo", "wet")))
    assert await said(compare, [rome, oslo]) == "Rome: weather dry. Oslo: weather wet."
    assert (await said(compare, [rome, {**oslo, "value": "dry"}])).endswith("They are the same.")
    assert (await said(compare, [rome, {**oslo, "value": "dry"}], "zh")).endswith("两者相同。")


async def test_bare_numbers_can_be_compared() -> None:
    text = await said(compare, [3, 7.5])
    assert "7.5 against 3" in text
    assert "4.5" in text


@given(st.floats(0.001, 1e12), st.floats(0.001, 1e12))
def test_the_percentage_is_right_for_any_two_figures(a: float, b: float) -> None:
    high, low = max(a, b), min(a, b)
    comparison = Comparison(facts=[Fact(label="x", value=high), Fact(label="y", value=low)])
    text = comparison.statement("en")
    if high == low:
        assert "same" in text
    else:
        assert f"{(high - low) / low * 100:.1f}% more" in text
        assert f"{(high - low) / high * 100:.1f}% less" in text
        assert f"= {(high - low) / low * 100:.2f}%" in comparison.evidence("en")[-1]


async def test_a_total_says_sum_and_mean() -> None:
    assert await said(total, [HEN, FOX, OX]) == (
        "Together, hen, fox, ox have a mass of 910 kg; the average is 303.333 kg."
    )
    assert await said(total, [HEN, FOX], "zh") == "母鸡、狐狸的质量合计 10 kg，平均 5 kg。"
    assert await said(total, [fact("a", 0.1), fact("b", 0.2)]) == (
        "Together, a, b have a mass of 0.3 kg; the average is 0.15 kg."
    )
    assert (
        await said(total, [fact("a", -5), fact("b", 5)])
        == "Together, a, b have a mass of 0 kg; the average is 0 kg."
    )


async def test_a_ratio_divides_the_first_by_the_second() -> None:
    assert await said(ratio, [FOX, HEN]) == "fox : hen: mass ratio 4."
    assert await said(ratio, [FOX, HEN], "zh") == "狐狸与母鸡：质量之比 4。"
    length = fact("fox", 2, quantity="length", unit="m")
    assert await said(ratio, [FOX, length]) == "fox: mass per length 4 kg per m."
    with pytest.raises(ToolError, match="The mass of fox is zero: nothing can be divided by it"):
        await said(ratio, [HEN, fact("fox", 0)])


@pytest.mark.parametrize("tool", [total, ratio])
async def test_texts_cannot_be_added_or_divided(tool: Tool) -> None:
    with pytest.raises(ToolError, match=r"hue has no figure .*\(mass: 'red'\)"):
        await said(tool, [FOX, fact("hue", "red")])


@pytest.mark.parametrize("tool", [compare, total])
async def test_different_units_are_not_mixed(tool: Tool) -> None:
    with pytest.raises(ToolError, match=r"different units \(g, kg\): convert them first"):
        await said(tool, [FOX, fact("ant", 1, unit="g")])


@pytest.mark.parametrize("tool", [compare, total, ratio])
async def test_one_figure_alone_is_too_few(tool: Tool) -> None:
    with pytest.raises(ToolArgumentError, match="at least 2"):
        await tool.call({"facts": [FOX]})


def test_rankings_in_both_languages() -> None:
    facts = [Fact(label="ox", quantity="mass", value=900), Fact(label="fox", quantity="mass", value=8)]
    assert Ranking(facts=facts[:1]).statement("en") == "The highest mass is ox (900)."
    assert Ranking(facts=facts, order="lowest", within="farm").statement("en") == (
        "The lowest mass in farm are, in order, ox (900), fox (8)."
    )
    assert Ranking(facts=facts, within="农场").statement("zh") == "在农场，mass最高的是ox (900)、fox (8)。"
    assert Ranking(facts=facts[1:], place=2).statement("en") == "Number 2 by mass, highest first, is fox (8)."
    assert Ranking(facts=facts, of=12).evidence("zh")[-1] == "共比较 12 行"


def test_counts_and_empty_searches() -> None:
    assert Count(count=0, what="rows", within="X").statement("en") == "0 rows in X."
    assert Count(count=3, what="rows").statement("zh") == "共 3 个。"
    assert Passages(query="?", passages=[]).statement("en") == "The documents say nothing about this."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1234567, "-1,234,567"),
        (0.5, "0.5"),
        (1234.5678, "1,234.57"),
        (2.0, "2"),
        (1234567.8, "1,234,568"),
        (1e-7, "1e-07"),
        (-0.25, "-0.25"),
    ],
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_text_fact_has_no_unit_and_a_nameless_one_no_colon() -> None:
    assert (
        Fact(label="Rome", quantity="weather", value="dry", unit="x").statement("zh") == "Rome：weather dry。"
    )
    assert Fact(value=7).statement("en") == "7."
    assert Fact(quantity="price", value=7, unit="€").statement("en") == "price: 7 €."
