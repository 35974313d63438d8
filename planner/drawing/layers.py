"""Layers: where each task of a drawing stands, after Sugiyama, Tagawa and Toda, "Methods for visual understanding of
hierarchical system structures" (1981): layers by longest path, and an order in each with few crossings by barycentres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

_SWEEPS = 8


class Layout(NamedTuple):
    """The layer of each task, and the place of everything along its layer: from 0, with one unit between neighbours.

    An arrow over several layers goes through a point in each of those between: `bends` names them, from its beginning on.
    """

    layer: dict[str, int]
    place: dict[str, float]
    bends: dict[tuple[str, str], tuple[str, ...]]
    layers: int
    breadth: float


def layout(needs: Mapping[str, Sequence[str]], order: Sequence[str]) -> Layout:
    """Where tasks stand. `order` names each after all that it needs."""
    layer: dict[str, int] = {}
    for task_id in order:
        layer[task_id] = 1 + max((layer[need] for need in needs[task_id]), default=-1)
    rows: list[list[str]] = [[] for _ in range(1 + max(layer.values(), default=-1))]
    for task_id in order:
        rows[layer[task_id]].append(task_id)
    before: dict[str, list[str]] = {task_id: [] for task_id in order}
    bends: dict[tuple[str, str], tuple[str, ...]] = {}
    for task_id in order:
        for need in needs[task_id]:
            last = need
            points: list[str] = []
            for between in range(layer[need] + 1, layer[task_id]):
                point = f"{need}\0{task_id}\0{between}"  # no task is called so
                rows[between].append(point)
                before[point] = [last]
                points.append(point)
                last = point
            before[task_id].append(last)
            bends[need, task_id] = tuple(points)
    after: dict[str, list[str]] = {name: [] for name in before}
    for name, earlier in before.items():
        for one in earlier:
            after[one].append(name)
    _ordered(rows, before, after)
    place = _placed(rows, before, after)
    least = min(place.values(), default=0.0)
    place = {name: at - least for name, at in place.items()}
    return Layout(layer, place, bends, len(rows), max(place.values(), default=0.0))


def _ordered(rows: list[list[str]], before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> None:
    """Put each row in the order of what its neighbours' places are on average; keep the order with fewest crossings."""
    best, fewest = [list(row) for row in rows], _crossings(rows, after)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for number in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            other = {name: place for place, name in enumerate(rows[number - 1 if down else number + 1])}
            neighbours = before if down else after
            own = {name: place for place, name in enumerate(rows[number])}

            def average(
                name: str,
                neighbours: Mapping[str, list[str]] = neighbours,
                other: dict[str, int] = other,
                own: dict[str, int] = own,
            ) -> float:
                places = [other[near] for near in neighbours[name]]
                return sum(places) / len(places) if places else own[name]

            rows[number].sort(key=average)
        crossings = _crossings(rows, after)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _crossings(rows: Sequence[Sequence[str]], after: Mapping[str, Sequence[str]]) -> int:
    count = 0
    for row, below in pairwise(rows):
        place = {name: number for number, name in enumerate(below)}
        seen: list[int] = []
        for name in row:
            ends = [place[end] for end in after[name]]
            count += sum(1 for end in ends for earlier in seen if earlier > end)
            seen += ends
    return count


def _placed(
    rows: Sequence[Sequence[str]], before: Mapping[str, list[str]], after: Mapping[str, list[str]]
) -> dict[str, float]:
    """Draw everything towards its neighbours, as far as those beside it leave room."""
    place = {name: number - (len(row) - 1) / 2 for row in rows for number, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wished = [
                sum(place[near] for near in neighbours[name]) / len(neighbours[name])
                if neighbours[name]
                else place[name]
                for name in row
            ]
            for name, at in zip(row, _apart(wished), strict=True):
                place[name] = at
    return place


def _apart(wished: Sequence[float]) -> list[float]:
    """Places in the same order, at least one unit apart, as near to the wished ones as can be (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for number, at in enumerate(wished):
        mean, size = at - number, 1
        while blocks and blocks[-1][0] > mean:
            earlier, count = blocks.pop()
            mean, size = (earlier * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    flat = [mean for mean, size in blocks for _ in range(size)]
    return [mean + number for number, mean in enumerate(flat)]
