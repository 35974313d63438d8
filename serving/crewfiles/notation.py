"""Owns YAML and JSON text as plain data of which each piece knows its line and column.

Of YAML it is the safe part: maps with texts for keys, lists, texts, numbers, truth values, anchors and merges. Plain words
are what YAML 1.2 makes of them, so `no` and `on` are texts. Tags are refused, and so are doubled keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from ...runtime.errors import InvalidCrew

Path_ = tuple[str | int, ...]
_MOST = 100_000
_MERGE = "<<"
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_PLAIN = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "value")
)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


class Place(NamedTuple):
    """A line and a column, both from 1."""

    line: int
    column: int


@dataclass
class Marked:
    """Data, and where each of its pieces stands: `keys` of maps, and `values` of everything."""

    file: Path
    data: Any = None
    keys: dict[Path_, Place] = field(default_factory=dict)
    values: dict[Path_, Place] = field(default_factory=dict)

    def at(self, path: Path_, *, key: bool = False) -> Place:
        """The place of a piece, or of the nearest thing around it that has one; of its key, if it has one and is asked for."""
        for end in range(len(path), -1, -1):
            near = path[:end]
            if key and near in self.keys:
                return self.keys[near]
            if near in self.values:
                return self.values[near]
        return Place(1, 1)

    def wrong(self, path: Path_, said: str, *, key: bool = False) -> InvalidCrew:
        """The error that says what is wrong at a place."""
        line, column = self.at(path, key=key)
        return InvalidCrew(f"{self.file}, line {line}, column {column}: {said}")


def read_marked(file: Path, source: bytes) -> Marked:
    """What the text means.

    Raises:
        InvalidCrew: it is not UTF-8, not YAML (a JSON file: not JSON), or more than crew files need.
    """
    marked = Marked(file)
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise InvalidCrew(f"{file}, line {line}: it is not UTF-8; save it as UTF-8.") from None
    if file.suffix.lower() == ".json":  # its blanks may be tabs, of which YAML wants none
        text = re.sub(r"(?m)^[ \t]+", lambda found: " " * len(found[0]), text)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        sign = f"U+{error.character:04X}" if isinstance(error.character, int) else repr(error.character)
        raise InvalidCrew(f"{file}, line {line}: the sign {sign} may not stand in YAML; remove it.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = " ".join(" ".join(part.split()) for part in (error.context, error.problem) if part)
        raise InvalidCrew(f"{file}, line {line}, column {column}: not valid YAML ({said}).") from None
    except (yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise InvalidCrew(f"{file}, line 1: not valid YAML ({said[:200]}).") from None
    if node is None:
        raise InvalidCrew(f"{file}, line 1: the file is empty; a crew needs at least `agents`.")
    _Reader(marked).read(node)
    return marked


class _Reader:
    """Turns one document's nodes into data."""

    def __init__(self, marked: Marked) -> None:
        self._marked = marked
        self._left = _MOST
        self._open: set[int] = set()

    def read(self, node: Node) -> None:
        try:
            self._marked.data = self._value(node, ())
        except RecursionError:
            raise self._marked.wrong((), "it is nested too deeply.") from None

    def _value(self, node: Node, path: Path_) -> Any:
        place = Place(node.start_mark.line + 1, node.start_mark.column + 1)
        self._marked.values.setdefault(path, place)
        self._left -= 1
        if self._left < 0:
            raise self._wrong(node, f"it has more than {_MOST} values, aliases counted: make it smaller.")
        if id(node) in self._open:
            raise self._wrong(node, "it contains itself, by an alias: write it out.")
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        self._open.add(id(node))
        try:
            if isinstance(node, SequenceNode):
                self._require(node, "tag:yaml.org,2002:seq")
                return [self._value(one, (*path, place)) for place, one in enumerate(node.value)]
            assert isinstance(node, MappingNode), "YAML knows no fourth kind of node"
            self._require(node, "tag:yaml.org,2002:map")
            return self._map(node, path)
        finally:
            self._open.discard(id(node))

    def _map(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[Node] = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self._wrong(key, "a key must be a text.")
            if key.value == _MERGE and key.style is None:
                merged += value.value if isinstance(value, SequenceNode) else [value]
                continue
            if key.value in found:
                first = self._marked.keys[(*path, key.value)]
                raise self._wrong(
                    key, f"the key {key.value!r} is there twice (before: line {first.line}); remove one."
                )
            place = Place(key.start_mark.line + 1, key.start_mark.column + 1)
            self._marked.keys[(*path, key.value)] = place
            found[key.value] = self._value(value, (*path, key.value))
        for other in merged:
            if not isinstance(other, MappingNode):
                raise self._wrong(other, "only a map can be merged into a map with `<<`.")
            for name, value in self._value(other, path).items():
                found.setdefault(name, value)
        return found

    def _scalar(self, node: ScalarNode) -> Any:
        text: str = node.value
        if node.style is not None:
            self._require(node, "tag:yaml.org,2002:str")
            return _whole(text)
        if node.tag not in _PLAIN:
            self._require(node, "tag:yaml.org,2002:str")
        lower = text.lower() if text in (text.lower(), text.title(), text.upper()) else text
        if lower in _WORDS:
            return _WORDS[lower]
        if _INT.fullmatch(text):
            return int(text) if len(text) <= 4000 else text
        if _BASED.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
        return _whole(text)

    def _require(self, node: Node, tag: str) -> None:
        if node.tag != tag:
            raise self._wrong(node, f"the tag {node.tag!r} is not taken here: write plain values.")

    def _wrong(self, node: Node, said: str) -> InvalidCrew:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        return InvalidCrew(f"{self._marked.file}, line {line}, column {column}: {said}")


def _whole(text: str) -> str:
    """A text whose JSON escapes wrote one sign as two halves, with the sign."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
