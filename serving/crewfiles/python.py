"""Owns crews in Python files: the file runs like a script, and becomes the crew defined in it."""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType

from pydantic import ValidationError

from ...agents.crew import Crew
from ...runtime.errors import InvalidCrew
from .neighbours import importable, module_for
from .reading import read_bytes

CREW_NAME = "crew"
FACTORY_NAME = "make_crew"


def load_python(file: Path) -> Crew:
    """The crew that a Python file defines.

    It is the variable `crew`; without one, the only Crew in the file; without any, what `make_crew()` gives.

    Raises:
        InvalidCrew: the file is missing, does not parse, fails while it runs, or holds no crew or several.
    """
    code, tree = _compiled(file)
    resolved = file.resolve()
    module = module_for(resolved)
    with importable(module, resolved.parent):
        guarded(file, resolved, "fails", lambda: exec(code, module.__dict__))
        return _crew_in(module, file, resolved, _lines(tree))


def _compiled(file: Path) -> tuple[CodeType, ast.Module]:
    source = read_bytes(file)
    name = str(file.resolve())
    try:
        tree = ast.parse(source, name)
        return compile(tree, name, "exec", dont_inherit=True), tree
    except SyntaxError as error:
        raise InvalidCrew(f"{file}, line {error.lineno or 1}: not valid Python ({error.msg}).") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidCrew(f"{file}, line 1: not valid Python ({error}).") from None


def guarded(file: Path, resolved: Path, verb: str, action: Callable[[], object]) -> object:
    """What the user's code returns; whatever it raises becomes one sentence with file and line."""
    try:
        return action()
    except SystemExit as error:
        where = _where(error, file, resolved)
        raise InvalidCrew(f"{where}: it ends the program instead of defining a crew.") from error
    except Exception as error:
        said = " ".join(str(error).split())
        where = _where(error, file, resolved)
        if type(error).__module__.startswith("crewgraph."):
            raise InvalidCrew(f"{where}: {said}") from error
        raise InvalidCrew(f"{where}: {verb} with {_named(error, said)}.") from error


def _where(error: BaseException, file: Path, resolved: Path) -> str:
    """The line of the crew file, and of a neighbour of it when the error came from there."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno or 1}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and Path(frame.filename).is_relative_to(resolved.parent)
    ]
    own = [frame.lineno for frame in frames if frame.filename == str(resolved)]
    where = f"{file}, line {own[-1] if own else 1}"
    if frames and frames[-1].filename != str(resolved):
        neighbour = Path(frames[-1].filename).relative_to(resolved.parent)
        where += f" ({neighbour}, line {frames[-1].lineno})"
    return where


def _crew_in(module: ModuleType, file: Path, resolved: Path, lines: dict[str, int]) -> Crew:
    if CREW_NAME in vars(module):
        return _as_crew(vars(module)[CREW_NAME], f"`{CREW_NAME}`", file, lines.get(CREW_NAME, 1))
    found: dict[int, tuple[str, Crew]] = {}
    for name, value in vars(module).items():
        if isinstance(value, Crew):
            found.setdefault(id(value), (name, value))
    if len(found) > 1:
        names = " and ".join(f"`{name}` (line {lines.get(name, 1)})" for name, _ in found.values())
        raise InvalidCrew(f"{file} defines several crews, {names}: call the one to use `{CREW_NAME}`.")
    if found:
        return next(iter(found.values()))[1]
    factory = vars(module).get(FACTORY_NAME)
    if factory is None:
        raise InvalidCrew(f"{file} defines no crew: add `{CREW_NAME} = Crew(...)` to it.")
    line = lines.get(FACTORY_NAME, 1)
    if not callable(factory) or _needs_arguments(factory):
        raise InvalidCrew(f"{file}, line {line}: `{FACTORY_NAME}` must be a function without arguments.")
    made = guarded(file, resolved, f"`{FACTORY_NAME}()` fails", factory)
    if inspect.iscoroutine(made):
        made.close()
        raise InvalidCrew(
            f"{file}, line {line}: `{FACTORY_NAME}` must be a plain function, not an async one."
        )
    return _as_crew(made, f"what `{FACTORY_NAME}()` returns", file, line)


def _as_crew(value: object, what: str, file: Path, line: int) -> Crew:
    if not isinstance(value, Crew):
        raise InvalidCrew(f"{file}, line {line}: {what} is of type {type(value).__name__}, not a Crew.")
    return value


def _needs_arguments(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    return False


def _lines(tree: ast.Module) -> dict[str, int]:
    """Where each top-level name is bound last."""
    found: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node.lineno
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                found[part.id] = part.lineno
            elif isinstance(part, ast.alias):
                found[part.asname or part.name.split(".")[0]] = node.lineno
    return found


def _named(error: BaseException, said: str) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            return f"{type(error).__name__}: {error.title} has no field {name!r}"
        said = f"{error.title}: {name}: {first['msg']}"
    return f"{type(error).__name__}: {_short(said)}".rstrip(": .")


def _short(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
