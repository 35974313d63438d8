"""Owns scorers of the author's own: a function by its import path."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from ....runtime.errors import InvalidInput
from ..score import Bench, Observed, Score, silent

if TYPE_CHECKING:
    from ..case import Case


@dataclass(frozen=True)
class Custom:
    """`path` is ``module:function`` or ``file.py:function``: given a case and what was observed, it gives a truth value,
    a number from 0 to 1 (0.5 passes), a `Score`, or None where it has nothing to say. It may be async; a plain one runs
    in a thread. What it does outside is its own affair: it is not journalled.
    """

    needs: ClassVar[str] = "nothing"
    path: str

    def __post_init__(self) -> None:
        load(self.path)

    def fits(self, case: Case) -> bool:
        """Always."""
        return True

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """What the function says; where it fails, no score, and why."""
        function = load(self.path)
        try:
            if inspect.iscoroutinefunction(function):
                said = await function(case, observed)
            else:
                said = await asyncio.to_thread(function, case, observed)
            return _score(said)
        except Exception as error:
            return silent(f"{self.path} failed: {type(error).__name__}: {error}")


@lru_cache(maxsize=32)
def load(path: str) -> Callable[..., Any]:
    """The function that an import path names. Raises `InvalidInput`: there is none."""
    where, _, name = path.rpartition(":")
    try:
        found: Any = _file(where) if where.endswith(".py") else importlib.import_module(where)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, OSError, SyntaxError, ValueError) as error:
        raise InvalidInput(
            f"The scorer {path!r} cannot be found ({error}): name module:function or file.py:function."
        ) from None
    if not callable(found):
        raise InvalidInput(f"The scorer {path!r} is a {type(found).__name__}, not a function.")
    function: Callable[..., Any] = found
    return function


def _file(where: str) -> Any:
    path = Path(where).resolve()
    spec = importlib.util.spec_from_file_location(f"crewgraph_scorer_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise OSError(f"there is no file {where}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _score(said: Any) -> Score:
    if isinstance(said, Score):
        return said
    if said is None:
        return silent("it has nothing to say of this case")
    if isinstance(said, bool):
        return Score(value=float(said), passed=said)
    try:
        return Score(value=float(said), passed=float(said) >= 0.5)
    except (TypeError, ValueError, ValidationError):
        raise TypeError(f"it gave {said!r}, and a truth value or a number from 0 to 1 is wanted") from None
