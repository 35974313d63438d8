"""Ledger: one tenant's memories in a file that any number of processes read and write, and from which they really go.

A line is a change, written whole; what is forgotten is taken out by writing the file anew, so that its bytes are gone
from it. Only the ids stay behind, so that a run that is taken up again does not bring a memory back. Blocking.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from .entry import Entry

_SUFFIX = ".jsonl"
_LONGEST_NAME = 120
_SPARE = 1_000
"""Lines: so many more than there are memories, and twice as many as those, and the file is written anew."""


@dataclass
class Changes:
    """What is different: entries that are new or have changed, vectors, ids that are gone. `anew`: forget all else."""

    put: list[Entry] = field(default_factory=list)
    vectors: dict[str, tuple[str, tuple[float, ...]]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    anew: bool = False


class Ledger:
    """The file of one tenant below a folder. `read` tells what has changed since it was last asked."""

    def __init__(self, folder: Path, tenant: str) -> None:
        self._file = folder / (file_name(tenant) + _SUFFIX)
        self._lock = (
            folder / "in-use.lock"
        )  # one for all, so that none bears the name of a tenant who has gone
        self._new = self._file.with_suffix(".new")
        self._seen = (b"", 0)  # which writing of the file, and how much of it
        self._lines = 0
        self.gone: set[str] = set()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For this process alone, until the block ends: for reading, deciding and writing in one. Raises `OSError`."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> Changes:
        """What has changed since it was last read, by whomever. Raises `OSError`."""
        try:
            with self._file.open("rb") as file:
                head = file.readline()
                anew = head != self._seen[0]
                start = len(head) if anew else self._seen[1]
                file.seek(start)
                text = file.read()
        except FileNotFoundError:
            anew = self._seen[0] != b""
            self._seen, self._lines = (b"", 0), 0
            if anew:
                self.gone.clear()
            return Changes(anew=anew)
        whole = text[: text.rfind(b"\n") + 1]  # somebody may be in the middle of a line
        self._seen = (head, start + len(whole))
        if anew:
            self._lines = 0
            self.gone.clear()
        changes = Changes(anew=anew)
        for line in whole.splitlines():
            self._lines += 1
            self._take(line, changes)
        return changes

    def append(self, changes: Changes) -> None:
        """Write changes behind the others, in one piece; `read` tells of them. Only within `alone`. Raises `OSError`."""
        line = _line(changes)
        descriptor = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            if not (size := file.seek(0, os.SEEK_END)):
                line = _head() + line
            elif os.pread(file.fileno(), 1, size - 1) != b"\n":
                line = b"\n" + line  # whoever wrote last died in the middle of it
            file.write(line)

    def rewrite(self, without: Iterable[str] = ()) -> None:
        """Write the file anew without these memories, of which only the ids stay. Only within `alone`, after `read`.

        Raises:
            OSError: it cannot be written; then it stays as it was.
        """
        gone = self.gone.union(without)
        put: dict[str, Any] = {}
        vectors: dict[str, Any] = {}
        if self._file.exists():
            for line in self._file.read_bytes().splitlines()[1:]:
                with suppress(ValueError, AttributeError, TypeError, LookupError):
                    said = json.loads(line)
                    put.update((one["id"], one) for one in said.get("put", ()))
                    vectors.update(said.get("vectors", {}))
        kept = [id_ for id_ in put if id_ not in gone]
        lines = [_head(), *([_dumped({"gone": sorted(gone)})] if gone else [])]
        for id_ in kept:
            own = {"vectors": {id_: vectors[id_]}} if id_ in vectors else {}
            lines.append(_dumped({"put": [put[id_]], **own}))
        self._new.unlink(missing_ok=True)
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
        self._new.replace(self._file)
        self._seen, self._lines, self.gone = (lines[0], sum(map(len, lines))), len(lines) - 1, gone

    def crowded(self, entries: int) -> bool:
        """Whether the file has become much longer than what it tells."""
        return self._lines > 2 * entries + _SPARE

    def remove(self) -> None:
        """Take the file away, and with it all that this tenant has. Only within `alone`. Raises `OSError`."""
        self._new.unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)

    @property
    def there(self) -> bool:
        """Whether anything can have been kept."""
        return self._file.exists()

    def _take(self, line: bytes, changes: Changes) -> None:
        try:
            said = json.loads(line)
            entries = [Entry.model_validate(one) for one in said.get("put", ())]
            vectors = {id_: (of, _unpacked(text)) for id_, (of, text) in said.get("vectors", {}).items()}
            gone = list(said.get("gone", ()))
        except (ValueError, ValidationError, AttributeError, TypeError):
            return  # of another version, or cut short when a disk was full
        for entry in entries:
            if entry.id not in self.gone:
                changes.put.append(entry)
        changes.vectors.update((id_, v) for id_, v in vectors.items() if id_ not in self.gone)
        changes.gone += gone
        self.gone.update(gone)


def tenants_in(folder: Path) -> list[Path]:
    """The files of all tenants that have any. Raises `OSError`."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
    except FileNotFoundError:
        return []


def tenant_of(file: Path) -> str | None:
    """Whose file it is; None where it tells nothing. Raises `OSError`."""
    with file.open("rb") as lines:
        for line in lines:
            try:
                put = json.loads(line).get("put", ())
                return str(put[0]["scope"]["tenant"])
            except (ValueError, AttributeError, LookupError, TypeError):
                continue
    return None


def file_name(tenant: str) -> str:
    """The name of a tenant's file, without its ending: one for each tenant, whatever it is called."""
    name = f"of-{quote(tenant, safe='')}" if tenant else "common"
    if len(name) > _LONGEST_NAME or tenant != tenant.lower():  # two that differ in case alone, on some disks
        return "hash-" + sha256(tenant.encode()).hexdigest()
    return name


def _head() -> bytes:
    """The first line of a file, by which those who have read it before know whether it has been written anew."""
    return json.dumps({"crewgraph_memories": 1, "writing": uuid.uuid4().hex}).encode() + b"\n"


def _line(changes: Changes) -> bytes:
    said: dict[str, Any] = {}
    if changes.gone:
        said["gone"] = changes.gone
    if changes.put:
        said["put"] = [
            entry.model_dump(mode="json", exclude_defaults=True) | {"id": entry.id} for entry in changes.put
        ]
        for one, entry in zip(said["put"], changes.put, strict=True):
            one["scope"] = entry.scope.model_dump(mode="json")
    if changes.vectors:
        said["vectors"] = {id_: [of, _packed(vector)] for id_, (of, vector) in changes.vectors.items()}
    return _dumped(said)


def _dumped(said: Any) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _unpacked(text: str) -> tuple[float, ...]:
    raw = base64.b64decode(text, validate=True)
    return struct.unpack(f"<{len(raw) // 4}f", raw)
