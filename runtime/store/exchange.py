"""Exchange: a run as lines of JSON, and back, on whichever database and under whichever key.

The first line is the run's record, with the version of this format; then its events, each as it is kept, its large
values, and answers that nobody has taken in yet. Runs that carried its tasks follow in the same way. In the lines
the chain of events has no key, so that any database can check it, and makes it its own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from ..errors import InvalidRequest, JournalTampered
from ..events import Answer
from ..journalling.row import EventRow, Large, check_links, decode, large_parts, link
from .lines import line_of
from .record import RunRecord
from .rows import rest_mark
from .seal import Seal
from .sql.database import Statement
from .sql.statements import ANSWER, APPEND, BLOB, BLOB_REF, create, of_new_run

FORMAT = 1
"""The version of the lines; higher ones are refused."""

_HEAD = "crewgraph_run"
_RECORD = TypeAdapter(RunRecord)
_plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Whole(NamedTuple):
    """A run as it is exchanged: its record, its rows, answers (key, when it was asked, answer) left for it."""

    record: RunRecord
    rows: list[EventRow]
    answers: list[tuple[str, float, Answer]]


def export_lines(run: Whole, children: Iterable[Whole]) -> list[str]:
    """The lines of a run and of those that carried its tasks."""
    return [line for whole in (run, *children) for line in _lines(whole)]


def read_lines(lines: Iterable[str]) -> list[Whole]:
    """The runs in these lines, the first one and those that carried its tasks, all of it checked.

    Raises:
        InvalidRequest: they are not an exported run, not all of one, or from a newer version.
        JournalTampered: its events are not what was written.
    """
    found: list[_Reading] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            entry: dict[str, Any] = json.loads(text)
            if not isinstance(entry, dict):
                raise TypeError("not an object")
            if _HEAD in entry:
                found.append(_Reading.begin(entry))
            elif not found:
                raise ValueError("the first line is not a run's")
            else:
                found[-1].take(entry)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidRequest(
                f"Line {number} is not part of an exported run ({_reason(error)}): export the run again."
            ) from None
    if not found:
        raise InvalidRequest(
            "There is no exported run in this: give the lines that `crewgraph runs export` wrote."
        )
    for other in found[1:]:
        if other.record.parent != found[0].record.id:
            raise InvalidRequest(
                f"Run {other.record.id} is no part of run {found[0].record.id}: import it by itself."
            )
    return [reading.whole() for reading in found]


def import_statements(runs: Iterable[Whole], seal: Seal) -> list[Statement]:
    """What writes these runs, in one unit."""
    return [statement for whole in runs for statement in new_run(whole, seal)]


def new_run(run: Whole, seal: Seal) -> Iterator[Statement]:
    """What writes a run that nobody carries out, its chain made anew."""
    before = b""
    events: list[Statement] = []
    for row in run.rows:
        before = link(before, row, seal.secret)
        key, body = seal.close_row(row)
        events.append(of_new_run(APPEND, row.seq, row.at, row.kind, row.task_id, key, body, before))
    head = rest_mark(before, seal.secret) if run.rows else None
    yield create(line_of(run.record, seal, head=head), guard=True)
    large = {part.digest: part.text for row in run.rows for part in row.large}
    for digest, text in large.items():
        yield Statement(BLOB, (seal.digest(digest), seal.close(text)))
    for digest in large:
        yield of_new_run(BLOB_REF, seal.digest(digest))
    yield from events
    for key, at, answer in run.answers:
        yield of_new_run(ANSWER, key, at, seal.close(answer.model_dump_json()))


def _lines(run: Whole) -> Iterator[str]:
    record = dataclasses.asdict(run.record)
    large = {part.digest: part.text for row in run.rows for part in row.large}
    parts = {"events": len(run.rows), "large": len(large), "answers": len(run.answers)}
    yield _plain({_HEAD: FORMAT, "record": record, **parts})
    before = b""
    for row in run.rows:
        before = link(before, row)
        yield _plain({"event": [*row[:6], before.hex()]})
    for digest, text in large.items():
        yield _plain({"large": digest, "text": text})
    for key, at, answer in run.answers:
        yield _plain({"answer": key, "at": at, "said": answer.model_dump(mode="json")})


class _Reading:
    """A run as far as its lines have been read."""

    def __init__(self, record: RunRecord, parts: tuple[int, int, int]) -> None:
        self.record = record
        self._parts = parts
        self._rows: list[EventRow] = []
        self._large: dict[str, str] = {}
        self._answers: list[tuple[str, float, Answer]] = []

    @classmethod
    def begin(cls, entry: dict[str, Any]) -> _Reading:
        if (version := int(entry[_HEAD])) > FORMAT:
            raise InvalidRequest(
                f"This run was exported by a newer crewgraph (format {version}, this one reads up to {FORMAT}): "
                "upgrade crewgraph."
            )
        record = _RECORD.validate_python(entry["record"])
        return cls(record, (int(entry["events"]), int(entry["large"]), int(entry["answers"])))

    def take(self, entry: dict[str, Any]) -> None:
        if "event" in entry:
            seq, at, kind, task_id, key, body, chained = entry["event"]
            if not all(isinstance(part, str) for part in (kind, task_id, key, body)):
                raise TypeError("an event's parts are text")
            self._rows.append(EventRow(int(seq), float(at), kind, task_id, key, body, bytes.fromhex(chained)))
        elif "large" in entry:
            self._large[str(entry["large"])] = str(entry["text"])
        elif "answer" in entry:
            self._answers.append(
                (str(entry["answer"]), float(entry["at"]), Answer.model_validate(entry["said"]))
            )
        else:
            raise ValueError("it is neither a run nor an event, a large value or an answer")

    def whole(self) -> Whole:
        run_id = self.record.id
        got = (len(self._rows), len(self._large), len(self._answers))
        if got != self._parts:
            raise InvalidRequest(
                f"The export of run {run_id} is not whole: it has {got[0]} of {self._parts[0]} events, {got[1]} of "
                f"{self._parts[1]} large values and {got[2]} of {self._parts[2]} answers; export the run again."
            )
        rows = [self._filled(row) for row in self._rows]
        check_links(run_id, rows)
        for row in rows:
            try:
                decode(row)
            except ValueError as error:
                raise InvalidRequest(
                    f"Event {row.seq} ({row.kind}) of run {run_id} cannot be read ({_reason(error)}): "
                    "it was exported by another version of crewgraph."
                ) from None
        return Whole(self.record, rows, self._answers)

    def _filled(self, row: EventRow) -> EventRow:
        try:
            parts = large_parts(row)
        except (ValueError, AttributeError):
            raise JournalTampered(
                f"Event {row.seq} of run {self.record.id} is not JSON: export the run again."
            ) from None
        large = tuple(Large(name, digest, self._large.get(digest, "null")) for name, digest in parts.items())
        return row._replace(large=large) if large else row


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error) or type(error).__name__
