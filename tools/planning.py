"""What a tool may tell planners beside its types: what it needs and changes, what it reads and writes, what it costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..runtime.errors import InvalidCrew

_PLACE = re.compile(r"\{(\w+)\}")
_LITERAL = re.compile(r"^(not )?([A-Za-z][\w-]*)(?:\(([^()]*)\))?$")


@dataclass(frozen=True, slots=True)
class Literal:
    """A fact that holds or does not: a predicate over parameters of the tool (``{package}``) and names of things."""

    name: str
    terms: tuple[str, ...] = ()
    holds: bool = True

    @classmethod
    def parse(cls, text: str) -> Literal:
        """``"at({package}, depot)"``, ``"not open({door})"`` or ``"paid"``.

        Raises:
            InvalidCrew: it is not of that form.
        """
        found = _LITERAL.match(text.strip())
        if found is None:
            raise InvalidCrew(f"{text!r} says nothing that can be reasoned with: write at({{thing}}, place).")
        terms = tuple(part.strip() for part in (found[3] or "").split(",") if part.strip())
        return cls(found[2], terms, not found[1])


@dataclass(frozen=True, slots=True)
class Action:
    """What a tool does to the world, for planners that reason about it: what must hold before, and what holds after.

    Each is a literal such as ``at({package}, {place})`` or ``not clear({block})``; a name in braces is a parameter of the
    tool, which must name things. `kinds` says of which kind of thing each of them is; without one it is any.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    kinds: Mapping[str, str] | None = None

    def literals(self) -> tuple[tuple[Literal, ...], tuple[Literal, ...]]:
        """What must hold, and what holds afterwards, read. Raises `InvalidCrew`."""
        return tuple(map(Literal.parse, self.before)), tuple(map(Literal.parse, self.after))


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of calling a tool before it is called.

    `reads` and `writes` name things it uses, with arguments in braces: ``file:{path}``. Two calls that may write one thing
    are never side by side. `seconds` and `money` are what one call usually takes, until more is known from past runs.
    `gives` names in words what its result is about, for saying which tool comes nearest to a wish.
    """

    action: Action | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    seconds: float | None = None
    money: float = 0.0
    gives: str = ""

    def check(self, tool: str, parameters: Mapping[str, Any]) -> None:
        """Raises `InvalidCrew`: something names a parameter that the tool does not have."""
        said = [*self.reads, *self.writes]
        if self.action is not None:
            self.action.literals()
            said += [*self.action.before, *self.action.after]
        for text in said:
            for name in _PLACE.findall(text):
                if name not in parameters:
                    raise InvalidCrew(
                        f"{text!r} of the tool {tool!r} names {name!r}, which is none of its parameters "
                        f"({', '.join(parameters) or 'it has none'})."
                    )


NO_TRAITS = Traits()


def filled(template: str, args: Mapping[str, Any]) -> str | None:
    """A thing's name with these arguments in it; None where one of them is not known yet."""
    if any(name not in args for name in _PLACE.findall(template)):
        return None
    return _PLACE.sub(lambda found: str(args[found[1]]), template)
