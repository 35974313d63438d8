"""Owns reading a crew file's bytes, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import InvalidCrew


def read_bytes(file: Path) -> bytes:
    """What is in the file.

    Raises:
        InvalidCrew: it is missing, a folder, or cannot be read.
    """
    if not file.exists():
        raise InvalidCrew(f"There is no crew file {str(file)!r}: check the path.")
    if not file.is_file():
        raise InvalidCrew(f"{str(file)!r} is a folder: name the file that defines the crew.")
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidCrew(f"The crew file {str(file)!r} cannot be read: {error.strerror or error}.") from None
