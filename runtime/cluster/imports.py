"""Imports: what an import path names. Crews, tools and makers travel by name, never as pickled objects."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from ..errors import InvalidInput


def load(path: str) -> Any:
    """What ``package.module:name`` or ``file.py:name`` names.

    Raises:
        InvalidInput: there is no such module, file or name, or importing it fails.
    """
    where, colon, name = path.rpartition(":")
    if not colon or not where or not name:
        raise InvalidInput(f"{path!r} is no import path: write package.module:name, or file.py:name.")
    try:
        module = _file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except Exception as error:
        raise InvalidInput(
            f"{where!r} cannot be imported on this worker ({type(error).__name__}: {error}): "
            "install it there, or put it on PYTHONPATH."
        ) from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise InvalidInput(f"{where!r} has no {name!r}: is the worker's copy an older one?") from None


def _file(path: Path) -> Any:
    resolved = path.resolve(strict=True)
    name = f"crewgraph_imported_{resolved.stem}_{hashlib.sha256(str(resolved).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        raise ImportError(f"{resolved} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
