"""Tally: what a cache has done since it was opened, for people to see."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Tally:
    """Counts of calls, and the tokens that were not spent.

    `exact` and `semantic` calls were answered from the store; `joined` ones by a call that was under way already;
    `misses` went to the engine. `passed_by` calls have no determined reply and were never looked up. `stored` replies
    were put into the store. `store_errors` and `semantic_errors` are times that the store, or the embedder or the index
    of vectors, failed or took too long: those calls went on without it. `damaged` entries could not be read.
    """

    exact: int = 0
    semantic: int = 0
    joined: int = 0
    misses: int = 0
    passed_by: int = 0
    stored: int = 0
    saved_tokens: int = 0
    store_errors: int = 0
    semantic_errors: int = 0
    damaged: int = 0

    @property
    def hits(self) -> int:
        """Calls that cost the engine nothing because the reply was kept."""
        return self.exact + self.semantic

    def as_json(self) -> dict[str, int]:
        """All counts, by name."""
        return {"hits": self.hits, **asdict(self)}
