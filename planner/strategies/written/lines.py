"""Lines: calls with placeholders for their evidence, as models write them in plain text, read as kindly as they can be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ....agents.crew import Crew
from ....runtime.graph import Reference, Task
from ....tools.tool import Tool
from ...checking.words import choose
from ...plan import Finding
from .results import bare, entry, reference

_HEAD = re.compile(
    r"^[^\S\n]*(?:[-*>]\s*)?#?E(\d+)\s*[:=]\s*[`*]*([A-Za-z_][\w-]*)[`*]*\s*([\[(])", re.MULTILINE
)
_EVIDENCE = re.compile(r"#E(\d+)((?:\.[A-Za-z0-9_]+)*)")
_NAMED = re.compile(r"^\s*[\"']?([A-Za-z_]\w*)[\"']?\s*[=:]\s*(?=\S)")
_CLOSES = {"[": "]", "(": ")", "{": "}"}
_QUOTES = "\"'"


class Line(NamedTuple):
    """One call as it is written: its number, the tool's name, and what stands between the brackets."""

    number: int
    tool: str
    inside: str


def lines_in(text: str) -> Iterator[Line]:
    """The calls in a text, in order; words between them are thoughts."""
    for head in _HEAD.finditer(text):
        inside = _enclosed(text, head.end() - 1)
        yield Line(int(head[1]), head[2], inside)


def calls_in(
    text: str, crew: Crew, kept: Sequence[Task], start: int, most: int
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """The calls in a text as written tasks, the first one called `start`, and why some cannot be read."""
    lines = list(lines_in(text))[:most]
    givers: dict[int, tuple[str, Tool | None]] = {}
    for task in kept:
        if task.id[1:].isdigit():
            givers[int(task.id[1:])] = (task.id, crew.toolset.get(task.tool or ""))
    items: list[dict[str, Any]] = []
    findings: list[Finding] = []
    if not lines:
        said = "write each call on a line of its own, as in #E1 = tool[argument=value]"
        findings.append(Finding(task="-", problem="there is no call in it", mend=said))
    for place, line in enumerate(lines):
        task_id = f"t{start + place}"
        tool = _tool(line.tool, crew)
        if tool is None:
            mend = choose(line.tool, crew.toolset)
            findings.append(Finding(task=task_id, problem=f"there is no tool {line.tool!r}", mend=mend))
            continue
        reading = _Reading(tool, givers)
        args = reading.arguments(line.inside)
        findings += [
            Finding(task=task_id, problem=problem, mend="name an earlier #E alone as a whole argument")
            for problem in reading.problems
        ]
        items.append({"tool": tool.name, "args": args})
        givers[line.number] = (task_id, tool)
    return items, findings


def line_of(task: Task, crew: Crew) -> str | None:
    """A task as such a line; None where it could not be written so."""
    plain = task.each is None and task.when is None and task.id[1:].isdigit()
    if not plain or task.tool is None or task.tool not in crew.toolset:
        return None
    args = ", ".join(f"{name}={_evidence(value)}" for name, value in task.args.items())
    return f"#E{task.id[1:]} = {task.tool}[{args}]"


class _Reading:
    """The arguments of one call. `problems` are what could not be read, in words."""

    def __init__(self, tool: Tool, givers: Mapping[int, tuple[str, Tool | None]]) -> None:
        self.tool = tool
        self.givers = givers
        self.problems: list[str] = []

    def arguments(self, inside: str) -> dict[str, Any]:
        """By name where they are named, in order where they are not."""
        fields = self.tool.args.model_fields
        whole = _json(inside)
        if isinstance(whole, dict):
            return {name: self._value(name, value) for name, value in whole.items()}
        parts = [part for part in _parts(inside) if part.strip()]
        named = [_NAMED.match(part) for part in parts]
        if parts and all(found is not None and found[1] in fields for found in named):
            return {
                found[1]: self._value(found[1], part[found.end() :])
                for found, part in zip(named, parts, strict=True)
                if found is not None
            }
        names = [name for name, info in fields.items() if info.is_required()] or list(fields)
        one = names[0] if len(names) == 1 else ""
        alone = one and (len(parts) < 2 or len(fields) == 1 or bare(fields[one].annotation) is str)
        if alone:
            listed = entry(fields[one].annotation) is not None and not inside.strip().startswith("[")
            return {one: self._value(one, parts if listed else inside)} if inside.strip() else {}
        every = [*names, *(name for name in fields if name not in names)]
        if len(parts) > len(every):
            self.problems.append(
                f"{self.tool.name} takes {', '.join(every)}, and {len(parts)} values are given"
            )
        return {name: self._value(name, part) for name, part in zip(every, parts, strict=False)}

    def _value(self, name: str, said: Any) -> Any:
        info = self.tool.args.model_fields.get(name)
        return self._typed(said, info.annotation if info is not None else Any, name)

    def _typed(self, said: Any, wanted: Any, name: str) -> Any:
        if isinstance(said, list):
            return [self._typed(part, entry(wanted) or Any, name) for part in said]
        if not isinstance(said, str):
            return said
        text = said.strip()
        bareword = _unquoted(text)
        whole = _EVIDENCE.fullmatch(bareword)
        if whole is not None:
            return self._reference(whole, wanted)
        if _EVIDENCE.search(text) and entry(wanted) is None:
            self.problems.append(f"{name} has a result within a text ({text[:80]})")
            return bareword
        if entry(wanted) is not None:
            found = _json(text)
            parts = found if isinstance(found, list) else _parts(text.removeprefix("[").removesuffix("]"))
            return [self._typed(part, entry(wanted), name) for part in parts]
        if name in self.tool.options:
            values = (option.value for option in self.tool.options[name])
            return next((value for value in values if value.casefold() == bareword.casefold()), bareword)
        if bare(wanted) is str:
            return bareword
        found = _json(text)
        return bareword if found is None and bareword != "null" else found

    def _reference(self, found: re.Match[str], wanted: Any) -> str:
        giver = self.givers.get(int(found[1]))
        if giver is None:
            self.problems.append(f"#E{found[1]} is not there before it")
            return f"$t{found[1]}"
        task_id, tool = giver
        return f"${task_id}{found[2]}" if found[2] else reference(task_id, tool, wanted)


def _tool(name: str, crew: Crew) -> Tool | None:
    if name in crew.toolset:
        return crew.toolset[name]
    alike = [tool for own, tool in crew.toolset.items() if _plain(own) == _plain(name)]
    return alike[0] if len(alike) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[_-]", "", name).casefold()


def _enclosed(text: str, at: int) -> str:
    """What stands between the bracket at a place and the one that closes it; to the end of the line where none does."""
    waits: list[str] = []
    quoted = ""
    for place in range(at, len(text)):
        char = text[place]
        if quoted:
            quoted = "" if char == quoted and text[place - 1] != "\\" else quoted
        elif char in _QUOTES and not (text[place - 1].isalnum() and char == "'"):
            quoted = char
        elif char in _CLOSES:
            waits.append(_CLOSES[char])
        elif waits and char == waits[-1]:
            waits.pop()
            if not waits:
                return text[at + 1 : place]
    return text[at + 1 :].split("\n", 1)[0].rstrip("]) ")


def _parts(text: str) -> list[str]:
    """A text at its commas, but for those in quotes and brackets."""
    found = [""]
    deep, quoted = 0, ""
    for place, char in enumerate(text):
        if quoted:
            quoted = "" if char == quoted and text[place - 1] != "\\" else quoted
        elif char in _QUOTES and not (char == "'" and place and text[place - 1].isalnum()):
            quoted = char
        elif char in _CLOSES:
            deep += 1
        elif char in _CLOSES.values():
            deep -= 1
        if char == "," and not deep and not quoted:
            found.append("")
        else:
            found[-1] += char
    return found


def _json(text: str) -> Any:
    """What a text is in JSON, evidence in it as texts; None where it is none."""
    marked = re.sub(rf"(?<![\"\w]){_EVIDENCE.pattern}(?![\"\w])", lambda found: json.dumps(found[0]), text)
    try:
        return json.loads(marked)
    except (ValueError, RecursionError):
        return None


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        found = _json(text) if text[0] == '"' else None
        return found if isinstance(found, str) else text[1:-1]
    return text


def _evidence(value: Any) -> str:
    """A value as it stands in a line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_evidence, value))}]"
    ref = Reference.parse(value)
    if ref is not None and ref.task[1:].isdigit():
        return ".".join((f"#E{ref.task[1:]}", *ref.path))
    return json.dumps(
        value[1:] if isinstance(value, str) and value.startswith("$$") else value, ensure_ascii=False
    )
