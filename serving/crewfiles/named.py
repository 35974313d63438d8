"""Owns what a name in a crew file means: the things of Python that it imports, built-in tools, and files beside it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ...runtime.errors import CrewgraphError, InvalidCrew
from ...tools.builtin.calculate import calculate
from ...tools.tool import Tool, tool
from ...tools.toolset import as_tool
from .complaints import nearest
from .notation import Marked, Path_

T = TypeVar("T")

BUILTIN: dict[str, Tool] = {"calculate": calculate}
"""Tools that need no import path."""


def imported(marked: Marked, path: Path_, name: str) -> Any:
    """What ``module:name`` (or ``module:name.attribute``) names, seen from the file's folder.

    Raises:
        InvalidCrew: there is no such module or name, or importing it fails; with the place in the file.
    """
    where, colon, attribute = name.partition(":")
    if not colon or not where or not attribute:
        raise marked.wrong(path, f"{name!r} is no import path: write module:name, such as shop:price.")
    where = where.removesuffix(".py").replace("/", ".")
    try:
        module = importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is None or not (where == error.name or where.startswith(f"{error.name}.")):
            raise marked.wrong(
                path, f"importing {where!r} needs {error.name!r}, which is not installed."
            ) from error
        files = [f.stem for f in sorted(marked.file.resolve().parent.glob("*.py"))]
        hint = nearest(where, files, none=f"there is no Python file beside {marked.file.name}")
        raise marked.wrong(path, f"there is no module {where!r}; {hint}.") from None
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:300]
        place = _line_of(error, marked.file.resolve().parent)
        raise marked.wrong(
            path, f"importing {where!r} fails with {type(error).__name__}: {said}".rstrip(". :") + f"{place}."
        ) from error
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            own = [n for n in vars(found) if not n.startswith("_")] if hasattr(found, "__dict__") else []
            near = nearest(part, own)
            raise marked.wrong(path, f"{where!r} has no {attribute!r}; {near}.") from None
    return found


def tools_named(marked: Marked, path: Path_, name: str) -> list[Tool]:
    """The tools that a name means: a built-in one, or what an import path names, be it one tool, several, or a
    function, which becomes one.

    Raises:
        InvalidCrew: it means no tool; with the place.
    """
    if ":" not in name:
        if name in BUILTIN:
            return [BUILTIN[name]]
        raise marked.wrong(
            path,
            f"there is no built-in tool {name!r} ({nearest(name, BUILTIN)}); yours have import paths: module:name.",
        )
    found = imported(marked, path, name)
    return placed(marked, path, lambda: list(_tools(found)))


def _tools(found: Any) -> Iterable[Tool]:
    makes = getattr(found, "tools", None)
    if not isinstance(found, Tool | type) and callable(makes):
        found = makes()  # documents, tables and the like
    if callable(found) and getattr(found, "__name__", "") == "tools" and not isinstance(found, Tool):
        found = found()  # `module:table.tools`, as Python files write it
    if isinstance(found, list | tuple):
        return [one for each in found for one in _tools(each)]
    if isinstance(found, Tool) or hasattr(found, "tool_call_schema") or not callable(found):
        return [as_tool(found)]
    return [tool(found)]


def placed(marked: Marked, path: Path_, make: Callable[[], T]) -> T:
    """What `make` gives; its errors with the place in the file.

    Raises:
        InvalidCrew: it failed.
    """
    try:
        return make()
    except InvalidCrew as error:
        said = str(error)
        raise error if said.startswith(f"{marked.file}, line") else marked.wrong(path, said) from error
    except CrewgraphError as error:
        raise marked.wrong(path, str(error)) from error
    except (TypeError, ValueError) as error:
        raise marked.wrong(path, f"{' '.join(str(error).split())[:300]}".rstrip(".") + ".") from error


def beside(marked: Marked, name: str) -> Path:
    """A file or folder that the crew file names."""
    return marked.file.resolve().parent / Path(name).expanduser()


def _line_of(error: BaseException, folder: Path) -> str:
    """Where in the folder of the crew file it went wrong, if it did there."""
    trace, found = error.__traceback__, ""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name}, line {error.lineno or 1})"
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder) and "site-packages" not in file.parts:
            found = f" ({file.relative_to(folder)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found
