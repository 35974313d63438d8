"""Rows: requests with reference plans, read from the data folder, sampled, and parted into a half to learn on."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

SOURCES = ("bfcl", "nestful", "ultratool", "worfbench")
"""The sources that have plans; parallelqa has none."""


@dataclass(frozen=True)
class Row:
    """One request: what was asked, with which tools, and the reference plan."""

    raw: Mapping[str, Any]
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """Unique over all sources."""
        return str(self.raw["id"])

    @property
    def source(self) -> str:
        """The file that it stands in."""
        return str(self.raw["source"])

    @property
    def request(self) -> str:
        """What the user asks."""
        return str(self.raw["request"])

    @cached_property
    def nodes(self) -> list[dict[str, Any]]:
        """The nodes of the reference plan."""
        return list(self.raw["plan"]["nodes"])

    @cached_property
    def edges(self) -> set[tuple[str, str]]:
        """The edges of the reference plan, as pairs of node ids."""
        return {(start, end) for start, end in self.raw["plan"]["edges"]}

    @cached_property
    def held_out(self) -> bool:
        """Whether rules were never held against it while they were written: half of the rows, by a hash of the id."""
        return int(hashlib.sha256(f"half {self.id}".encode()).hexdigest()[:8], 16) % 2 == 1


def load(folder: Path, source: str) -> list[Row]:
    """The rows of one source that do not contradict themselves.

    Raises:
        OSError: the file is not there.
    """
    shared: dict[str, tuple[Mapping[str, Any], ...]] = {}
    found: list[Row] = []
    for raw in _lines(folder / "plans" / f"{source}.jsonl"):
        if "plan" not in raw or raw.get("flaws"):
            continue
        name = raw.get("toolset")
        if name and name not in shared:
            shared[name] = tuple(_lines(folder / "plans" / "toolsets" / f"{name}.jsonl"))
        found.append(Row(raw, shared[name] if name else tuple(raw.get("tools", ()))))
    return found


def sample(rows: list[Row], limit: int | None, seed: int) -> list[Row]:
    """So many of the rows, the same ones for the same seed, in their own order."""
    if limit is None or len(rows) <= limit:
        return rows
    chosen = set(random.Random(seed).sample(range(len(rows)), limit))
    return [row for place, row in enumerate(rows) if place in chosen]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
