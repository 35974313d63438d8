"""What others report on the same benchmarks, with where it stands. None of it was measured here.

The rows are not the same: each source here is a sample of about 60 %, rows that contradict themselves left out, and
scores differ as the notes say. They tell the order of magnitude.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One figure of a paper."""

    source: str
    who: str
    figure: str
    where: str
    note: str


PUBLISHED = (
    Published(
        "worfbench", "GPT-4", "F1 0.673 (chain), 0.525 (graph)", "Qiao et al. 2024, arXiv 2410.07869",
        "chain: longest common ordering of matched steps; graph: largest common connected subgraph",
    ),
    Published(
        "nestful", "GPT-4o", "full sequence match 0.28", "Basu et al. 2024, arXiv 2409.03797v3",
        "on the later release of over 1,800 rows; compare with `exact`",
    ),
)  # fmt: skip
