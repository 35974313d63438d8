"""Owns what a crew file may import: its own folder is importable, and wins, while it loads.

Afterwards the folder moves to the end of `sys.path`: a tool that imports a neighbour when it is first called still
finds it, and nothing installed is shadowed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

PREFIX = "crewgraph_crewfile_"


def module_for(resolved: Path) -> ModuleType:
    """An empty module that stands for a crew file, with a name that no other file's has."""
    mark = hashlib.sha256(str(resolved).encode()).hexdigest()[:12]
    module = ModuleType(f"{PREFIX}{resolved.stem}_{mark}")
    module.__file__ = str(resolved)
    return module


@contextmanager
def importable(module: ModuleType, folder: Path) -> Iterator[None]:
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
        if name.startswith(PREFIX) and found.__file__ is not None
    } - {folder}
    if not others:
        return []
    return [
        name
        for name, found in sys.modules.items()
        if not name.startswith(PREFIX)
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
