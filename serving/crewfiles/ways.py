"""Owns the ways of working and the checks of results that a crew file names: architectures and guardrails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

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
    if not options:
        return name
    raise ValueError(f"the architecture {name!r} takes no options")


def guardrail(marked: Marked, path: Path_, said: str | GuardrailSaid, shape: Shape) -> Any:
    """A check: a function or guardrail by its import path, a schema, or a judge.

    Raises:
        InvalidCrew: it says none or several of them, or names what is not there.
    """
    if isinstance(said, str):
        return imported(marked, path, said)
    kinds = [k for k in ("check", "schema_", "judge") if getattr(said, k) is not None]
    if len(kinds) != 1:
        raise marked.wrong(path, "a guardrail is exactly one of check, schema and judge.")
    if said.check is not None:
        return imported(marked, (*path, "check"), said.check)
    if said.schema_ is not None:
        return shape((*path, "schema"), said.schema_, "result")
    raise marked.wrong(path, "judges are not there yet.")
