"""Owns the ways of working and the checks of results that a crew file names: architectures and guardrails."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from ...agents.architectures import NAMES
from ...agents.guarding.guardrail import Guardrail, check_guardrail
from ...agents.guarding.judge import Judge
from ...runtime.errors import InvalidCrew
from .complaints import nearest
from .named import imported, placed
from .notation import Marked, Path_
from .schema import ArchitectureSaid, GuardrailSaid

Shape = Callable[[Path_, str | dict[str, Any], str], type[BaseModel]]


def architecture(marked: Marked, path: Path_, said: str | ArchitectureSaid) -> Any:
    """One of ours by its name, with its options; or what an import path names.

    Raises:
        InvalidCrew: there is none of that name, or it does not take these options.
    """
    name = said if isinstance(said, str) else said.name
    options = {} if isinstance(said, str) else dict(said.model_extra or {})
    at = path if isinstance(said, str) else (*path, "name")
    if ":" not in name:
        return placed(marked, at, lambda: _ours(name, options))
    found = imported(marked, at, name)
    if isinstance(found, type) or (options and callable(found)):
        return placed(marked, path, lambda: found(**options))
    if options:
        raise marked.wrong(path, f"{name!r} is made already and takes no options: name its class.")
    return found


def _ours(name: str, options: dict[str, Any]) -> Any:
    known = _known(name)
    if not options:
        return known
    module = import_module(f"...agents.architectures.{known}", __package__)
    made: Any = getattr(module, "".join(part.title() for part in known.split("_")))
    fields = {one.name for one in dataclasses.fields(made) if one.init}
    unknown = [option for option in options if option not in fields]
    if unknown:
        raise InvalidCrew(f"{known!r} has no option {unknown[0]!r}; {nearest(unknown[0], sorted(fields))}.")
    return made(**options)


def _known(name: str) -> str:
    """The name of one of ours.

    Raises:
        InvalidCrew: there is none of that name.
    """
    if name not in NAMES:
        raise InvalidCrew(f"there is no architecture {name!r}; {nearest(name, NAMES)}.")
    return name


def guardrail(marked: Marked, path: Path_, said: str | GuardrailSaid, shape: Shape) -> Guardrail:
    """A check: a function or guardrail by its import path, a schema, or a judge.

    Raises:
        InvalidCrew: it says none or several of them, or names what is not there.
    """
    if isinstance(said, str):
        return _checked(marked, path, imported(marked, path, said))
    kinds = [k for k in ("check", "schema_", "judge") if getattr(said, k) is not None]
    if len(kinds) != 1:
        raise marked.wrong(path, "a guardrail is exactly one of check, schema and judge.")
    if (said.agent or said.model) and said.judge is None:
        raise marked.wrong(path, "only a judge has an agent or a model.")
    if said.check is not None:
        return _checked(marked, (*path, "check"), imported(marked, (*path, "check"), said.check))
    if isinstance(said.schema_, str):
        return shape((*path, "schema"), said.schema_, "result")
    if said.schema_ is not None:
        return _checked(marked, (*path, "schema"), said.schema_)
    criterion = said.judge or ""
    return placed(marked, path, lambda: Judge(criterion, said.agent, said.model))


def _checked(marked: Marked, path: Path_, found: Any) -> Guardrail:
    placed(marked, path, lambda: check_guardrail(found, "the crew"))
    made: Guardrail = found
    return made
