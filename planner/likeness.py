"""Likeness: which texts mean nearly the same, by vectors that whoever has a model makes, and by words elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Makes one vector of length 1 of each text; all have the same number of dimensions."""
