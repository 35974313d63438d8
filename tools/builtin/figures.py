"""`compare` and `total`: what is done with figures that other tools found."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from ...runtime.errors import ToolError
from ..tool import Tool, tool
from ..values import Comparison, Fact, FactLike, Total


def _figures(facts: list[Fact], purpose: str) -> list[Fact]:
    for fact in facts:
        if isinstance(fact.value, str):
            raise ToolError(f"{fact.label or 'A value'} has no figure to {purpose} ({fact.quantity or 'value'}: {fact.value!r}).")
    units = {fact.unit for fact in facts if fact.unit}
    if len(units) > 1:
        raise ToolError(f"These figures have different units ({', '.join(sorted(units))}): convert them first.")
    return facts


@tool
def compare(facts: Annotated[list[FactLike], Field(min_length=2)]) -> Comparison:
    """Compare figures of the same kind: which is more or less, the difference, the percentage, the ratio. 比较数值的大小、差、百分比、倍数.

    Args:
        facts: The figures to compare, two or more, as results of earlier tasks.
    """
    figures = _figures(facts, "compare")
    return Comparison(facts=sorted(figures, key=lambda fact: -float(fact.value)))


@tool
def total(facts: Annotated[list[FactLike], Field(min_length=2)]) -> Total:
    """Add up figures of the same kind: their sum, total, average, mean. 求和、合计、平均.

    Args:
        facts: The figures to add up, two or more, as results of earlier tasks.
    """
    return Total(facts=_figures(facts, "add up"))


COMBINERS: tuple[Tool, ...] = (replace(compare, combines=True), replace(total, combines=True))
"""The tools that work on other tools' figures; every crew has them."""
