"""Owns which scorers a case has: those asked for, its own, and those that follow from what it says."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ...runtime.errors import InvalidInput
from .case import Case, Wanted
from .score import Score, Scorer
from .scorers.custom import Custom
from .scorers.judged import Judge
from .scorers.meaning import Semantic
from .scorers.structure import Schema
from .scorers.texts import Contains, Exact, Regex
from .scorers.ways import Tools

SCORERS: dict[str, type[Any]] = {
    "exact": Exact,
    "contains": Contains,
    "regex": Regex,
    "schema": Schema,
    "semantic": Semantic,
    "judge": Judge,
    "trajectory": Tools,
}
"""The scorers that have names; any other is an import path, `module:function` or `file.py:function`."""


class Chosen(NamedTuple):
    """A scorer of a case, under the name that its column has; `of` is a hash of what it is and its options."""

    label: str
    scorer: Scorer
    of: str

    def settled(self, score: Score | None) -> bool:
        """Whether this score is one of this very scorer, and says something."""
        return score is not None and score.of == self.of and score.value is not None


def parse_wanted(text: str) -> Wanted:
    """The scorer that `semantic,threshold=0.7` asks for. Raises `InvalidInput`."""
    name, *options = text.split(",")
    told: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise InvalidInput(
                f"--scorer {text!r}: {option!r} is no option; write NAME,KEY=VALUE, such as semantic,threshold=0.7."
            )
        try:
            told[key.strip()] = json.loads(value)
        except ValueError:
            told[key.strip()] = value
    wanted = Wanted(name=name.strip() or "?", options=told)
    make_scorer(wanted)
    return wanted


def scorers_of(case: Case, asked: Sequence[Wanted] = ()) -> list[Chosen]:
    """The scorers of a case: its own, then those `asked` for that it has something for.

    Where none are asked for, those that follow from what it says: its schema, its tools, its criterion, and (where it
    has no scorer of its own) `exact` for what it expects.

    Raises:
        InvalidInput: one of its own is unknown, is named twice, has a wrong option, or lacks what it needs.
    """
    found: dict[str, Chosen] = {}
    for wanted in case.scorers:
        scorer = make_scorer(wanted)
        if wanted.name in found:
            raise InvalidInput(f"the scorer {wanted.name!r} is named twice")
        if not scorer.fits(case):
            raise InvalidInput(f"the scorer {wanted.name!r} needs {scorer.needs}")
        found[wanted.name] = _chosen(wanted, scorer)
    for wanted in asked or _following(case):
        scorer = make_scorer(wanted)
        if wanted.name not in found and scorer.fits(case):
            found[wanted.name] = _chosen(wanted, scorer)
    return list(found.values())


def make_scorer(wanted: Wanted) -> Scorer:
    """The scorer of that name, with its options. Raises `InvalidInput`: there is none, or an option is wrong."""
    kind = SCORERS.get(wanted.name)
    if kind is None:
        if ":" in wanted.name:
            if wanted.options:
                raise InvalidInput(f"the scorer {wanted.name!r} is a function of yours and takes no options.")
            return Custom(wanted.name)
        near = difflib.get_close_matches(wanted.name, SCORERS, 1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SCORERS)}, or module:function."
        )
        raise InvalidInput(f"There is no scorer {wanted.name!r}: {hint}")
    fields = {field.name for field in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    told: dict[str, Any] = {}
    for key, value in wanted.options.items():
        if key not in fields:
            names = ", ".join(sorted(fields)) or "none"
            raise InvalidInput(f"The scorer {wanted.name!r} has no option {key!r}; it has {names}.")
        try:
            told[key] = TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"]
            raise InvalidInput(
                f"The option {key!r} of the scorer {wanted.name!r} is wrong: {said}."
            ) from None
    made: Scorer = kind(**told)
    return made


def _following(case: Case) -> list[Wanted]:
    names = [
        ("exact", case.expected is not None and not case.scorers),
        ("schema", case.form is not None),
        ("trajectory", case.tools is not None),
        ("judge", case.judge is not None),
    ]
    return [Wanted(name=name) for name, said in names if said]


def _chosen(wanted: Wanted, scorer: Scorer) -> Chosen:
    said = json.dumps([wanted.name, wanted.options], sort_keys=True)
    return Chosen(wanted.name, scorer, hashlib.sha256(said.encode()).hexdigest()[:12])
