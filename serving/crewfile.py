"""Owns crew files: a Python file that a user names becomes the crew defined in it.

The file runs like a script: its own folder is importable, and wins, while it loads. Afterwards the folder
moves to the end of `sys.path`: a tool that imports a neighbour when it is first called still finds it, and
nothing installed is shadowed.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType

from ..agents.crew import Crew
from ..runtime.errors import InvalidCrew

CREW_NAME = "crew"
FACTORY_NAME = "make_crew"
_PREFIX = "crewgraph_crewfile_"


def load_crew(path: str | Path) -> Crew:
    """The crew that a Python file defines.

    It is the variable `crew`; without one, the only Crew in the file; without any, what `make_crew()` gives.

    Raises:
        InvalidCrew: the file is missing, does not parse, fails while it runs, or holds no crew or several.
    """
    file = Path(path)
    code, tree = _compiled(file)
    resolved = file.resolve()
    module = ModuleType(f"{_PREFIX}{resolved.stem}_{hashlib.sha256(str(resolved).encode()).hexdigest()[:12]}")
    module.__file__ = str(resolved)
    with _importable(module, resolved.parent):
        _guarded(file, resolved, "fails", lambda: exec(code, module.__dict__))
        return _crew_in(module, file, resolved, _lines(tree))


def _compiled(file: Path) -> tuple[CodeType, ast.Module]:
    if not file.exists():
        raise InvalidCrew(f"There is no crew file {str(file)!r}: check the path.")
    if not file.is_file():
        raise InvalidCrew(f"{str(file)!r} is a folder: name the Python file that defines the crew.")
    try:
        source = file.read_bytes()
    except OSError as error:
        raise InvalidCrew(f"The crew file {str(file)!r} cannot be read: {error.strerror or error}.") from None
    name = str(file.resolve())
    try:
        tree = ast.parse(source, name)
        return compile(tree, name, "exec", dont_inherit=True), tree
    except SyntaxError as error:
        raise InvalidCrew(f"{file}, line {error.lineno or 1}: not valid Python ({error.msg}).") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidCrew(f"{file}, line 1: not valid Python ({error}).") from None


@contextmanager
def _importable(module: ModuleType, folder: Path) -> Iterator[None]:
    """The module registered and its folder first on the path; all undone when the load fails."""
    path_before = list(sys.path)
    stale = _neighbours_of_other_crews(folder)
    modules_before = dict(sys.modules)
    for name in stale:
        del sys.modules[name]
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(folder))
    try:
        yield
    except BaseException:
        sys.path[:] = path_before
        for name, found in list(sys.modules.items()):
            if modules_before.get(name) is not found and _is_neighbour(name, found, folder):
                del sys.modules[name]
        sys.modules.update({name: modules_before[name] for name in stale})
        if modules_before.get(module.__name__) is None:
            sys.modules.pop(module.__name__, None)
        else:
            sys.modules[module.__name__] = modules_before[module.__name__]
        raise
    sys.path.remove(str(folder))
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _neighbours_of_other_crews(folder: Path) -> list[str]:
    """Modules that another crew file brought in and that this folder has under the same name."""
    others = {
        Path(found.__file__).parent
        for name, found in sys.modules.items()
        if name.startswith(_PREFIX) and found.__file__ is not None
    } - {folder}
    if not others:
        return []
    return [
        name
        for name, found in sys.modules.items()
        if not name.startswith(_PREFIX)
        and ((folder / f"{name.split('.')[0]}.py").is_file() or (folder / name.split(".")[0]).is_dir())
        and any(_is_neighbour(name, found, other) for other in others)
    ]


def _is_neighbour(name: str, module: ModuleType, folder: Path) -> bool:
    """Whether the module was imported from the folder itself (and not from, say, a venv inside it)."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not Path(file).is_relative_to(folder):
        return False
    top = name.split(".")[0]
    return Path(file).relative_to(folder).parts[0] in {top, f"{top}.py"}


def _guarded(file: Path, resolved: Path, verb: str, action: Callable[[], object]) -> object:
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
    made = _guarded(file, resolved, f"`{FACTORY_NAME}()` fails", factory)
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
    return f"{type(error).__name__}: {_short(said)}".rstrip(": .")


def _short(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
