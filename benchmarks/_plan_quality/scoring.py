"""Scores of a plan against a reference: nodes, edges, and arguments.

Nodes are tool calls, counted by name as often as they occur. Edges count between matched nodes; an edge that touches
a node that matches nothing is wrong. Arguments are exact where each has a value that the reference accepts.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .rows import Row
from .tools import plain

_REFERENCE = re.compile(r"^\$([A-Za-z0-9_-]+?)(?:\.(.+?))?\$?$")
_SPACE = re.compile(r"[\s_.,;:!?'\"`*/\\-]+")


@dataclass(frozen=True)
class Made:
    """A plan as it is scored: node ids with tool or text, their arguments, and edges. `valid` is the checker's word."""

    nodes: Mapping[str, str]
    args: Mapping[str, Mapping[str, Any]]
    edges: frozenset[tuple[str, str]]
    valid: bool
    seconds: float = 0.0


@dataclass(frozen=True)
class Score:
    """One row's scores, 0 to 1; None where the row has nothing to measure. `exact`: all of the plan is right."""

    valid: float
    node_f1: float
    edge_f1: float | None
    args_exact: float | None
    exact: float | None


def f1(right: float, made: int, wanted: int) -> float:
    """The harmonic mean of precision and recall; 1 where nothing is wanted and nothing made."""
    return 2 * right / (made + wanted) if made + wanted else 1.0


def of_calls(row: Row, made: Made) -> Score:
    """The scores of a plan of tool calls."""
    wanted = Counter(str(n["tool"]) for n in row.nodes)
    got = Counter(made.nodes.values())
    node = f1(sum((wanted & got).values()), got.total(), wanted.total())
    pairs = _paired(row, made)
    chain = row.source == "ultratool"
    edge: float | None = None
    if chain:
        edge = _in_order(row, made, pairs)
    elif row.source != "bfcl":
        joined = {(pairs[a], pairs[b]) for a, b in made.edges if a in pairs and b in pairs}
        edge = f1(len(joined & row.edges), len(made.edges), len(row.edges))
    told = [n for n in row.nodes if "args" in n]
    if not told:
        return Score(made.valid, node, edge, None, None)
    by_id = {str(n["id"]): n for n in row.nodes}
    right = {own: _same_args(made.args.get(own, {}), by_id[theirs], pairs) for own, theirs in pairs.items()}
    exact = node == 1.0 and all(right.values()) and len(right) == len(row.nodes)
    return Score(made.valid, node, edge, sum(right.values()) / len(right) if right else None, float(exact))


def _paired(row: Row, made: Made) -> dict[str, str]:
    """Which node of a plan stands for which of the reference: of the same tool, those most alike, each once."""
    by_tool: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for node in row.nodes:
        by_tool[str(node["tool"])].append(node)
    own: dict[str, list[str]] = defaultdict(list)
    for node_id, tool in made.nodes.items():
        own[tool].append(node_id)
    found: dict[str, str] = {}
    for tool, ids in own.items():
        graded = sorted(
            (
                (-_alike(made.args.get(mine, {}), theirs), a, b)
                for (a, mine), (b, theirs) in itertools.product(
                    enumerate(ids), enumerate(by_tool.get(tool, ()))
                )
            ),
        )
        taken: set[int] = set()
        for _, a, b in graded:
            if ids[a] not in found and b not in taken:
                found[ids[a]] = str(by_tool[tool][b]["id"])
                taken.add(b)
    return found


def _in_order(row: Row, made: Made, pairs: Mapping[str, str]) -> float:
    """The share of a plan's edges that agree with the calling order; all where it has none."""
    place = {str(n["id"]): at for at, n in enumerate(row.nodes)}
    right = sum(a in pairs and b in pairs and place[pairs[a]] < place[pairs[b]] for a, b in made.edges)
    return right / len(made.edges) if made.edges else 1.0


def _alike(args: Mapping[str, Any], node: Mapping[str, Any]) -> int:
    wanted = node.get("args", {})
    accepted = node.get("accepted", {})
    return sum(
        name in args and _accepts(args[name], accepted.get(name, [value]), None)
        for name, value in wanted.items()
    )


def _same_args(args: Mapping[str, Any], node: Mapping[str, Any], pairs: Mapping[str, str]) -> bool:
    accepted = node.get("accepted") or {n: [v] for n, v in node.get("args", {}).items()}
    if set(args) - set(accepted):
        return False
    for name, values in accepted.items():
        if name not in args:
            if "" not in values:
                return False
        elif not _accepts(args[name], values, pairs):
            return False
    return True


def _accepts(value: Any, values: Sequence[Any], pairs: Mapping[str, str] | None) -> bool:
    """Whether a value is one of those that count as right. Of an object each field has such a list."""
    return any(_equal(value, right, pairs) for right in values)


def _equal(value: Any, right: Any, pairs: Mapping[str, str] | None) -> bool:
    if isinstance(right, Mapping):
        if not isinstance(value, Mapping) or set(value) - set(right):
            return False
        return all(
            (
                name in value
                and _accepts(value[name], options if isinstance(options, list) else [options], pairs)
            )
            or (name not in value and isinstance(options, list) and "" in options)
            for name, options in right.items()
        )
    if isinstance(right, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(right)
            and all(_equal(v, r, pairs) for v, r in zip(value, right, strict=True))
        )
    if isinstance(right, bool) or isinstance(value, bool):
        return str(value).lower() == str(right).lower()
    if isinstance(right, int | float) and isinstance(value, int | float):
        return abs(value - right) <= 1e-9 * max(1.0, abs(right))
    return _said(value, pairs) == _said(right, None)


def _said(value: Any, pairs: Mapping[str, str] | None) -> str:
    """A value as comparable text; a reference by the node of the reference plan that it points to."""
    text = str(value)
    if text.startswith("$") and (found := _REFERENCE.match(text)):
        node = (pairs or {}).get(found[1], found[1])
        return f"${node}.{plain(found[2]) if found[2] else ''}"
    return _SPACE.sub("", text).casefold()
