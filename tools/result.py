"""A bare result, a number or a text, as the fact that it tells: named after the tool and its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .options import Option
from .text import language_of
from .values import Fact

_VERB = re.compile(r"^(?:get|find|fetch|look_?up|read|query|show|calculate|compute)_")

Telling = Callable[[Any, Mapping[str, Any]], Any]
"""Makes of what a function returned, and of the arguments, the value that its tool returns."""


def telling_facts(
    name: str,
    unit: str,
    options: Mapping[str, tuple[Option, ...]],
    usual: Mapping[str, Any],
    *,
    named: bool = True,
) -> Telling:
    """A bare result as a fact: what it tells is the tool's name, of what its arguments.

    Arguments at their `usual` values are not said. Where it is not `named`, it is the bare result alone.
    """
    quantity = _VERB.sub("", name).replace("_", " ")

    def fact(found: Any, values: Mapping[str, Any]) -> Fact:
        if not named:
            return Fact(value=found, source=name)
        said = {
            name: str(getattr(value, "value", value))
            for name, value in values.items()
            if value is not None and not (name in usual and usual[name] == value)
        }
        chinese = {parameter: _chinese(text, options.get(parameter, ())) for parameter, text in said.items()}
        local = {"zh": {"label": "，".join(chinese.values())}} if chinese != said else {}
        return Fact(
            label=", ".join(said.values()),
            quantity=quantity,
            value=found,
            unit=unit,
            source=name,
            local=local,
        )

    return fact


def _chinese(value: str, options: tuple[Option, ...]) -> str:
    names = (name for option in options if option.value == value for name in option.names)
    return next((name for name in names if language_of(name) == "zh"), value)
