"""Owns the scorer of form: the answer, or the typed value that it stands for, keeps a JSON schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..score import Bench, Observed, Score, right

if TYPE_CHECKING:
    from ..case import Case

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Schema:
    """The typed value keeps the case's schema, or the answer's text is JSON that does (also between ``` marks)."""

    needs: ClassVar[str] = "`schema`"

    def fits(self, case: Case) -> bool:
        """It has a schema. Raises `InvalidInput`: it is none."""
        if case.form is None:
            return False
        from ...client.answers.forms.schemas import compiled

        compiled(case.form)
        return True

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """1 or 0, and where it breaks the schema."""
        from ...client.answers.forms.schemas import compiled, problem, value_of

        validator = compiled(case.form)
        fenced = _FENCED.match(observed.answer)
        try:
            told: Any = value_of(fenced[1] if fenced else observed.answer)
        except (ValueError, RecursionError):
            said = "the answer is no JSON"
        else:
            wrong = problem(validator, told, "answer")
            if wrong is None:
                return right(True)
            said = wrong
        if observed.value is not None:
            wrong = problem(validator, observed.value, "value")
            return right(wrong is None, wrong or "")
        return right(False, said)
