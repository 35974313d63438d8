"""`compare`, `total` and `ratio`: what is done with figures that other tools found."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from ...runtime.errors import ToolError
from ..text import Language
from ..tool import Tool, tool
from ..values import Comparison, Fact, FactLike, Total


def _figures(facts: list[Fact], purpose: str) -> list[Fact]:
    for fact in facts:
        if isinstance(fact.value, str):
            raise ToolError(
                f"{fact.label or 'A value'} has no figure to {purpose} ({fact.quantity or 'value'}: {fact.value!r})."
            )
    units = {fact.unit for fact in facts if fact.unit}
    if len(units) > 1:
        raise ToolError(
            f"These figures have different units ({', '.join(sorted(units))}): convert them first."
        )
    return facts


@tool
def compare(facts: Annotated[list[FactLike], Field(min_length=2)]) -> Comparison:
    """Compare figures of the same kind: which is more or less, the difference, the percentage, the ratio.

    比较数值的大小、差、百分比、倍数.

    Args:
        facts: The figures to compare, two or more, as results of earlier tasks.
    """
    if any(isinstance(fact.value, str) for fact in facts):
        return Comparison(facts=facts)
    return Comparison(facts=sorted(_figures(facts, "compare"), key=lambda fact: -float(fact.value)))


@tool
def total(facts: Annotated[list[FactLike], Field(min_length=2)]) -> Total:
    """Add up figures of the same kind: their sum, total, average, mean. 求和、合计、平均.

    Args:
        facts: The figures to add up, two or more, as results of earlier tasks.
    """
    return Total(facts=_figures(facts, "add up"))


@tool
def ratio(facts: Annotated[list[FactLike], Field(min_length=2, max_length=2)]) -> Fact:
    """Divide one figure by another: a ratio, so much per so much, a density. 求比值、每单位多少.

    Args:
        facts: Two figures, as results of earlier tasks: the one that is divided, then the one it is divided by.
    """
    for fact in facts:
        if isinstance(fact.value, str):
            raise ToolError(
                f"{fact.label or 'A value'} has no figure to divide ({fact.quantity or 'value'}: {fact.value!r})."
            )
    of, by = facts
    if not float(by.value):
        raise ToolError(
            f"The {by.quantity or 'second figure'} of {by.label or 'it'} is zero: nothing can be divided by it."
        )
    same = of.quantity == by.quantity
    names = {lang: _ratio_names(of, by, lang) for lang in ("zh",) if lang in of.local or lang in by.local}
    return Fact(
        **_ratio_names(of, by, "en"),
        value=_rounded(float(of.value) / float(by.value)),
        unit="" if same or of.unit == by.unit else f"{of.unit or of.quantity} per {by.unit or by.quantity}",
        local=names,
    )


def _rounded(value: float) -> float:
    """Two decimals, or four significant digits where that says more."""
    return round(value, 2) if abs(value) >= 10 else float(f"{value:.4g}")


def _ratio_names(of: Fact, by: Fact, lang: Language) -> dict[str, str]:
    labels = [fact.named("label", lang) for fact in (of, by)]
    quantities = [fact.named("quantity", lang) for fact in (of, by)]
    between = " : " if lang == "en" else "与"
    label = labels[0] if labels[0] == labels[1] else between.join(labels)
    if quantities[0] == quantities[1]:
        return {"label": label, "quantity": quantities[0] + (" ratio" if lang == "en" else "之比")}
    return {"label": label, "quantity": " per ".join(quantities) if lang == "en" else "每".join(quantities)}


COMBINERS: tuple[Tool, ...] = tuple(replace(t, combines=True) for t in (compare, total, ratio))
"""The tools that work on other tools' figures; every crew has them."""
