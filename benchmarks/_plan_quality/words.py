"""Scores of plans in words: steps that say nearly the same are one node, matched so that as many are as can be.

After the node matching of WorFEval (Qiao et al., Benchmarking Agentic Workflow Generation, 2024): sentence vectors and a
threshold on their cosine. Edges count where both ends are matched; WorFEval's own graph score is stricter (the largest
common connected subgraph), so the figures are not the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crewgraph.planner.likeness import Embed

from .rows import Row
from .scoring import Made, Score, f1

THRESHOLD = 0.6
"""The cosine from which two steps are taken for the same, for vectors of sentences."""
WORDS_THRESHOLD = 0.4
"""The same for vectors of words, where there is no embedding model."""


async def of_words(row: Row, made: Made, embed: Embed, threshold: float) -> Score:
    """The scores of a plan whose steps are texts."""
    wanted = {str(node["id"]): str(node["task"]) for node in row.nodes}
    pairs = await _matched(made.nodes, wanted, embed, threshold)
    joined = {(pairs[a], pairs[b]) for a, b in made.edges if a in pairs and b in pairs}
    return Score(
        made.valid,
        f1(len(pairs), len(made.nodes), len(wanted)),
        f1(len(joined & row.edges), len(made.edges), len(row.edges)),
        None,
        None,
    )


async def _matched(
    made: Mapping[str, str], wanted: Mapping[str, str], embed: Embed, threshold: float
) -> dict[str, str]:
    if not made or not wanted:
        return {}
    vectors = await embed([*made.values(), *wanted.values()])
    own, theirs = vectors[: len(made)], vectors[len(made) :]
    likeness = [[_cosine(a, b) for b in theirs] for a in own]
    ids, others = list(made), list(wanted)
    return {ids[a]: others[b] for b, a in _most(likeness, threshold).items()}


def _most(likeness: Sequence[Sequence[float]], threshold: float) -> dict[int, int]:
    """The matching of columns with rows that joins the most pairs of at least this likeness, the likest first."""
    found: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column in sorted(range(len(likeness[row])), key=lambda c: -likeness[row][c]):
            if likeness[row][column] < threshold or column in tried:
                continue
            tried.add(column)
            if column not in found or place(found[column], tried):
                found[column] = row
                return True
        return False

    for row in sorted(range(len(likeness)), key=lambda r: -max(likeness[r])):
        place(row, set())
    return found


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
