"""Offers: what a crew's tools make of a request: calls that fit it, documents to ask, or words that come near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pydantic import BaseModel

from ...agents.crew import Crew
from ...tools.builtin.calculate import EXPRESSION
from ...tools.knowledge.documents import QUERY
from ...tools.text import tokens
from ...tools.tool import Tool
from ..reading.decompose import Decomposition, decompose
from ..reading.reading import Reading
from .form.signs import Signs

_LONG = 2_000
_ENOUGH = 2
_PAIR = 2
_KIN = 0.5
_TERMS = 200


@dataclass(frozen=True)
class Offer:
    """One crew's tools held against one request. Nothing is looked at before it is asked for.

    `earlier` is the user's message before.
    """

    crew: Crew
    signs: Signs
    earlier: str = ""

    @property
    def reading(self) -> Reading:
        """The request."""
        return self.signs.reading

    @cached_property
    def amount(self) -> bool:
        """Whether the request asks how much or how many."""
        return bool(self.signs.says("amount"))

    @cached_property
    def documents(self) -> tuple[Tool, ...]:
        """The tools that take a question as it is."""
        return tuple(t for t in self.crew.toolset.values() if takes_question(t))

    @cached_property
    def tools(self) -> tuple[Tool, ...]:
        """The other tools, without those that only put results together."""
        return tuple(t for t in self.crew.toolset.values() if not t.combines and t not in self.documents)

    @cached_property
    def found(self) -> Decomposition:
        """The calls that the rules see in the request."""
        if not self.tools or len(self.reading.request) > _LONG:
            return Decomposition()
        return decompose(self.reading.request, self.crew.toolset.values(), earlier=self.earlier)

    @cached_property
    def fitting(self) -> tuple[Tool, ...]:
        """The tools whose calls the request gives every argument of, naming the thing and saying what is wanted of it.

        None where one of them is unsure: who names a thing may want something else of it.
        """
        found = self.found
        if not found.groups or not found.certain or not found.named:
            return ()
        called = tuple(dict.fromkeys(call.tool for call in found.calls))
        return (
            called
            if all(
                self._named(t) and (self.amount or self._several(t) or self.shared(t) or self._expression(t))
                for t in called
            )
            else ()
        )

    @property
    def mixed(self) -> bool:
        """Whether some of it fits tools and some is for the documents."""
        asked = {call.tool for call in self.found.calls}
        return bool(asked & set(self.documents)) and bool(asked & set(self.tools))

    @cached_property
    def near(self) -> tuple[Tool, ...]:
        """The tools that say of themselves what the request says, nearest first: one of them may serve."""
        shared = {tool: len(self.shared(tool)) for tool in self.tools}
        return tuple(sorted((t for t, n in shared.items() if n), key=lambda t: -shared[t]))

    def shared(self, tool: Tool) -> frozenset[str]:
        """The words of the request, or their kin, by which a tool says what it does and which things it knows."""
        return self._content & _bag(tool)

    @cached_property
    def _content(self) -> frozenset[str]:
        reading = self.reading
        terms = [t for t in reading.terms if not t.text.isdigit()][:_TERMS]
        said = {t.stem for t in terms} - reading.words_of.plain
        kin = {
            other for t in said for other, weight in reading.words_of.relatives(t).items() if weight >= _KIN
        }
        return frozenset({t for t in said if t.isascii() or len(t) == _PAIR} | kin)

    def _named(self, tool: Tool) -> bool:
        """Whether a thing that its calls are about is named, where they are about things that have names."""
        if not tool.options:
            return True
        low = self.reading.lower
        given = self._given(tool)
        return any(
            any(name.lower() in low for name in (o.value, o.value.replace("_", " "), *o.names))
            for options in tool.options.values()
            for o in options
            if o.value in given
        )

    def _given(self, tool: Tool) -> set[str]:
        """What its calls are given, one by one."""
        values = [v for c in self.found.calls if c.tool is tool for v in c.args.values()]
        return {str(one) for v in values for one in (v if isinstance(v, list | tuple) else [v])}

    def _several(self, tool: Tool) -> bool:
        """Whether the request says values of two parameters: the thing, and what is wanted of it."""
        given = self._given(tool)
        return sum(any(o.value in given for o in options) for options in tool.options.values()) > 1

    def _expression(self, tool: Tool) -> bool:
        return self.reading.arithmetic is not None and EXPRESSION in _formats(tool.args)


def takes_question(tool: Tool) -> bool:
    """Whether a tool takes a question in the user's own words."""
    return not tool.combines and QUERY in _formats(tool.args)


@lru_cache(maxsize=256)
def _formats(args: type[BaseModel]) -> frozenset[str]:
    """The formats of a tool's parameters. Kept, since making a schema takes longer than all else that is done here."""
    return frozenset(f.get("format", "") for f in args.model_json_schema().get("properties", {}).values())


def _bag(tool: Tool) -> frozenset[str]:
    said = [tool.name.replace("_", " "), tool.description, tool.traits.gives]
    for name, options in tool.options.items():
        said += [name.replace("_", " "), *(o.about for o in options)]
    return frozenset(tokens(" ".join(said)))


def told(tools: Sequence[Tool]) -> str:
    """Names of tools for a sentence."""
    names = [t.name for t in tools[: _ENOUGH + 1]]
    return ", ".join(names)
