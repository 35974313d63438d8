"""Owns making a project: a crew in a file, its tools, its tests; a folder that runs and tests at once."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
import tempfile
from pathlib import Path

from ...runtime.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,49}")
_TEMPLATE = {
    "crew.yaml.txt": "crew.yaml",
    "module.py.txt": "{module}.py",
    "tests/test_crew.py.txt": "tests/test_crew.py",
    "README.md.txt": "README.md",
    "pyproject.toml.txt": "pyproject.toml",
    "gitignore.txt": ".gitignore",
}


def make_project(path: Path) -> list[Path]:
    """Make a project in a folder that is not there yet, or is empty; its files, in the order in which to read them.

    The folder is there whole or not at all.

    Raises:
        InvalidInput: its name cannot be one of a project, something is there already, or it cannot be written.
    """
    name = path.name
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} is no name for a project: letters, digits, - and _, at most 50, and a letter first."
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InvalidInput(
            f"{str(path)!r} is there already, and nothing is overwritten: choose another name."
        )
    words = {"name": name, "module": _module(name), "package": name.lower()}
    template = Path(__file__).with_name("template")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=path.parent))
        try:
            for source, target in _TEMPLATE.items():
                file = aside / target.format(**words)
                file.parent.mkdir(exist_ok=True)
                file.write_text((template / source).read_text("utf-8").format(**words), "utf-8")
            aside.chmod(0o755)
            if path.exists():
                path.rmdir()
            aside.rename(path)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    except OSError as error:
        raise InvalidInput(
            f"The project {str(path)!r} cannot be written: {error.strerror or error}."
        ) from error
    return [path / target.format(**words) for target in _TEMPLATE.values()]


def _module(name: str) -> str:
    """The name of the tools' module: one that hides no other module."""
    plain = re.sub(r"\W", "_", name).lower()
    taken = plain in sys.stdlib_module_names or plain in ("crewgraph", "tests", "pytest")
    return f"{plain}_tools" if taken or keyword.iskeyword(plain) else plain
