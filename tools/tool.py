"""A tool: a typed function that an agent may call, with what a planner must know of it."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..runtime.errors import InvalidCrew, ToolArgumentError, ToolError
from ..runtime.events import Effect
from ..runtime.policy import Retry
from .caller import NOBODY, Caller
from .effects import Approval, IdempotencyKey, Reconcile, check_promises
from .options import Option, correction, enumerated, options_of
from .planning import NO_TRAITS, Traits
from .result import Telling, telling_facts
from .schema import read_signature
from .values import Fact
from .wrappers import failing_as_doubt, failing_as_tool, in_thread, timed

__all__ = ["Option", "Tool", "enumerated", "tool"]

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_\-]{0,63}$")


@dataclass(frozen=True, eq=False)
class Tool:
    """A callable with a name, a description, typed arguments and a typed result.

    `args` is the pydantic model of its arguments, `returns` the type of its result. `options` tells, for
    enumerated parameters, which words mean which value. `effect` says what running it twice would do. `combines`
    is True where the tool works on results of other tools (it compares, adds up) and never comes first. `origin`
    is the foreign tool that this one wraps, if any. `telling` makes of what `fn` gives a value of type `returns`.

    How it is called in a run: `key` is the parameter of `fn` that gets the idempotency key, `caller` the one
    that gets who calls, `reconcile` says of a
    `once` call in doubt what has happened, `approval` when a person is asked first, `limit` how many calls go on at
    once, `timeout` how many seconds one may take, `retry` how often a failed one is made again. `traits` are for planners.

    Raises:
        InvalidCrew: the name cannot be used, or the tool promises what it cannot keep.
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
    telling: Telling | None = None
    key: str | None = None
    caller: str | None = None
    reconcile: Reconcile | None = None
    approval: Approval = False
    limit: int | None = None
    timeout: float | None = None
    retry: Retry | None = None
    traits: Traits = NO_TRAITS

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise InvalidCrew(
                f"The tool name {self.name!r} is not usable: letters, digits, _ and - only, at most 64."
            )
        check_promises(self)
        self.traits.check(self.name, self.args.model_fields)

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON schema of the arguments, a copy of one's own."""
        return copy.deepcopy(self._parameters)

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        return self.args.model_json_schema()

    def check(self, arguments: Mapping[str, Any]) -> BaseModel:
        """The arguments, validated.

        Raises:
            ToolArgumentError: with a correction that a model or a person can act on.
        """
        try:
            return self.args.model_validate(dict(arguments))
        except ValidationError as error:
            raise ToolArgumentError(f"{self.name}: {correction(error, self.args, self.options)}") from None

    def values(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, validated, by name: Python values of the parameters' types. Raises `ToolArgumentError`."""
        checked = self.check(arguments)
        return {name: getattr(checked, name) for name in type(checked).model_fields}

    async def call(
        self, arguments: Mapping[str, Any], key: IdempotencyKey | None = None, caller: Caller = NOBODY
    ) -> Any:
        """Run the tool. The result is JSON (what `returns` dumps to).

        Outside a run, without a `key`, a tool that takes one gets a new one.

        Raises:
            ToolArgumentError: the arguments do not fit.
            ToolError: the tool failed. Of a `once` tool it says that nothing has happened, and is raised only
                where the tool itself did; its other errors are raised as they are.
        """
        values = self.values(arguments)
        hidden: dict[str, Any] = {}
        if self.key is not None:
            hidden[self.key] = key or IdempotencyKey(uuid.uuid4().hex)
        if self.caller is not None:
            hidden[self.caller] = caller
        call = timed(self.fn, self.timeout, self._late)
        call = (failing_as_doubt if self.effect == "once" else failing_as_tool)(call, self.name)
        return self.dump(await call(**values, **hidden), values)

    def dump(self, found: Any, values: Mapping[str, Any]) -> Any:
        """What the function gave for these arguments (see `values`), as the JSON result of the tool."""
        told = self.telling(found, values) if self.telling is not None else found
        return self._result.dump_python(told, mode="json")

    def read(self, value: Any) -> Any:
        """A JSON result as the Python value that the tool gave."""
        return self._result.validate_python(value)

    @cached_property
    def _result(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.returns)

    def _late(self) -> Exception:
        said = f"The tool {self.name} took longer than {self.timeout:g} s."
        # A `once` call that was cut short may have happened: no ToolError, which would say that it has not.
        return TimeoutError(said) if self.effect == "once" else ToolError(said)


@overload
def tool(fn: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    effect: Effect = "read_only",
    names: Mapping[str, Mapping[str, list[str]]] | None = None,
    unit: str = "",
    reconcile: Reconcile | None = None,
    approval: Approval = False,
    limit: int | None = None,
    timeout: float | None = None,
    retry: Retry | None = None,
    traits: Traits = NO_TRAITS,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    effect: Effect = "read_only",
    names: Mapping[str, Mapping[str, list[str]]] | None = None,
    unit: str = "",
    reconcile: Reconcile | None = None,
    approval: Approval = False,
    limit: int | None = None,
    timeout: float | None = None,
    retry: Retry | None = None,
    traits: Traits = NO_TRAITS,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function; sync functions run in a thread.

    The schema comes from the type hints, the words from the docstring (its `Args:` section describes parameters).
    `names` gives, per enumerated parameter, other words for its values: ``{"metal": {"Fe": ["iron", "铁"]}}``.
    A function that returns a bare number or text gives a `Fact`, named after the tool and its arguments; `unit` is
    the unit of that number. The text of a tool with an effect says itself what was done, and gets no name.

    `effect` says what running it twice would do: nothing (``read_only``), the same under the same key
    (``idempotent``: it has a parameter annotated `IdempotencyKey`), or something doubled (``once``). After a crash
    in the middle of a ``once`` call, ``reconcile(key, …)`` is asked what has happened, else a person is.

    With `approval` a person is asked before each call, or before those for which this function of the arguments
    says so: ``approval=lambda amount: amount > 1000``. At most `limit` calls go on at once in a run; each may take
    `timeout` seconds; `retry` makes a failed one again, a ``once`` call only where the tool raised `ToolError`. `traits`
    tell planners what it needs, changes and costs.

    Raises:
        InvalidCrew: the function has untyped parameters or no docstring, or promises what it cannot keep.
    """

    def make(function: Callable[..., Any]) -> Tool:
        own = name or function.__name__
        model, returns, description, key, caller = read_signature(function, own)
        if not description:
            raise InvalidCrew(
                f"The tool {own!r} has no docstring: say in a sentence what it does, the planner chooses by it."
            )
        options = options_of(model, names)
        telling: Telling | None = None
        if returns in (int, float, str):
            usual = {n: f.default for n, f in model.model_fields.items() if not f.is_required()}
            deed = returns is str and effect != "read_only"
            telling, returns = telling_facts(own, unit, options, usual, named=not deed), Fact
        return Tool(
            own,
            description,
            model,
            returns,
            in_thread(function),
            effect,
            options,
            telling=telling,
            key=key,
            caller=caller,
            reconcile=reconcile,
            approval=approval,
            limit=limit,
            timeout=timeout,
            retry=retry,
            traits=traits,
        )

    return make if fn is None else make(fn)
