"""Owns scorers of texts: the same, contained, matching a pattern; normalised, and numbers as numbers."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ....runtime.errors import InvalidInput
from ..score import Bench, Observed, Score, right

if TYPE_CHECKING:
    from ..case import Case

_NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?", re.ASCII)
_EDGES = " \t\n.,;:!?\"'`*“”‘’«»。，；：！？、"
_LETTER = "A-Za-z0-9_\u00c0-\u024f"
TOLERANCE = 1e-6
"""How far numbers may be apart, as a part of the larger one; below 1, absolutely."""


def normal(text: str) -> str:
    """The text as it is compared: one width of letters, small, single spaces, no marks at its ends, plain numbers."""
    one = " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_EDGES)
    return _NUMBER.sub(lambda found: found[0].replace(",", "").replace("\u2212", "-"), one)


def numbers(text: str) -> list[float]:
    """Every number in a text, in order."""
    return [float(found) for found in _NUMBER.findall(normal(text))]


def near(one: float, other: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers are the same within a tolerance."""
    return one == other or (
        math.isfinite(one)
        and math.isfinite(other)
        and abs(one - other) <= tolerance * max(1.0, abs(one), abs(other))
    )


def alike(one: Any, other: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two JSON values are the same: texts normalised, numbers within a tolerance, no truth value a number."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return near(one, other, tolerance)
    if isinstance(one, str) and isinstance(other, str):
        return _same_text(one, other, tolerance)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(a, b, tolerance) for a, b in zip(one, other, strict=True))
    return False


@dataclass(frozen=True)
class Exact:
    """The answer is what was expected: normalised, numbers in it within `tolerance`; JSON is compared as JSON."""

    needs: ClassVar[str] = "`expected`"
    tolerance: float = TOLERANCE

    def fits(self, case: Case) -> bool:
        """Something is expected."""
        return case.expected is not None

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """1 or 0."""
        wanted = case.expected
        if isinstance(wanted, str):
            found: Any = observed.answer
            if alike(wanted, found, self.tolerance):
                return right(True)
            return right(isinstance(observed.value, str) and alike(wanted, observed.value, self.tolerance))
        if alike(wanted, observed.value, self.tolerance):
            return right(True)
        try:
            found = json.loads(
                normal(observed.answer) if isinstance(wanted, int | float) else observed.answer
            )
        except (ValueError, RecursionError):
            return right(False, f"the answer is no {'number' if isinstance(wanted, int | float) else 'JSON'}")
        return right(alike(wanted, found, self.tolerance))


@dataclass(frozen=True)
class Contains:
    """The answer contains all of `text` (left out: what is expected): texts as whole words, numbers as numbers."""

    needs: ClassVar[str] = "`expected` to be a text, a number or a list of them, or its own `text`"
    text: str | int | float | list[str | int | float] | None = None
    tolerance: float = TOLERANCE

    def fits(self, case: Case) -> bool:
        """There is something to look for."""
        return bool(self._wanted(case))

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """The part of what is wanted that is there; all of it passes."""
        wanted = self._wanted(case)
        missing = [one for one in wanted if not self._there(one, observed.answer)]
        why = f"missing: {', '.join(str(one) for one in missing)}" if missing else ""
        return Score(value=1 - len(missing) / len(wanted), passed=not missing, why=why)

    def _wanted(self, case: Case) -> list[str | int | float]:
        given: Any = self.text if self.text is not None else case.expected
        listed = given if isinstance(given, list) else [given]
        plain = all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in listed)
        return [one for one in listed if one != ""] if plain else []

    def _there(self, wanted: str | int | float, answer: str) -> bool:
        if not isinstance(wanted, str):
            return any(near(wanted, found, self.tolerance) for found in numbers(answer))
        words = normal(wanted) or wanted
        before = f"(?<![{_LETTER}])" if re.match(f"[{_LETTER}]", words) else ""
        after = f"(?![{_LETTER}])" if re.search(f"[{_LETTER}]$", words) else ""
        return re.search(f"{before}{re.escape(words)}{after}", normal(answer)) is not None


@dataclass(frozen=True)
class Regex:
    """A regular expression (`pattern`, or what is expected) is found in the answer as it stands."""

    needs: ClassVar[str] = "`expected` to be a pattern, or its own `pattern`"
    pattern: str | None = None
    ignore_case: bool = False

    def fits(self, case: Case) -> bool:
        """There is a pattern. Raises `InvalidInput`: it is none that Python reads."""
        pattern = self._pattern(case)
        if pattern is None:
            return False
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise InvalidInput(f"the pattern {pattern!r} is no regular expression: {error}.") from None
        return True

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """1 or 0."""
        pattern = self._pattern(case)
        assert pattern is not None, "a scorer is asked only where it fits"
        found = re.search(pattern, observed.answer, re.IGNORECASE if self.ignore_case else 0)
        return right(found is not None, "" if found else "the pattern is not found")

    def _pattern(self, case: Case) -> str | None:
        given = self.pattern if self.pattern is not None else case.expected
        return given if isinstance(given, str) else None


def _same_text(one: str, other: str, tolerance: float) -> bool:
    a, b = normal(one), normal(other)
    if a == b:
        return True
    if _NUMBER.split(a) != _NUMBER.split(b):
        return False
    return all(near(x, y, tolerance) for x, y in zip(numbers(a), numbers(b), strict=True))
