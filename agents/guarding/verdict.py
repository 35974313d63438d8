"""Verdict: what a guardrail says of a result."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from ...runtime.errors import InvalidCrew
from ...runtime.graph import TaskResult

_JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)


class Verdict(BaseModel):
    """Whether a result is fine; why not, for whoever has to mend it; or the result as it should be (`better`)."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    why: str = ""
    better: TaskResult | None = None


FINE = Verdict(ok=True)


def read(said: object, result: TaskResult, name: str) -> Verdict:
    """What a function gave back, as a verdict: None, a truth value, a text that says what is wrong, or a pair.

    A pair is whether it is fine, and then the result in its place (a `TaskResult`, a text, or any JSON), or what is wrong.

    Raises:
        InvalidCrew: it is none of these.
    """
    if isinstance(said, Verdict):
        return said
    if said is None or said is True or said == "":
        return FINE
    if said is False:
        return Verdict(ok=False, why=f"{name} does not hold of it.")
    if isinstance(said, str):
        return Verdict(ok=False, why=said)
    if isinstance(said, tuple) and len(said) == 2 and isinstance(said[0], bool):
        ok, what = said
        if not ok:
            return Verdict(ok=False, why=str(what) if what else f"{name} does not hold of it.")
        return Verdict(ok=True, better=_instead(what, result, name))
    raise InvalidCrew(
        f"The guardrail {name!r} gave {said!r}: it gives True or None, False, a text that says what is wrong, "
        "or a pair of a truth value and a result or text."
    )


def _instead(what: object, result: TaskResult, name: str) -> TaskResult:
    if isinstance(what, TaskResult):
        return what
    if isinstance(what, str):
        return result.model_copy(update={"text": what, "value": what})
    if isinstance(what, BaseModel):
        dumped = what.model_dump(mode="json")
        return result.model_copy(update={"value": dumped, "text": what.model_dump_json(indent=2)})
    try:
        value = _JSON.validate_python(what)
    except ValidationError:
        raise InvalidCrew(
            f"The guardrail {name!r} gave {what!r}, which is neither a text nor JSON."
        ) from None
    return result.model_copy(update={"value": value, "text": _JSON.dump_json(value, indent=2).decode()})
