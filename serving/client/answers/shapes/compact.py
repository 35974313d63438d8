"""Owns a JSON schema as a grammar without whitespace, for engines that otherwise write as much of it as of text."""

from __future__ import annotations

import json
from typing import Any

from ..forms.grammars import literal
from ..forms.schemas import resolved
from .shape import FORMATS, REMARKS

MAX_COUNT = 1_000
"""Engines unroll counts. A bound above this stays out of the grammar, and is held afterwards."""

MAX_RANGE = 200
"""A range of whole numbers up to this wide is written out."""

_CHAR = r'([^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F]))'
_DIGITS = '("0" | [1-9] [0-9]{0,15})'
_NUMBER = _DIGITS + ' ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?'
_DATE = '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
_HOUR = '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9]'
_TIME = _HOUR + ' ":" [0-5] [0-9] ("." [0-9]{3})? ("Z" | [-+] ' + _HOUR + ")"
_WRITTEN = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f'{_DATE} "T" {_TIME}',
    "uuid": '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}',
}
_KNOWN = {
    "string": frozenset(["minLength", "maxLength", "format"]),
    "integer": frozenset(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
    "number": frozenset(["minimum", "exclusiveMinimum"]),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
    "object": frozenset(["properties", "required", "additionalProperties"]),
    "array": frozenset(["items", "minItems", "maxItems", "uniqueItems"]),
}
_ALL = frozenset[str]().union(*_KNOWN.values())


def compact_grammar(schema: dict[str, Any]) -> str | None:
    """GBNF for replies that keep the schema, in JSON without whitespace; None where the schema says more than it can.

    Properties come in the schema's order, and none that it does not name where it names some (as engines write them
    without it, too). Replies have to be held against the schema afterwards: large bounds and uniqueness are not in it.
    """
    writer = _Writer(schema)
    try:
        writer.rules["root"] = writer.value(schema)
    except (_BeyondIt, RecursionError):
        return None
    return "\n".join(f"{name} ::= {rule}" for name, rule in writer.rules.items())


class _BeyondIt(Exception):
    """The schema says something that is not written as a grammar here."""


class _Writer:
    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.rules: dict[str, str] = {"root": ""}
        self.named: dict[str, str] = {}

    def rule(self, body: str, key: str = "") -> str:
        """The name of a rule with this body."""
        for name, other in self.rules.items():
            if other == body and not key:
                return name
        name = f"r{len(self.rules)}"
        self.rules[name] = body
        return name

    def value(self, node: Any) -> str:
        """What stands for one value of this schema."""
        if node is True or node == {}:
            return self.anything()
        if not isinstance(node, dict):
            raise _BeyondIt
        said = {key: node[key] for key in node if key not in REMARKS and key not in ("$defs", "definitions")}
        if said.get("format") not in (None, *FORMATS):
            del said["format"]
        if "$ref" in said:
            return self.reference(said)
        for key in ("anyOf", "oneOf"):
            if key in said:
                return self.either(self.only(said, key))
        if "allOf" in said:
            parts = self.only(said, "allOf")
            if len(parts) != 1:
                raise _BeyondIt
            return self.value(parts[0])
        if "const" in said or "enum" in said:
            if said.keys() - {"const", "enum", "type"} or {"const", "enum"} <= said.keys():
                raise _BeyondIt
            values = [said["const"]] if "const" in said else said["enum"]
            if not values:
                raise _BeyondIt
            return " | ".join(literal(_json(value)) for value in values)
        return self.typed(said)

    def only(self, said: dict[str, Any], key: str) -> Any:
        if said.keys() != {key}:
            raise _BeyondIt
        return said[key]

    def either(self, parts: list[Any]) -> str:
        return " | ".join(f"({self.value(part)})" for part in parts)

    def reference(self, said: dict[str, Any]) -> str:
        ref = self.only(said, "$ref")
        if ref == "#":
            return "root"
        if ref not in self.named:
            self.named[ref] = name = self.rule("", key=ref)
            self.rules[name] = self.value(resolved(ref, self.root))
        return self.named[ref]

    def typed(self, said: dict[str, Any]) -> str:
        kinds = said.pop("type", None)
        if kinds is None:
            kinds = next(([kind] for kind in ("object", "array") if said.keys() & _KNOWN[kind]), None)
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not kinds or said.keys() - _ALL or any(kind not in _KNOWN for kind in kinds):
            raise _BeyondIt
        return self.alternatives(
            [self.of(kind, {key: said[key] for key in said if key in _KNOWN[kind]}) for kind in kinds]
        )

    def alternatives(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else " | ".join(f"({part})" for part in parts)

    def of(self, kind: str, said: dict[str, Any]) -> str:
        if kind == "string":
            return self.text(said)
        if kind in ("integer", "number"):
            return self.figure(kind, said)
        if kind == "object":
            return self.object(said)
        if kind == "array":
            return self.array(said)
        return '"null"' if kind == "null" else '"true" | "false"'

    def text(self, said: dict[str, Any]) -> str:
        if "format" in said:
            if said["format"] not in _WRITTEN or len(said) > 1:
                raise _BeyondIt
            return f'"\\"" {self.rule(_WRITTEN[said["format"]])} "\\""'
        low, high = said.get("minLength", 0), said.get("maxLength")
        return f'"\\"" {self.counted(self.rule(_CHAR), low, high)} "\\""'

    def counted(self, what: str, low: int, high: int | None) -> str:
        low = min(low, MAX_COUNT)
        if high is None or high > MAX_COUNT:
            return f"{what}*" if low == 0 else f"{what}{{{low},}}"
        if high < low:
            raise _BeyondIt
        return f"{what}{{{low},{high}}}" if high else ""

    def figure(self, kind: str, said: dict[str, Any]) -> str:
        if kind == "number":
            if said not in ({}, {"minimum": 0}):
                raise _BeyondIt
            return f'"-"? {self.rule(_NUMBER)}' if not said else self.rule(_NUMBER)
        bounds = {key: value for key, value in said.items() if isinstance(value, int)}
        if len(bounds) < len(said):
            raise _BeyondIt
        lows = [bounds[k] + n for k, n in (("minimum", 0), ("exclusiveMinimum", 1)) if k in bounds]
        highs = [bounds[k] - n for k, n in (("maximum", 0), ("exclusiveMaximum", 1)) if k in bounds]
        if not highs and (not lows or max(lows) == 0):
            return self.rule(_DIGITS) if lows else f'"-"? {self.rule(_DIGITS)}'
        if not lows or not highs or not 0 <= min(highs) - max(lows) <= MAX_RANGE:
            raise _BeyondIt
        return " | ".join(f'"{number}"' for number in range(max(lows), min(highs) + 1))

    def object(self, said: dict[str, Any]) -> str:
        properties, required = said.get("properties", {}), said.get("required", [])
        others = said.get("additionalProperties")
        if set(required) - properties.keys():
            raise _BeyondIt
        if not properties:
            if others is False:
                return '"{}"'
            entry = self.rule(f'"\\"" {self.rule(_CHAR)}* "\\":" {self.named_value(others)}')
            return f'"{{" ({entry} ("," {entry})*)? "}}"'
        if others not in (None, False):
            raise _BeyondIt
        entries = [(self.entry(name, part), name in required) for name, part in properties.items()]
        return f'"{{" {self.members(entries)} "}}"'

    def named_value(self, schema: Any) -> str:
        return self.rule(self.value(True if schema is None else schema))

    def entry(self, name: str, part: Any) -> str:
        return f"{literal(_json(name) + ':')} {self.named_value(part)}"

    def members(self, entries: list[tuple[str, bool]]) -> str:
        """Entries in order, those that may be left out in brackets, and a comma between every two."""
        later = first = ""
        for place in range(len(entries) - 1, -1, -1):
            entry, needed = entries[place]
            begins = f"{entry} {later}".strip()
            first = begins if needed else (f"({begins} | {first})" if first else f"({begins})?")
            if place:
                goes_on = f'"," {entry}' if needed else f'("," {entry})?'
                later = self.rule(f"{goes_on} {later}".strip())
        return first

    def array(self, said: dict[str, Any]) -> str:
        item = self.named_value(said.get("items"))
        low, high = said.get("minItems", 0), said.get("maxItems")
        if high == 0:
            return '"[]"'
        more = self.counted(f'("," {item})', max(low - 1, 0), None if high is None else high - 1)
        inner = f"{item} {more}".strip()
        return f'"[" {inner} "]"' if low > 0 else f'"[" ({inner})? "]"'

    def anything(self) -> str:
        if "" not in self.named:
            self.named[""] = name = self.rule("", key="anything")
            text = f'"\\"" {self.rule(_CHAR)}* "\\""'
            number = f'"-"? {self.rule(_NUMBER)}'
            listed = f'"[" ({name} ("," {name})*)? "]"'
            entry = self.rule(f'{text} ":" {name}')
            filled = f'"{{" ({entry} ("," {entry})*)? "}}"'
            self.rules[name] = f'{text} | {number} | {listed} | {filled} | "true" | "false" | "null"'
        return self.named[""]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
