"""Owns the shape in which a schema goes to an engine: the one that it decodes fast, accepting the same replies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from ..forms.schemas import MANY, NAMED, ONE, resolved, subschemas

MAX_PARTS = 2_000
"""A schema that would have more parts than this with its references written out keeps them."""

REMARKS = frozenset(
    "title description default examples $comment deprecated readOnly writeOnly discriminator contentMediaType "
    "contentEncoding $schema $id".split()
)
"""Keywords that say nothing about what is accepted."""

FORMATS = frozenset("date time date-time duration uuid email ipv4 ipv6 hostname uri".split())
"""Formats that engines enforce; any other is a remark."""

_TURNS = frozenset(["not", "if", "oneOf", "contains"])
"""Keywords under which a looser part makes the whole accept less."""

_DIALECTS = ("2020-12", "2019-09")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one kind of engine decodes fast.

    `inline` writes references out where they do not recur. `remarks` tells whether the model gets to see titles and
    descriptions, so that they have to stay. Bounds on a string's length above `longest` are left off the wire and held
    afterwards; None leaves all on it. `compact` is when a schema goes as a grammar without whitespace instead: always,
    when a reply ran away in whitespace ("again"), or never.
    """

    inline: bool = False
    remarks: bool = True
    longest: int | None = None
    compact: Literal["always", "again", "never"] = "never"

    @property
    def bounded(self) -> Shape:
        """The same with every bound on the wire."""
        return replace(self, longest=None)


PLAIN = Shape()
"""Schemas as they are given: what fits an engine of which nothing is known."""

SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "vllm": Shape(inline=True, remarks=False, longest=0, compact="again"),
        "llamacpp": Shape(inline=True, remarks=False, compact="always"),
        "sglang": Shape(inline=True, remarks=False, longest=0),
        "lmstudio": Shape(inline=True, remarks=False),
        "ollama": Shape(inline=True, remarks=False),
        "tgi": Shape(inline=True, remarks=False),
    }
)
"""By kind of engine, as measured (docs/benchmarks.md). Hosted ones show descriptions to their models: `PLAIN`."""


def shape_of(kind: str | None) -> Shape:
    """The shape for an engine of this kind."""
    return SHAPES.get(kind or "", PLAIN)


def fast_shape(schema: dict[str, Any], shape: Shape = SHAPES["vllm"]) -> dict[str, Any]:
    """The schema as an engine decodes it fast. `schema` must have been checked; it is not changed.

    What validates against the one validates against the other, except for bounds on the length of strings that
    `shape` leaves off the wire: replies have to be held against `schema` itself afterwards. Nothing is ever narrowed:
    a property that may be left out, or added, still may. Older drafts than 2019-09 stay as they are, for they read
    what stands beside a reference otherwise.
    """
    dialect = str(schema.get("$schema", _DIALECTS[0]))
    if shape in (PLAIN, Shape(compact=shape.compact)) or not any(known in dialect for known in _DIALECTS):
        return schema
    shaper = _Shaper(schema, shape)
    try:
        return shaper.whole()
    except _TooManyParts:
        return _Shaper(schema, replace(shape, inline=False)).whole()


def longest_text(schema: Any) -> int | None:
    """About how many characters a reply takes at most, in JSON without whitespace; None where nothing bounds it."""
    return _longest(schema, schema if isinstance(schema, dict) else {}, ())


class _TooManyParts(Exception):
    """With its references written out the schema grows beyond all measure."""


class _Shaper:
    def __init__(self, root: dict[str, Any], shape: Shape) -> None:
        self.root = root
        self.shape = shape
        self.recurring = _recurring(root)
        self.kept: dict[str, str] = {}
        self.left: list[str] = []
        self.parts = 0
        self.turned = any(_TURNS & part.keys() for _, part in subschemas(root))

    def whole(self) -> dict[str, Any]:
        made = self.part(self.root, loose=True)
        assert isinstance(made, dict), "a schema that is an object stays one"
        definitions: dict[str, Any] = {}
        while self.left:
            ref = self.left.pop()
            definitions[self.kept[ref]] = self.part(resolved(ref, self.root), loose=not self.turned)
        return {**made, "$defs": definitions} if definitions else made

    def part(self, node: Any, *, loose: bool) -> Any:
        if not isinstance(node, dict):
            return node
        self.parts += 1
        if self.parts > MAX_PARTS and self.shape.inline:
            raise _TooManyParts
        ref = node.get("$ref")
        if ref is not None and self.shape.inline and ref not in self.recurring and self._alone(node):
            inner = self.part(resolved(ref, self.root), loose=loose)
            said = {key: value for key, value in node.items() if key in REMARKS and self.shape.remarks}
            return {**inner, **said} if isinstance(inner, dict) else inner
        made: dict[str, Any] = {}
        for key, value in node.items():
            if self._left_off(key, value, loose=loose):
                continue
            made[key] = self._inside(key, value, loose=loose and key not in _TURNS)
        return made

    def _alone(self, node: dict[str, Any]) -> bool:
        return all(key == "$ref" or key in REMARKS or key in ("$defs", "definitions") for key in node)

    def _left_off(self, key: str, value: Any, *, loose: bool) -> bool:
        if key in ("$defs", "definitions"):
            return True
        if not self.shape.remarks and (key in REMARKS or (key == "format" and value not in FORMATS)):
            return True
        longest = self.shape.longest
        return key == "maxLength" and loose and longest is not None and float(value) > longest

    def _inside(self, key: str, value: Any, *, loose: bool) -> Any:
        if key == "$ref":
            return self._reference(value)
        if key in NAMED and isinstance(value, dict):
            return {name: self.part(part, loose=loose) for name, part in value.items()}
        if key in MANY and isinstance(value, list):
            return [self.part(part, loose=loose) for part in value]
        return self.part(value, loose=loose) if key in ONE else value

    def _reference(self, ref: str) -> str:
        if ref == "#":
            return ref
        if ref not in self.kept:
            name = ref.rsplit("/", 1)[-1].replace("~1", "_").replace("~0", "_")
            taken = set(self.kept.values())
            while name in taken:
                name += "_"
            self.kept[ref] = name
            self.left.append(ref)
        return f"#/$defs/{self.kept[ref]}"


def _recurring(root: dict[str, Any]) -> set[str]:
    """The references that lead back to themselves."""
    leads: dict[str, set[str]] = {}
    left = [part["$ref"] for _, part in subschemas(root) if "$ref" in part]
    while left:
        ref = left.pop()
        if ref not in leads:
            leads[ref] = {part["$ref"] for _, part in subschemas(resolved(ref, root)) if "$ref" in part}
            left.extend(leads[ref])
    return {ref for ref in leads if ref in _reached(ref, leads)}


def _reached(start: str, leads: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    left = list(leads[start])
    while left:
        ref = left.pop()
        if ref not in seen:
            seen.add(ref)
            left.extend(leads[ref])
    return seen


def _longest(node: Any, root: dict[str, Any], above: tuple[str, ...]) -> int | None:
    if not isinstance(node, dict):
        return None
    if "$ref" in node:
        ref = node["$ref"]
        return None if ref in above else _longest(resolved(ref, root), root, (*above, ref))
    if "const" in node or "enum" in node:
        values = [node["const"]] if "const" in node else node["enum"]
        return max((len(json.dumps(value)) for value in values), default=0)
    for key in ("anyOf", "oneOf"):
        if key in node:
            return _most([_longest(part, root, above) for part in node[key]])
    kinds = node.get("type")
    return _most(
        [
            _longest_of(kind, node, root, above)
            for kind in ([kinds] if isinstance(kinds, str) else kinds or [""])
        ]
    )


def _longest_of(kind: str, node: dict[str, Any], root: dict[str, Any], above: tuple[str, ...]) -> int | None:
    if kind == "string":
        return node["maxLength"] + 2 if "maxLength" in node else None
    if kind == "array":
        item, most = _longest(node.get("items"), root, above), node.get("maxItems")
        return None if item is None or most is None or "prefixItems" in node else most * (item + 1) + 2
    if kind == "object":
        if node.get("additionalProperties", False) is not False or "patternProperties" in node:
            return None
        named = node.get("properties", {})
        inner = {name: _longest(part, root, above) for name, part in named.items()}
        sizes = [len(json.dumps(name)) + 2 + size for name, size in inner.items() if size is not None]
        return 2 + sum(sizes) if len(sizes) == len(inner) else None
    return {"integer": 20, "number": 24, "boolean": 5, "null": 4}.get(kind)


def _most(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return max(known) if known and len(known) == len(sizes) else None
