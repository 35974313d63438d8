"""Securing: what is put right in a plan that is valid, so that carrying it out does no harm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...agents.crew import Crew
from ...runtime.graph import Task
from ..plan import Finding
from .conflicts import ordered_conflicts
from .risks import Risky, approved_risks

__all__ = ["Risky", "Secured", "secure"]


class Secured(NamedTuple):
    """A plan's tasks after that, and what was found: `mended` where it was put right, `note` where it is only said.

    What is `wrong` could not be put right and forbids the plan.
    """

    tasks: tuple[Task, ...]
    findings: tuple[Finding, ...]


def secure(tasks: Sequence[Task], crew: Crew, *, risky: Risky = "note", said: str = "") -> Secured:
    """Tasks that use one thing put in an order, and risky steps marked for approval.

    `said` is what the user said, by which an argument that the planner made up is known. Doing it again changes nothing.
    """
    in_order, clashes = ordered_conflicts(tasks, crew)
    marked, risks = approved_risks(in_order, crew, risky=risky, said=said)
    return Secured(marked, (*clashes, *risks))
