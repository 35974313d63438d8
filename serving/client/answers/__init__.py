"""Replies in the form that was asked for, over any model client."""

from __future__ import annotations

from .checked import Checked
from .forms.checks import Forms
from .shapes.shape import PLAIN, SHAPES, Shape, fast_shape, shape_of

__all__ = ["PLAIN", "SHAPES", "Checked", "Forms", "Shape", "fast_shape", "shape_of"]
