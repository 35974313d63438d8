"""Owns the form that a request asks for: whether it can be asked for, and whether a reply has it."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .....agents.model import ModelReply, ModelRequest, ToolCall, ToolSpec
from .....runtime.errors import InvalidSchema
from .grammars import parsed
from .patterns import compiled_pattern
from .schemas import compiled, problem, value_of

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

T = TypeVar("T")

MAX_KEPT = 256
"""How many compiled schemas, patterns and grammars one `Forms` keeps: those used last."""

_TOOL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Forms:
    """Checks requests before they are sent and replies before they are passed on. Compiles each form once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def check(self, request: ModelRequest) -> None:
        """Raises `InvalidSchema`: the request asks for a form that no engine could follow, or for two at once."""
        asked = [
            name
            for name, given in (
                ("schema", request.schema is not None),
                ("choices", bool(request.choices)),
                ("regex", request.regex is not None),
                ("grammar", request.grammar is not None),
                ("tools", bool(request.tools)),
            )
            if given
        ]
        if len(asked) > 1:
            raise InvalidSchema(
                f"A model request is constrained by one thing at most, and this one by {' and '.join(asked)}; "
                "drop all but one."
            )
        if request.schema is not None:
            self._validator(request.schema, "The schema")
        if any(not isinstance(choice, str) or not choice for choice in request.choices):
            raise InvalidSchema("Each choice must be a text of at least one character; leave out the others.")
        if request.regex is not None:
            self._pattern(request.regex)
        if request.grammar is not None:
            self._grammar(request.grammar)
        self._check_tools(request.tools)

    def fault(self, request: ModelRequest, text: str) -> str | None:
        """What is wrong with a reply's form, in a few words; None when it may be passed on."""
        if request.choices:
            return None if text in request.choices else f"{text[:60]!r} is not one of the choices"
        if request.regex is not None:
            return None if self._pattern(request.regex).fullmatch(text) else "it does not match the regex"
        if request.grammar is not None:
            same = self._grammar(request.grammar)
            return None if same is None or same.fullmatch(text) else "it does not follow the grammar"
        if request.schema is None:
            return None
        try:
            value = value_of(text)
        except RecursionError:
            return "its JSON is nested too deeply"
        except ValueError as error:
            return f"it is not valid JSON ({error})"
        return problem(self._validator(request.schema, "The schema"), value)

    def cut_off(self, request: ModelRequest, reply: ModelReply) -> str | None:
        """Why a reply that ran out of tokens may not be passed on, though part of it may look whole; else None.

        `12` may have been going to be `1234`, and one choice the beginning of another.
        """
        text = reply.text
        if reply.finish_reason != "length" or not request.constrained:
            return None
        if request.regex is not None or request.grammar is not None:
            return "it ran out of tokens before its end"
        if request.choices:
            longer = any(choice != text and choice.startswith(text) for choice in request.choices)
            return "it may be the beginning of a longer choice" if longer else self.fault(request, text)
        if text.rstrip()[-1:].isdigit() and text == text.rstrip():
            return "its last number may not be whole"
        return self.fault(request, text)

    def call_fault(self, tools: tuple[ToolSpec, ...], call: ToolCall) -> str | None:
        """What is wrong with a call of one of these tools, in a few words; None when it may be made."""
        tool = next((tool for tool in tools if tool.name == call.name), None)
        if tool is None:
            return f"there is no tool {call.name!r}"
        validator = self._validator(tool.parameters, f"The schema of the tool {tool.name}")
        return problem(validator, call.arguments, of=f"{call.name}'s arguments")

    def _check_tools(self, tools: tuple[ToolSpec, ...]) -> None:
        names: set[str] = set()
        for tool in tools:
            if not _TOOL_NAME.fullmatch(tool.name):
                raise InvalidSchema(
                    f"{tool.name!r} is no name for a tool; take up to 64 letters, digits, '_', '-', '.' or ':'."
                )
            if tool.name in names:
                raise InvalidSchema(f"Two tools are named {tool.name!r}; give each a name of its own.")
            names.add(tool.name)
            self._validator(tool.parameters, f"The schema of the tool {tool.name}")
            if tool.parameters.get("type", "object") != "object":
                raise InvalidSchema(
                    f"The schema of the tool {tool.name} must be of type object; make it one."
                )

    def _validator(self, schema: dict[str, Any], what: str) -> Validator:
        try:
            key = json.dumps(schema)
        except (TypeError, ValueError, RecursionError):
            return compiled(schema, what)  # which says what is wrong with it
        return self._once("schema", key, lambda: compiled(schema, what))

    def _pattern(self, pattern: str) -> re.Pattern[str]:
        return self._once("regex", pattern, lambda: compiled_pattern(pattern))

    def _grammar(self, grammar: str) -> re.Pattern[str] | None:
        return self._once("grammar", grammar, lambda: parsed(grammar).regex())

    def _once(self, kind: str, key: str, make: Callable[[], T]) -> T:
        if (kind, key) not in self._kept:
            self._kept[kind, key] = make()
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end((kind, key))
        found: T = self._kept[kind, key]
        return found
