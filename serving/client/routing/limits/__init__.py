"""How many requests and tokens a minute may go to a model."""

from .bucket import Rate
from .limited import Limited

__all__ = ["Limited", "Rate"]
