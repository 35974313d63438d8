"""Guardrail: a function, a type, a JSON schema or a judge that a result is held against."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ...runtime.errors import CrewgraphError, InvalidCrew, TaskFailed
from ...runtime.events import Effect
from ...runtime.graph import TaskResult
from ...tools.wrappers import in_thread
from .judge import Judge
from .verdict import FINE, Verdict, read

if TYPE_CHECKING:
    from ..desk import Desk

Function = Callable[[TaskResult], Any] | Callable[[TaskResult], Awaitable[Any]]


@dataclass(frozen=True)
class Check:
    """A function as a guardrail, with what calling it twice would do (as `@tool` says it). Its verdict is a step.

    A function given bare is one with the effect "read_only".
    """

    fn: Function
    effect: Effect = "read_only"
    name: str = ""

    async def verdict(self, result: TaskResult, desk: Desk) -> Verdict:
        """What the function says. What it raises as ValueError or AssertionError is what is wrong with the result.

        Raises:
            TaskFailed: it failed otherwise; the message holds its words.
            InvalidCrew: what it gives is no verdict.
        """
        name = named(self)

        async def call() -> Verdict:
            try:
                said = await in_thread(self.fn)(result)
                if isawaitable(said):  # a function that makes a coroutine without being one
                    said = await said
            except CrewgraphError:
                raise
            except (ValueError, AssertionError) as error:
                return Verdict(ok=False, why=_words(error))
            except Exception as error:
                if self.effect == "once":
                    raise
                raise TaskFailed(f"The guardrail {name!r} failed: {type(error).__name__}: {error}") from error
            return read(said, result, name)

        inputs = {"result": result.model_dump(mode="json")}
        return await desk.ctx.step(
            f"guardrail:{name}", call, inputs=inputs, returns=Verdict, effect=self.effect
        )


Guardrail = Function | Check | Judge | type[BaseModel] | Mapping[str, Any]
"""What may be given: a function of the `TaskResult` (see `verdict.read` for what it gives), a `Check`, a `Judge`, a pydantic
model, or a JSON schema of the value."""


def named(guardrail: Guardrail) -> str:
    """What it is called in steps and sentences."""
    if isinstance(guardrail, Check):
        return guardrail.name or named(guardrail.fn)
    if isinstance(guardrail, Judge):
        return guardrail.criterion
    if isinstance(guardrail, Mapping):
        return str(guardrail.get("title") or "schema")
    name = getattr(guardrail, "__name__", "") or type(guardrail).__name__
    return name if name != "<lambda>" else "guardrail"


def check_guardrail(given: object, of: str) -> None:
    """Refuse what is no guardrail, when the crew is made.

    Raises:
        InvalidCrew: it is none, or its schema is none.
    """
    if isinstance(given, Mapping):
        from jsonschema import Draft202012Validator, SchemaError

        try:
            Draft202012Validator.check_schema(given)
        except SchemaError as error:
            raise InvalidCrew(
                f"A guardrail of {of} is no JSON schema: {error.message} (at {error.json_path})."
            ) from None
    elif not isinstance(given, Judge) and not callable(given.fn if isinstance(given, Check) else given):
        raise InvalidCrew(
            f"{given!r} is no guardrail of {of}: give a function of the result, a pydantic model, a JSON schema, "
            "or a Judge."
        )


async def verdict_of(guardrail: Guardrail, result: TaskResult, desk: Desk) -> Verdict:
    """What one guardrail says of a result. What needs a model or a function is a step.

    Raises:
        EngineError: a judge's model does not answer.
        TaskFailed: a function failed.
    """
    if isinstance(guardrail, Judge | Check):
        return await guardrail.verdict(result, desk)
    if isinstance(guardrail, Mapping):
        return _by_schema(guardrail, result)
    if isinstance(guardrail, type) and issubclass(guardrail, BaseModel):
        return _by_type(guardrail, result)
    return await Check(guardrail).verdict(result, desk)


def _by_type(model: type[BaseModel], result: TaskResult) -> Verdict:
    try:
        found = (
            model.model_validate_json(result.text)
            if isinstance(result.value, str | None)
            else model.model_validate(result.value)
        )
    except ValidationError as error:
        return Verdict(ok=False, why=f"it does not fit {model.__name__}: {problems(error)}")
    if isinstance(result.value, str | None):
        return Verdict(ok=True, better=result.model_copy(update={"value": found.model_dump(mode="json")}))
    return FINE


def _by_schema(schema: Mapping[str, Any], result: TaskResult) -> Verdict:
    from jsonschema import Draft202012Validator

    value: Any = result.value
    parsed = isinstance(value, str | None) and schema.get("type") != "string"
    if parsed:
        try:
            value = json.loads(result.text)
        except ValueError as error:
            return Verdict(ok=False, why=f"it is no JSON: {error}")
    found = sorted(Draft202012Validator(dict(schema)).iter_errors(value), key=lambda e: e.json_path)
    if found:
        said = "; ".join(f"{error.json_path}: {error.message}" for error in found[:5])
        return Verdict(ok=False, why=f"it does not fit the schema: {said}")
    return Verdict(ok=True, better=result.model_copy(update={"value": value})) if parsed else FINE


def problems(error: ValidationError) -> str:
    """What does not validate, each with where it is."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))}: {e['msg']}" if e["loc"] else e["msg"]
        for e in error.errors(include_url=False)
    )


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return problems(error)
    return str(error) or f"it was refused ({type(error).__name__})."
