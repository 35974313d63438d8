"""`read_file`: the text of one file inside an allowed folder, and nothing outside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import ConfigDict, Field, create_model

from ...runtime.errors import InvalidCrew, ToolError
from ..tool import Option, Tool
from ..values import Passage, Passages
from .table import choice

MAX_BYTES = 256_000
"""Larger files are refused: no local model could read them."""

_MAX_FILES = 500


def read_file(folder: str | Path) -> Tool:
    """A tool that reads the text files in `folder`, which must exist; links that lead outside are refused.

    Raises:
        InvalidCrew: the folder is not there or holds no files.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise InvalidCrew(f"The folder {folder} does not exist: read_file needs one to read from.")
    found = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))[:_MAX_FILES]
    inside = [str(p.relative_to(root)) for p in found if p.resolve().is_relative_to(root)]
    if not inside:
        raise InvalidCrew(f"The folder {folder} holds no files to read.")

    def read(path: str) -> Passages:
        file = (root / path).resolve()
        if not file.is_relative_to(root):
            raise ToolError(f"{path!r} lies outside the allowed folder {root.name}.")
        try:
            if file.stat().st_size > MAX_BYTES:
                raise ToolError(
                    f"{path!r} is larger than {MAX_BYTES:,} bytes: search it instead of reading it whole."
                )
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise ToolError(f"{path!r} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise ToolError(f"{path!r} is not a text file.") from None
        return Passages(query=path, passages=[Passage(text=text, source=path, score=1.0)])

    async def run(path: str) -> Passages:
        return await asyncio.to_thread(read, path)

    model = create_model(
        "read_file_arguments",
        __config__=ConfigDict(extra="forbid"),
        path=(choice(inside), Field(description="The file, relative to the folder.")),
    )
    options = {"path": tuple(Option(p, (Path(p).name,)) for p in inside)}
    return Tool(
        "read_file",
        f"Read, open or summarise one whole file of the folder {root.name}.",
        model,
        Passages,
        run,
        options=options,
    )
