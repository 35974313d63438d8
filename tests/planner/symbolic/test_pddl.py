"""PDDL files are read as they are meant, and what is beyond this reader is refused by name."""

from __future__ import annotations

import pytest

from crewgraph.planner.symbolic.pddl import read_pddl
from crewgraph.planner.symbolic.search import solve_pddl
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.runtime.errors import InvalidInput
from crewgraph.tools.planning import Literal

DOMAIN = """
(define (domain Ferry) ; a comment (with parentheses
  (:requirements :strips :typing :negative-preconditions :action-costs)
  (:types boat - vehicle vehicle place - object)
  (:constants home - place)
  (:predicates (at ?v - vehicle ?p - place) (closed ?p - place))
  (:functions (total-cost) - number)
  (:action Sail :parameters (?b - boat ?x ?y - place)
    :precondition (and (at ?b ?x) (not (closed ?y)))
    :effect (and (at ?b ?y) (not (at ?b ?x)) (increase (total-cost) 3)))
  (:action back :parameters (?v - vehicle)
    :effect (at ?v HOME)))
"""
PROBLEM = """
(define (problem p) (:domain ferry) (:objects b - boat here there - place)
  (:init (at b here) (closed here) (= (total-cost) 0)) (:goal (and (at b there))) (:metric minimize (total-cost)))
"""


def test_types_constants_costs_and_negation_are_read() -> None:
    problem = read_pddl(DOMAIN, PROBLEM)
    sail, back = problem.operators
    assert (sail.name, sail.parameters, sail.money) == ("sail", ("b", "x", "y"), 3.0)
    assert sail.before == (Literal("at", ("{b}", "{x}")), Literal("closed", ("{y}",), False))
    assert back.after == (Literal("at", ("{v}", "home")),)
    assert problem.objects == {"home": "place", "b": "boat", "here": "place", "there": "place"}
    assert problem.is_a("b", "vehicle")
    assert not problem.is_a("here", "vehicle")
    assert problem.goal == (Literal("at", ("b", "there")),)


async def test_it_is_solved(solver: Solver) -> None:
    found = await solve_pddl(DOMAIN, PROBLEM, solver=solver)
    assert [str(step) for step in found.plan.steps] == ["sail(b, here, there)"]
    assert found.cheapest


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        (DOMAIN.replace(":strips", ":adl"), "requires :adl, which is not read here"),
        (
            DOMAIN.replace("(at ?v HOME)", "(when (at ?v home) (closed home))"),
            r"\(when \(at \?v home\) .* is more than",
        ),
        (DOMAIN.replace("(not (closed ?y))", "(or (closed ?y) (closed ?x))"), "is more than is read here"),
        (DOMAIN.replace(" 3)", " (distance ?x ?y))"), "a cost that depends on its parameters"),
        (DOMAIN + ")", "closes a parenthesis that it has not opened"),
        (DOMAIN.rstrip()[:-1], "leaves 1 parentheses open"),
        ("", "is no PDDL domain"),
        (PROBLEM, "is no PDDL domain"),
    ],
)
def test_what_cannot_be_read_is_said(domain: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_pddl(domain, PROBLEM)
