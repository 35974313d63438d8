"""Frozen: a run kept as a file beside the tests, to be replayed there without a database."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidRequest, NotFound
from ..events import Event
from ..journalling.journal import Journal

if TYPE_CHECKING:
    from ..store import Store
    from ..store.exchange import Whole


async def freeze(store: Store, run_id: str, path: str | os.PathLike[str]) -> Path:
    """Write a run to a file (JSON Lines, as `crewgraph runs export` writes them), whole or not at all.

    What the run's journal holds is in it: requests, results, what people said. Known shapes of secrets were taken out
    before they were journalled; look through it all the same before it goes into a repository.

    Raises:
        NotFound: there is no such run.
        InvalidRequest: the file cannot be written.
        StoreError: the database cannot be read.
    """
    lines = await store.export_run(run_id)
    return await asyncio.to_thread(_write, Path(path), "\n".join(lines) + "\n")


def frozen(path: str | os.PathLike[str]) -> Journal:
    """The read-only journal of a frozen run: ``RunContext(frozen(path))`` replays it. Its line is `Journal.record`.

    Raises:
        NotFound: there is no such file.
        InvalidRequest: it is not a frozen run, or was written by a newer version.
        JournalTampered: its events are not what was written.
    """
    from ..store.rows import of_tasks

    run, *others = _read(Path(path))
    elsewhere = [row for other in others for row in of_tasks(other.rows)]
    return Journal(run.record.id, run.rows, elsewhere=elsewhere, record=run.record, read_only=True)


def frozen_events(path: str | os.PathLike[str]) -> list[Event]:
    """All events of a frozen run, in order, for `diff` and `summarise`. Raises as `frozen` does."""
    from ..store.rows import merged

    run, *others = _read(Path(path))
    return merged(run.rows, [other.rows for other in others])


def _read(path: Path) -> list[Whole]:
    from ..store.exchange import read_lines

    try:
        lines = path.read_text("utf-8").split(
            "\n"
        )  # and at no other character that Unicode calls a line's end
    except FileNotFoundError:
        raise NotFound(
            f"There is no frozen run {path}: make it with `await freeze(store, run_id, path)` or "
            f"`crewgraph runs export RUN > {path.name}`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The frozen run {path} cannot be read: {error}.") from None
    return read_lines(lines)


def _write(path: Path, text: str) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(text, "utf-8", newline="\n")
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise InvalidRequest(f"The run cannot be frozen to {path}: {error}.") from None
    return path
