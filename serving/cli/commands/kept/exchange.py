"""Owns `crewgraph runs export` and `import`: runs carried elsewhere as JSON Lines."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.store import RunRecord, Store

_ALL = 1_000_000
_HEAD = "crewgraph_run"


def export_command(
    ctx: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN…", help="Which runs (ids, their beginnings, or `last`)."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All runs.")] = False,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to (default: stdout).")
    ] = None,
) -> int:
    """Write runs as JSON Lines, to be imported elsewhere. What is encrypted is written in the clear."""
    from .....runtime.errors import InvalidInput

    session: Session = ctx.obj
    if every == bool(runs):
        raise InvalidInput("Name the runs to export, or say --all.")
    runs = runs or None
    with _target(file) as target:
        count = block_on(_export(session, runs, target))
    if file is not None:
        print(f"Exported {_runs(count)} to {file}.")
    return 0


def import_command(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What `runs export` wrote; `-` reads it from stdin.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Take in exported runs. Each is checked before anything of it is written."""
    from .....runtime.errors import InvalidInput

    session: Session = ctx.obj
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        lines = text.decode().split("\n")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(
            f"{file} is not UTF-8 text, so it is not what `crewgraph runs export` wrote."
        ) from None
    found = block_on(_import(session, lines, as_json=as_json))
    if as_json:
        from ...pictures.report import print_json

        print_json({"runs": [record.id for record in found]})
    return 0


async def _export(session: Session, runs: list[str] | None, target: TextIO) -> int:
    count = 0
    async with session.past(runs[0] if runs else "run") as store:
        async for run_id in _chosen(store, runs):
            for line in await store.export_run(run_id):
                target.write(line + "\n")
            count += 1
    target.flush()
    return count


async def _chosen(store: Store, runs: list[str] | None) -> AsyncIterator[str]:
    """Their ids, each once, all of them the oldest first, as they will be listed where they are imported."""
    records = [await store.find_run(which) for which in runs or ()]
    if runs is None:
        records = (await store.list_runs(limit=_ALL))[::-1]
    for run_id in dict.fromkeys(record.id for record in records):
        yield run_id


async def _import(session: Session, lines: list[str], *, as_json: bool) -> list[RunRecord]:
    found: list[RunRecord] = []
    async with session.store() as store:
        for run in split_runs(lines):
            record = await store.import_run(run)
            found.append(record)
            if not as_json:
                print(f"imported {record.id}", flush=True)
    return found


def split_runs(lines: Iterable[str]) -> Iterator[list[str]]:
    """The lines of each run, with those of the runs that carried its tasks."""
    run: list[str] = []
    for line in lines:
        if run and _begins_run(line):
            yield run
            run = []
        run.append(line)
    yield run


def _begins_run(line: str) -> bool:
    if not line.startswith('{"' + _HEAD):
        return False
    try:
        return not json.loads(line)["record"].get("parent")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False  # the store says what is wrong with it


@contextmanager
def _target(file: Path | None) -> Iterator[TextIO]:
    """Where the lines go; a file that was begun and not finished does not stay."""
    from .....runtime.errors import InvalidInput

    if file is None:
        yield sys.stdout
        return
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as target:
            yield target
        unfinished.replace(file)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror or error}.") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
