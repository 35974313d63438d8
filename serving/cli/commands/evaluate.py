"""Owns `crewgraph eval`: a crew held against a dataset, case by case, reported, and compared with another version."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....planner.ways import Mode
from ..session import Session, block_on

if TYPE_CHECKING:
    from ...engines.progress import Progress as EngineProgress
    from ...evaluating.record import Record
    from ...evaluating.reporting.comparison import Comparison
    from ...evaluating.reporting.summary import Summary
    from ...evaluating.sitting import Sitting

_RECORD = ".jsonl"


def command(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="The file that defines the crew; or the record of an evaluation."
        ),
    ],
    dataset: Annotated[
        str | None, typer.Option(metavar="FILE", help="The cases: JSON Lines, one case a line.")
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="How to score, instead of what follows from each case; may be given again. exact, contains, regex, "
            "schema, semantic, judge, trajectory, or module:function; options as in semantic,threshold=0.7.",
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=1000, help="How many cases go on at once.")] = 1,
    repeat: Annotated[int, typer.Option(min=1, max=1000, help="How often each case is tried.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first cases.")] = None,
    planner: Annotated[
        Mode, typer.Option(help="Who makes the plans: see the page on planning; auto takes what fits.")
    ] = "auto",
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where records are kept (left out: the home folder).")
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER", help="The older version: a record, or a crew file, which is evaluated too."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a page of it into this file.")
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCORER=MEAN",
            help="Exit with 1 where a scorer's mean is less; `passed` is the part of cases that passed all.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Try cases again that ended without an answer.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew: forget what was done before.")] = False,
    learn: Annotated[
        bool, typer.Option("--learn", help="Let plans that worked help later cases, and keep them.")
    ] = False,
    judge_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of the engine's models judges.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="The tokens that one case may take.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.001, help="The seconds that one case may take.")
    ] = None,
) -> int:
    """Hold a crew against a dataset: every case a run, scored, and where it was broken off gone on with."""
    from ....runtime.errors import InvalidInput
    from ...evaluating.choosing import parse_wanted
    from ...evaluating.dataset import read_dataset
    from ...evaluating.sitting import Sitting
    from ..pictures.report import kept_for_json
    from .asking.request import budget_of

    session: Session = ctx.obj
    floors = [_floor(text) for text in fail_under or ()]
    sitting: Sitting | None = None
    if dataset is not None:
        sitting = Sitting(
            session.settings,
            read_dataset(dataset),
            [parse_wanted(text) for text in scorer or ()],
            planner,
            budget_of(tokens, seconds, None, None, None),
            parallel,
            repeat,
            limit,
            again,
            fresh,
            learn,
            judge_model,
            Path(out) if out else None,
        )
    elif any(not name.endswith(_RECORD) for name in (file, compare or _RECORD)):
        raise InvalidInput("A crew is evaluated on a dataset: give --dataset FILE, one case a line.")
    with kept_for_json(as_json):
        old = None if compare is None else _evaluated(compare, sitting, quiet=as_json)
        new = _evaluated(file, sitting, quiet=as_json)
        found = None if old is None else _compared(old, new)
    if html is not None:
        _write_page(html, new, found)
    _tell(new, old, found, as_json=as_json)
    return _held(new.summary, floors)


@dataclass(frozen=True)
class _Side:
    name: str
    record: Record
    summary: Summary


def _evaluated(name: str, sitting: Sitting | None, *, quiet: bool) -> _Side:
    """An evaluation: read back where its record is named, carried out where its crew is."""
    from ...evaluating.record import read_record
    from ...evaluating.reporting.summary import summarise

    if name.endswith(_RECORD):
        record = read_record(name)
        return _Side(name, record, summarise(list(record.trials.values())))
    from ...crewfile import load_crew
    from ..failure import Stopped
    from ..pictures.evaluation import Progress

    assert sitting is not None, "a crew is evaluated only where there is a dataset"
    crew, path = load_crew(name), str(Path(name).resolve())
    cases = len(sitting.dataset.cases[: sitting.limit])
    progress = Progress(cases * sitting.repeat, quiet=quiet)
    stages: set[str] = set()

    def engine(told: EngineProgress) -> None:
        if told.stage not in stages and not quiet:
            stages.add(told.stage)
            print(f"engine: {told.stage}", file=sys.stderr, flush=True)

    work = sitting.evaluate(crew, path, on_trial=progress.trial, on_progress=engine)
    try:
        record, trials = block_on(work)
    except Stopped as stopped:
        raise Stopped("stopped; the same command goes on where it was", stopped.exit_code) from None
    finally:
        progress.over()
    return _Side(name, record, summarise(trials))


def _compared(old: _Side, new: _Side) -> Comparison:
    from ...evaluating.reporting.comparison import compare

    return compare(
        old.record,
        new.record,
        old_name=f"{old.record.heading.crew} ({Path(old.name).name})",
        new_name=f"{new.record.heading.crew} ({Path(new.name).name})",
    )


def _tell(new: _Side, old: _Side | None, found: Comparison | None, *, as_json: bool) -> None:
    if as_json:
        from ...evaluating.reporting.telling import evaluation_json
        from ..pictures.report import print_json

        other = None if old is None else evaluation_json(old.record, old.summary)
        print_json(evaluation_json(new.record, new.summary, found, other=other))
        return
    from ..pictures.evaluation import print_comparison, print_evaluation

    print_evaluation(new.record, new.summary)
    if found is not None:
        print_comparison(found)


def _write_page(path: str, new: _Side, found: Comparison | None) -> None:
    from ....runtime.errors import InvalidInput
    from ...evaluating.reporting.page import page

    try:
        Path(path).write_text(page(new.record, new.summary, found), "utf-8")
    except OSError as error:
        raise InvalidInput(f"The page cannot be written to {path!r}: {error.strerror or error}.") from None


def _floor(text: str) -> tuple[str, float]:
    """Raises `InvalidInput`: it is no scorer and number."""
    from ....runtime.errors import InvalidInput

    name, _, value = text.rpartition("=")
    try:
        floor = float(value)
    except ValueError:
        floor = -1.0
    if not name or not 0 <= floor <= 1:
        raise InvalidInput(f"--fail-under {text!r}: write SCORER=MEAN, from 0 to 1, such as exact=0.8.")
    return name.strip(), floor


def _held(summary: Summary, floors: Sequence[tuple[str, float]]) -> int:
    """The exit code: 1 where a mean is under its floor, or nothing was judged."""
    from ....runtime.errors import InvalidInput

    known = [*(figure.name for figure in summary.figures), summary.whole.name]
    low: list[str] = []
    for name, floor in floors:
        if name not in known:
            raise InvalidInput(f"--fail-under names {name!r}, and these were scored: {', '.join(known)}.")
        mean = summary.mean_of(name)
        if mean is None or mean < floor:
            low.append(f"{name} is {'not judged' if mean is None else f'{mean:.3f}'}, under {floor:g}")
    for line in low:
        print(f"crewgraph: {line}", file=sys.stderr, flush=True)
    return 1 if low else 0
