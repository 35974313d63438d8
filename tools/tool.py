"""A tool: a typed function that an agent may call, with what a planner must know of it."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..runtime.errors import InvalidCrew, ToolArgumentError, ToolError
from ..runtime.events import Effect
from .schema import arguments_model
from .text import language_of
from .values import Fact

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_\-]{0,63}$")


@dataclass(frozen=True, slots=True)
class Option:
    """One value an enumerated parameter may take: the words people use for it, and what it means.

    `names` are full names (all of one must be said to mean it), `about` a description (some of it may be).
    """

    value: str
    names: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, eq=False)
class Tool:
    """A callable with a name, a description, typed arguments and a typed result.

    `args` is the pydantic model of its arguments, `returns` the type of its result. `options` tells, for
    enumerated parameters, which words mean which value. `effect` says what running it twice would do. `combines`
    is True where the tool works on results of other tools (it compares, adds up) and never comes first. `origin`
    is the foreign tool that this one wraps, if any.
    """

    name: str
    description: str
    args: type[BaseModel]
    returns: Any
    fn: Callable[..., Awaitable[Any]]
    effect: Effect = "read_only"
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    combines: bool = False
    origin: object = None

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise InvalidCrew(
                f"The tool name {self.name!r} is not usable: letters, digits, _ and - only, at most 64."
            )

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return self.args.model_json_schema()

    def check(self, arguments: Mapping[str, Any]) -> BaseModel:
        """The arguments, validated.

        Raises:
            ToolArgumentError: with a correction that a model or a person can act on.
        """
        try:
            return self.args.model_validate(dict(arguments))
        except ValidationError as error:
            raise ToolArgumentError(f"{self.name}: {correction(error, self)}") from None

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Run the tool. The result is JSON (what `returns` dumps to).

        Raises:
            ToolArgumentError: the arguments do not fit.
            ToolError: the tool itself failed.
        """
        checked = self.check(arguments)
        values = {name: getattr(checked, name) for name in type(checked).model_fields}
        try:
            result = await self.fn(**values)
        except (ToolError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise ToolError(f"The tool {self.name} failed: {type(error).__name__}: {error}") from error
        return TypeAdapter(self.returns).dump_python(result, mode="json")

    def read(self, value: Any) -> Any:
        """A JSON result as the Python value that the tool gave."""
        return TypeAdapter(self.returns).validate_python(value)


def correction(error: ValidationError, tool: Tool) -> str:
    """What is wrong with the arguments, parameter by parameter, and what would be right."""
    parts: list[str] = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"]) or "arguments"
        name = str(problem["loc"][0]) if problem["loc"] else ""
        options = tool.options.get(name, ())
        if problem["type"] == "missing":
            parts.append(f"{where} is missing")
        elif problem["type"] == "extra_forbidden":
            parts.append(f"{where} is not a parameter (it has: {', '.join(tool.args.model_fields)})")
        elif options:
            parts.append(
                f"{where}={problem['input']!r} is not known; {nearest(str(problem['input']), options)}"
            )
        else:
            parts.append(f"{where}={problem['input']!r}: {problem['msg'].lower()}")
    return "; ".join(parts)


def nearest(said: str, options: tuple[Option, ...]) -> str:
    """The values closest to what was said, or the first few of them."""
    import difflib

    names = {name.lower(): option.value for option in options for name in (option.value, *option.names)}
    close = list(
        dict.fromkeys(names[key] for key in difflib.get_close_matches(said.lower(), names, n=4, cutoff=0.6))
    )
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"it is one of {', '.join(o.value for o in options[:8])}{' …' if len(options) > 8 else ''}"


@overload
def tool(fn: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    effect: Effect = "read_only",
    names: Mapping[str, Mapping[str, list[str]]] | None = None,
    unit: str = "",
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    effect: Effect = "read_only",
    names: Mapping[str, Mapping[str, list[str]]] | None = None,
    unit: str = "",
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function; sync functions run in a thread.

    The schema comes from the type hints, the words from the docstring (its `Args:` section describes parameters).
    `names` gives, per enumerated parameter, other words for its values: ``{"metal": {"Fe": ["iron", "铁"]}}``.
    A function that returns a bare number or text gives a `Fact`, named after the tool and its arguments; `unit` is
    the unit of that number.

    Raises:
        InvalidCrew: the function has untyped parameters or no docstring.
    """

    def make(function: Callable[..., Any]) -> Tool:
        own = name or function.__name__
        model, returns, description = arguments_model(function, own)
        if not description:
            raise InvalidCrew(
                f"The tool {own!r} has no docstring: say in a sentence what it does, the planner chooses by it."
            )
        options = _options(model, names or {})
        run = _async(function)
        if returns in (int, float, str):
            usual = {n: f.default for n, f in model.model_fields.items() if not f.is_required()}
            run, returns = _as_fact(run, own, unit, options, usual), Fact
        return Tool(own, description, model, returns, run, effect, options)

    return make if fn is None else make(fn)


def _async(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    if inspect.iscoroutinefunction(function):
        return function

    async def run(**values: Any) -> Any:
        return await asyncio.to_thread(function, **values)

    return run


def _as_fact(
    run: Callable[..., Awaitable[Any]],
    name: str,
    unit: str,
    options: Mapping[str, tuple[Option, ...]],
    usual: Mapping[str, Any],
) -> Callable[..., Awaitable[Fact]]:
    """The function's bare result as a fact: what it tells is the tool's name, of what its arguments.

    Arguments at their `usual` values are not said.
    """
    quantity = re.sub(r"^(?:get|find|fetch|look_?up|read|query|show|calculate|compute)_", "", name).replace(
        "_", " "
    )

    async def fact(**values: Any) -> Fact:
        found = await run(**values)
        said = {
            name: str(getattr(value, "value", value))
            for name, value in values.items()
            if value is not None and not (name in usual and usual[name] == value)
        }
        chinese = {
            name: next(
                (
                    n
                    for o in options.get(name, ())
                    if o.value == text
                    for n in o.names
                    if language_of(n) == "zh"
                ),
                text,
            )
            for name, text in said.items()
        }
        local = {"zh": {"label": "，".join(chinese.values())}} if chinese != said else {}
        return Fact(
            label=", ".join(said.values()),
            quantity=quantity,
            value=found,
            unit=unit,
            source=name,
            local=local,
        )

    return fact


def _options(
    model: type[BaseModel], names: Mapping[str, Mapping[str, list[str]]]
) -> dict[str, tuple[Option, ...]]:
    schema = model.model_json_schema()
    found: dict[str, tuple[Option, ...]] = {}
    for parameter, fragment in schema.get("properties", {}).items():
        values = enumerated(fragment, schema)
        if values:
            found[parameter] = tuple(Option(v, tuple(names.get(parameter, {}).get(v, ()))) for v in values)
    return found


def enumerated(fragment: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """The texts that a schema fragment enumerates (following references and optional types), or none."""
    if "$ref" in fragment:
        return enumerated(schema["$defs"][fragment["$ref"].split("/")[-1]], schema)
    if "const" in fragment:
        return [fragment["const"]] if isinstance(fragment["const"], str) else []
    if "enum" in fragment:
        return [value for value in fragment["enum"] if isinstance(value, str)]
    parts = [
        *fragment.get("anyOf", ()),
        *([fragment["items"]] if isinstance(fragment.get("items"), dict) else []),
    ]
    return [value for part in parts for value in enumerated(part, schema)]


def from_langchain(base: BaseTool) -> Tool:
    """A langchain-core tool as one of ours: same name, description and arguments; its result is taken as text or JSON.

    Its effect is taken as `once`, for langchain tools do not say; wrap it with `dataclasses.replace` to say more.
    """
    schema = base.tool_call_schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        raise InvalidCrew(
            f"The langchain tool {base.name!r} has no pydantic argument schema: give it one (args_schema=…)."
        )

    async def run(**values: Any) -> Any:
        return await base.ainvoke(values)

    return Tool(base.name, base.description, schema, Any, run, "once", _options(schema, {}), origin=base)
