"""Owns crew files: the file that a user names becomes the crew in it, be it Python, YAML or JSON."""

from __future__ import annotations

from pathlib import Path

from ..agents.crew import Crew
from .crewfiles.python import load_python

WRITTEN = (".yaml", ".yml", ".json")
"""Files with these endings say what a crew is, and are not run: see `crewfiles.schema`."""


def load_crew(path: str | Path) -> Crew:
    """The crew of a file: what a YAML or JSON file describes, else what a Python file defines.

    Of a Python file it is the variable `crew`; without one, the only Crew in the file; without any, what
    `make_crew()` gives.

    Raises:
        InvalidCrew: the file is missing or wrong; the message says in which line.
    """
    file = Path(path)
    if file.suffix.lower() in WRITTEN:
        from .crewfiles.written import load_written

        return load_written(file)
    return load_python(file)
