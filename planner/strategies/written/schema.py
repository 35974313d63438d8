"""The form of a plan: the JSON schema of all plans for one crew and request, and of nothing else.

It enumerates tools, typed arguments, and references to earlier tasks where the type of some result fits. Parameters with
many values are narrowed to those the request mentions; where it mentions none, the first few dozen stand for all. Parts
that may be left out are offered where they can make sense (see `Offers`). Engines keep no order of types over several
tasks, so which of the earlier tasks has the type that is wanted is the checker's to see.

Grammars grow with tools times tasks. So places that offer the same share one definition, one definition serves all plans
of every length, and texts that could hold a reference anyway are not listed twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....agents.crew import Crew
from ....runtime.budget import Budget
from ....runtime.graph import ITEM, Task
from ....tools.tool import Tool
from ....tools.toolset import Toolset
from ...reading.known.mentions import find
from ...reading.known.slots import takes_several
from ...reading.reading import Reading
from .forms import distinct, either, merged, object_of, ref, renamed, used
from .items import first_number
from .offers import Offers, offers_of
from .results import entry, in_entry, kind_of, list_of, lists, paths

MOST_TASKS = 8
MOST_TRUSTED = 12
"""A model writes at most so many tasks at once, unless it is told otherwise; one that has shown that it can plan, so many."""

_MAX_OPTIONS = 40
_MAX_REFERENCES = 60
_MAX_TEXT = 200
_MAX_SEVERAL = 24
_LONG = 160
_FEW = 3
_SCALARS = ("string", "integer", "number")
_ORDERED = ("above", "at_least", "below", "at_most", "equals", "differs")
_WORDED = ("equals", "differs", "contains")


def plan_schema(
    crew: Crew,
    request: str,
    *,
    tools: Sequence[Tool] | None = None,
    stands: Sequence[Task] = (),
    earlier: str = "",
    budget: Budget | None = None,
    words: bool = False,
    most: int = MOST_TASKS,
    bounded: bool = True,
) -> dict[str, Any]:
    """The JSON schema of a plan for this crew and request: of each length one form, whose tasks refer only back.

    `tools` are those to offer (default: all). `stands` are tasks that the plan goes on from: it may refer to them, counts
    on behind them, and may have no tasks of its own. `earlier` is what was asked before, for values that are only mentioned
    there. `words` offers what asks more of a model: tasks in words, and calls for each of several values. `bounded` bounds
    the length of texts, which costs time on some engines where the reply is streamed.
    """
    chosen = list(crew.toolset.values()) if tools is None else list(tools)
    offers = offers_of(request, budget, words=words)
    form = _Form(crew, chosen, stands, _mentioned(chosen, request, earlier), offers, bounded)
    names: list[str] = []
    bodies: dict[str, str] = {}
    for place in range(most):
        variants = form.variants(place)
        if not variants:
            break
        body = {"anyOf": variants} if len(variants) > 1 else variants[0]
        name = bodies.setdefault(json.dumps(body, sort_keys=True), f"task{place + 1}")
        form.definitions.setdefault(name, body)
        names.append(name)
    lengths: list[dict[str, Any]] = [{"const": []}] if stands or not names else []
    if names and len(set(names)) == 1:
        lengths.append({"type": "array", "items": ref(names[0]), "minItems": 1, "maxItems": len(names)})
    else:
        lengths += [
            {
                "type": "array",
                "prefixItems": [ref(name) for name in names[:length]],
                "minItems": length,
                "maxItems": length,
            }
            for length in range(1, len(names) + 1)
        ]
    plan = object_of({"tasks": either(lengths)})
    return plan | {"$defs": used(plan, form.definitions)}


def maps(tools: Sequence[Tool]) -> bool:
    """Whether some tool gives a list whose entries, or fields of them, some tool takes."""
    listed = [part.kind for tool in tools if not tool.combines for part in lists(tool.returns)]
    return any(
        in_entry(kind, info.annotation)
        for tool in tools
        if not tool.combines
        for info in tool.args.model_fields.values()
        for kind in listed
    )


def _mentioned(tools: Sequence[Tool], request: str, earlier: str) -> Mapping[tuple[str, str], list[str]]:
    """For each enumerated parameter the values that the request mentions, else those of the one before it."""
    options = {(t.name, p): o for t in tools for p, o in t.options.items()}
    now = find(options, Reading(request))
    before = find(options, Reading(earlier)) if earlier else {}
    return {key: [m.value for m in now.get(key) or before.get(key) or ()] for key in options}


@dataclass
class _Form:
    """The tasks that may stand at each place of a plan. Places count from 0."""

    crew: Crew
    tools: Sequence[Tool]
    stands: Sequence[Task]
    mentioned: Mapping[tuple[str, str], list[str]]
    offers: Offers
    bounded: bool
    definitions: dict[str, Any] = field(default_factory=dict)
    first: int = field(init=False)
    known: list[tuple[str, Any]] = field(init=False)
    kinds: list[Any] = field(init=False)
    _parts: dict[str, str] = field(default_factory=dict)
    _schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ways: dict[tuple[str, ...], tuple[list[str], list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = first_number(self.stands)
        self.known = [(task.id, kind_of(task, self.crew)) for task in self.stands]
        returned = [tool.returns for tool in self.tools if not tool.combines]
        mapped = [list_of(kind) for kind in returned]
        self.kinds = distinct([*returned, *((*mapped, str) if self.offers.words else ())])

    def variants(self, place: int) -> list[dict[str, Any]]:
        """The forms of a task at this place, one or a few for each tool."""
        found: list[dict[str, Any]] = []
        for tool in self.tools:
            plain = self._call(tool, place, None)
            if plain is not None:
                found.append(plain)
            if place + len(self.known) and not tool.combines:
                entries = self._entries(tool)
                mapped = self._call(tool, place, entries) if entries else None
                if mapped is not None:
                    found.append(mapped)
            if self.offers.words and not tool.combines:
                found += self._several(tool, place)
        if self.offers.words:
            found.append(self._in_words(place))
        return [self._shared(form) for form in found]

    def _call(self, tool: Tool, place: int, entries: Sequence[Any] | None) -> dict[str, Any] | None:
        """A call of a tool, with `entries` for each of a list; None where it cannot stand here."""
        schema = self._own(tool)
        arguments: dict[str, Any] = {}
        required = list(schema.get("required", ()))
        for name, fragment in schema.get("properties", {}).items():
            part = self._argument(tool, name, fragment, place, entries or ())
            if part is not None:
                arguments[name] = self._shared(part)
            elif name in required:
                return None
        said: dict[str, Any] = {"tool": {"const": tool.name}}
        if entries is not None:
            said["each"] = self._shared({"enum": self._lists(tool, place)})
        taken = object_of(arguments, [name for name in required if name in arguments])
        said["args"] = self._shared(taken)
        return object_of(said | self._beside(tool, place), list(said))

    def _several(self, tool: Tool, place: int) -> list[dict[str, Any]]:
        """Calls of a tool for each of several values of one parameter: shorter to write than a task for each."""
        plain = self._call(tool, place, None)
        own = self._own(tool)
        properties = own.get("properties", {})
        found: list[dict[str, Any]] = []
        for name in own.get("required", ()):
            values = self._values(tool, name, properties[name])
            if plain is None or not ("enum" in values or values.get("type") in _SCALARS):
                continue
            said = plain["properties"]
            taken = self._unshared(said["args"])
            args = {**taken, "properties": taken["properties"] | {name: {"const": f"${ITEM}"}}}
            each = {"type": "array", "items": values, "minItems": 2, "maxItems": _MAX_SEVERAL}
            head = {"tool": said["tool"], "each": self._shared(each), "args": self._shared(args)}
            rest = {key: part for key, part in said.items() if key not in head}
            found.append(object_of(head | rest, list(head)))
        return found

    def _beside(self, tool: Tool, place: int) -> dict[str, Any]:
        """What may be said beside a call, and may be left out."""
        found: dict[str, Any] = {}
        if len(doers := _doers(self.crew, tool)) > 1:
            found["agent"] = {"enum": doers}
        if self.offers.when and (forms := self._conditions(place)):
            found["when"] = self._shared(either(forms))
        if self.offers.approval or tool.effect != "read_only":
            found["needs_approval"] = {"const": True}
        if self.offers.limits:
            counts = {name: {"type": "integer", "minimum": 1} for name in self.offers.limits}
            found["budget"] = self._shared(object_of(counts, []))
            found["optional"] = {"const": True}
        return found

    def _in_words(self, place: int) -> dict[str, Any]:
        """A task in words, for an agent to work out from the results that it waits for."""
        said: dict[str, Any] = {
            "agent": {"enum": [agent.role for agent in self.crew.agents]},
            "task": {"type": "string"} | ({"maxLength": _MAX_TEXT} if self.bounded else {}),
        }
        if before := [*(task_id for task_id, _ in self.known), *self._ids(place)]:
            said["after"] = {
                "type": "array",
                "items": {"enum": [f"${task_id}" for task_id in before]},
                "maxItems": len(before),
            }
        return object_of(said)

    def _argument(
        self, tool: Tool, name: str, fragment: dict[str, Any], place: int, entries: Sequence[Any]
    ) -> dict[str, Any] | None:
        """The schema of one argument: its values, and references where a result can stand in its place."""
        wanted = tool.args.model_fields[name].annotation
        inner = entry(wanted)
        if tool.combines and inner is not None:
            given = self._references(inner, place, (tool.name, name, "entry"))
            whole = self._references(wanted, place, (tool.name, name, "")) if self.offers.words else []
            fewest = fragment.get("minItems", 2)
            if place + len(self.known) < fewest or len(given) < fewest:
                return {"enum": whole} if whole else None
            most = min(fragment.get("maxItems", len(given)), len(given))
            one_by_one = {"type": "array", "items": {"enum": given}, "minItems": fewest, "maxItems": most}
            return merged(one_by_one, whole)
        items = distinct([ref for kind in entries for ref in in_entry(kind, wanted)])
        if items and name == self._taking(tool, entries)[0]:
            return {"enum": items}  # so that no call is made for each of a list without looking at the entry
        plain = self._values(tool, name, fragment)
        if plain.get("type") == "array" and inner is not None and "enum" not in plain.get("items", {}):
            plain = plain | {
                "items": merged(
                    plain.get("items", {}), self._references(inner, place, (tool.name, name, "entry"))
                )
            }
        return merged(plain, [*items, *self._references(wanted, place, (tool.name, name, ""))])

    def _values(self, tool: Tool, name: str, fragment: dict[str, Any]) -> dict[str, Any]:
        """The schema of an argument's own values."""
        if name in tool.options:
            every = [option.value for option in tool.options[name]]
            values = {"enum": self.mentioned.get((tool.name, name)) or every[:_MAX_OPTIONS]}
            if takes_several(fragment):
                return {"type": "array", "items": values, "maxItems": _FEW}
            return values
        plain = {key: value for key, value in fragment.items() if key not in ("title", "default", "format")}
        if self.bounded and plain.get("type") == "string" and "enum" not in plain:
            plain.setdefault("maxLength", _MAX_TEXT)
        return plain

    def _references(self, wanted: Any, place: int, key: tuple[str, ...]) -> list[str]:
        """References to earlier tasks whose results, or fields of them, may stand where this type is wanted.

        `key` names the parameter: whether types fit is found out once for it.
        """
        if key not in self._ways:
            known = [f"${task_id}{path}" for task_id, kind in self.known for path in paths(kind, wanted)]
            ways = distinct([path for kind in self.kinds for path in paths(kind, wanted)])
            self._ways[key] = (known, ways)
        known, ways = self._ways[key]
        return [*known, *(f"${task_id}{path}" for task_id in self._ids(place) for path in ways)][
            :_MAX_REFERENCES
        ]

    def _entries(self, tool: Tool) -> list[Any]:
        """The types of list entries, of those that there can be, that some parameter of the tool takes."""
        every = [*self.kinds, *(kind for _, kind in self.known)]
        found = distinct([part.kind for kind in every for part in lists(kind)])
        return [kind for kind in found if self._taking(tool, [kind])]

    def _taking(self, tool: Tool, entries: Sequence[Any]) -> list[str]:
        """The parameters that take an entry, or a field of one; those that must be given first."""
        taking = [
            (not info.is_required(), name)
            for name, info in tool.args.model_fields.items()
            if any(in_entry(kind, info.annotation) for kind in entries)
        ]
        return [name for _, name in sorted(taking, key=lambda one: one[0])]

    def _lists(self, tool: Tool, place: int) -> list[str]:
        """References to lists whose entries the tool takes."""

        def fit(kind: Any) -> list[str]:
            return [part.path for part in lists(kind) if self._taking(tool, [part.kind])]

        ways = distinct([path for kind in self.kinds for path in fit(kind)])
        known = [f"${task_id}{path}" for task_id, kind in self.known for path in fit(kind)]
        return [*known, *(f"${task_id}{path}" for task_id in self._ids(place) for path in ways)]

    def _conditions(self, place: int) -> list[dict[str, Any]]:
        """The forms of a condition over an earlier result: a number, a text, a list."""
        figures, texts = (self._references(kind, place, ("when", kind.__name__)) for kind in (float, str))
        every = [*self.known, *((task_id, kind) for task_id in self._ids(place) for kind in self.kinds)]
        listed = distinct([f"${task_id}{part.path}" for task_id, kind in every for part in lists(kind)])
        found: list[dict[str, Any]] = []
        if figures:
            to = either([{"type": "number"}, {"enum": figures}])
            found.append(object_of({"value": {"enum": figures}, "test": {"enum": list(_ORDERED)}, "to": to}))
        if texts:
            text: dict[str, Any] = {"type": "string"} | ({"maxLength": _MAX_TEXT} if self.bounded else {})
            found.append(object_of({"value": {"enum": texts}, "test": {"enum": list(_WORDED)}, "to": text}))
        if listed:
            found.append(object_of({"value": {"enum": listed}, "test": {"enum": ["empty", "not_empty"]}}))
        return found

    def _shared(self, body: dict[str, Any]) -> dict[str, Any]:
        """A part of the form, by reference where it is long: many tasks at many places say the same."""
        text = json.dumps(body, sort_keys=True)
        if len(text) < _LONG:
            return body
        name = self._parts.setdefault(text, f"part{len(self._parts) + 1}")
        self.definitions.setdefault(name, body)
        return ref(name)

    def _unshared(self, body: dict[str, Any]) -> dict[str, Any]:
        name = str(body.get("$ref", "")).removeprefix("#/$defs/")
        found: dict[str, Any] = self.definitions.get(name, body)
        return found

    def _ids(self, place: int) -> list[str]:
        """The ids of the plan's own tasks before this place."""
        return [f"t{self.first + n}" for n in range(place)]

    def _own(self, tool: Tool) -> dict[str, Any]:
        """A tool's schema, whose definitions are called after it: two tools may each have a `Place`."""
        if tool.name in self._schemas:
            return self._schemas[tool.name]
        schema = tool.parameters
        for name, body in schema.pop("$defs", {}).items():
            self.definitions[f"{tool.name}.{name}"] = renamed(body, tool.name)
        self._schemas[tool.name] = renamed(schema, tool.name)
        return self._schemas[tool.name]


def _doers(crew: Crew, tool: Tool) -> list[str]:
    """The agents among whom there is a choice for a tool: where one holds it as its own, there is none."""
    if tool.combines:
        return []
    own = [agent.role for agent in crew.agents if tool.name in Toolset(agent.tools)]
    return own or [agent.role for agent in crew.holders(tool)]
