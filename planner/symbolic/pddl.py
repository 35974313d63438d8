"""PDDL read into a problem: STRIPS with types, negative preconditions, constants and action costs (PDDL 1.2 to 2.1).

Anything beyond that (conditional effects, quantifiers, numbers other than total-cost, time) is refused with its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from ...runtime.errors import InvalidInput
from ...tools.planning import Literal
from .problem import Operator, Problem

_TOKEN = re.compile(r"[()]|[^\s()]+")
_KNOWN = {":strips", ":typing", ":negative-preconditions", ":action-costs", ":constants"}
_ROOT = "object"

Node: TypeAlias = "str | list[Node]"


def read_pddl(domain: str, problem: str) -> Problem:
    """The text of a domain and of a problem for it, as a `Problem`. Names are in lower case, as PDDL takes them.

    Raises:
        InvalidInput: it is no PDDL, or more than is read here; the message says what.
    """
    parts = _sections(domain, "domain")
    for name in _names(parts.get(":requirements", [])):
        if name not in _KNOWN:
            raise InvalidInput(
                f"The PDDL domain requires {name}, which is not read here: {', '.join(sorted(_KNOWN))} are."
            )
    parents = _typed(parts.get(":types", []))
    things = _typed(parts.get(":constants", []))
    operators = tuple(_operator(node) for node in _all(domain, ":action"))
    given = _sections(problem, "problem")
    things |= _typed(given.get(":objects", []))
    facts = tuple(
        _literal(node)
        for node in given.get(":init", [])
        if not (isinstance(node, list) and node and node[0] == "=")
    )
    goal = [part for node in given.get(":goal", []) for part in _conjunction(node)]
    return Problem(
        operators,
        {thing: _kind(kind) for thing, kind in things.items()},
        facts,
        tuple(map(_literal, goal)),
        {kind: parent for kind, parent in parents.items() if parent != _ROOT},
    )


def _operator(node: list[Node]) -> Operator:
    name = _text(node[1], "an action's name")
    fields = {_text(key, "a field"): value for key, value in zip(node[2::2], node[3::2], strict=False)}
    parameters = _typed(_list(fields.get(":parameters", []), f"the parameters of {name}"))
    cost = 0.0
    after: list[Literal] = []
    for part in _conjunction(fields.get(":effect", [])):
        if isinstance(part, list) and part and part[0] == "increase":
            if len(part) != 3 or not isinstance(part[2], str):
                raise InvalidInput(
                    f"The action {name} has a cost that depends on its parameters, which is not read here."
                )
            cost = float(part[2])
        else:
            after.append(_literal(part))
    return Operator(
        name,
        tuple(one.lstrip("?") for one in parameters),
        tuple(_literal(part) for part in _conjunction(fields.get(":precondition", []))),
        tuple(after),
        {one.lstrip("?"): _kind(kind) for one, kind in parameters.items() if _kind(kind)},
        money=cost,
    )


def _kind(name: str) -> str:
    return "" if name == _ROOT else name


def _conjunction(node: Node) -> list[Node]:
    if isinstance(node, list) and (not node or node[0] == "and"):
        return [part for inner in node[1:] for part in _conjunction(inner)]
    return [node]


def _literal(node: Node) -> Literal:
    parts = _list(node, "a fact")
    if parts and parts[0] == "not":
        inner = _literal(parts[1] if len(parts) == 2 else [])
        return Literal(inner.name, inner.terms, not inner.holds)
    if not parts or not all(isinstance(part, str) for part in parts) or parts[0] in _BEYOND:
        raise InvalidInput(
            f"{_shown(node)} is more than is read here: facts, their negations and conjunctions are."
        )
    name, *terms = map(str, parts)
    return Literal(name, tuple(f"{{{term[1:]}}}" if term.startswith("?") else term for term in terms))


_BEYOND = set("or imply forall exists when = increase decrease assign preference".split())


def _typed(nodes: Sequence[Node]) -> dict[str, str]:
    """``a b - kind c`` as names with their kinds; ``object`` where none is said."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    words = iter(nodes)
    for node in words:
        if node == "-":
            kind = next(words, None)
            if not isinstance(kind, str):
                raise InvalidInput(f"The type {_shown(kind or [])} is not read here: one name is.")
            found |= dict.fromkeys(waiting, kind)
            waiting = []
        else:
            waiting.append(_text(node, "a name"))
    return found | dict.fromkeys(waiting, _ROOT)


def _sections(text: str, what: str) -> dict[str, list[Node]]:
    return {str(node[0]): node[1:] for node in _define(text, what) if isinstance(node, list) and node}


def _all(text: str, head: str) -> list[list[Node]]:
    return [node for node in _define(text, "domain") if isinstance(node, list) and node and node[0] == head]


def _define(text: str, what: str) -> list[Node]:
    tokens = _TOKEN.findall(re.sub(r";[^\n]*", " ", text).lower())
    stack: list[list[Node]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                raise InvalidInput(f"The PDDL {what} closes a parenthesis that it has not opened.")
            closed = stack.pop()
            stack[-1].append(closed)
        else:
            stack[-1].append(token)
    if len(stack) != 1:
        raise InvalidInput(f"The PDDL {what} leaves {len(stack) - 1} parentheses open.")
    body = next((node for node in stack[0] if isinstance(node, list) and node[:1] == ["define"]), None)
    if body is None or not any(isinstance(n, list) and n[:1] == [what] for n in body):
        raise InvalidInput(f"This is no PDDL {what}: it has to begin with (define ({what} …).")
    return body[1:]


def _names(nodes: Sequence[Node]) -> list[str]:
    return [node for node in nodes if isinstance(node, str)]


def _text(node: Node, what: str) -> str:
    if not isinstance(node, str):
        raise InvalidInput(f"{_shown(node)} stands where {what} is meant to be.")
    return node


def _list(node: Node, what: str) -> list[Node]:
    if not isinstance(node, list):
        raise InvalidInput(f"{node!r} stands where {what} is meant to be.")
    return node


def _shown(node: Node) -> str:
    return node if isinstance(node, str) else f"({' '.join(map(_shown, node))})"
