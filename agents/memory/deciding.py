"""Deciding: what becomes of a new memory beside those that there are: kept, counted with one that says it, or instead of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .entry import Entry, gist, plain, same_said

SAME = 0.95
"""Cosine from which two texts mean the same, where one of both only has words more (see `same_said`)."""


class Decision(NamedTuple):
    """The memory that now says it, and the entries that have to be written for that (none where it is known already)."""

    entry: Entry
    put: tuple[Entry, ...] = ()


def decided(
    new: Entry, known: Entry | None, like: Iterable[tuple[Entry, float]], told: Sequence[Entry]
) -> Decision:
    """What becomes of `new`.

    `known` is the memory of its own id; `like` are memories that come near it, each with the cosine of both (0 where
    that is not known); `told` is all that was told of the same attribute of the same thing.
    """
    if known is not None:
        return Decision(known)
    keys = {said.key for said in new.provenance if said.key}
    candidates = [entry for entry, _ in like if entry.scope == new.scope and entry.kind == new.kind]
    for entry in (*told, *candidates):
        if keys & {said.key for said in entry.provenance}:  # by a run that was taken up again
            return Decision(entry)
    if new.kind == "entity":
        return _of_entity(new, [entry for entry in told if not entry.superseded_by])
    now = new.at
    for entry, near in like:
        if entry in candidates and entry.current(now) and _says(entry, new, near):
            again = entry.said_again(new)
            return Decision(again, (again,))
    return Decision(new, (new,))


def _of_entity(new: Entry, current: Sequence[Entry]) -> Decision:
    same = next((entry for entry in current if plain(entry.value) == plain(new.value)), None)
    if same is not None and same.current(new.at):
        again = same.said_again(new)
        return Decision(again, (again,))
    change = {"superseded_by": new.id, "superseded_at": new.at}
    return Decision(new, (*(entry.model_copy(update=change) for entry in current), new))


def _says(entry: Entry, new: Entry, near: float) -> bool:
    if gist(entry.text) == gist(new.text):
        return True
    return new.kind != "episode" and near >= SAME and same_said(entry.text, new.text)
