"""Model clients over model clients that fail: several engines as one, deadlines, limits, fallbacks, hedges."""

from .deadline import Deadline
from .fallback import Fallback
from .hedged import Hedged
from .limits import Limited, Rate
from .replicas import Breaker, Load, Patience, Replica, load_of, metrics_of
from .routed import Routed

__all__ = [
    "Breaker",
    "Deadline",
    "Fallback",
    "Hedged",
    "Limited",
    "Load",
    "Patience",
    "Rate",
    "Replica",
    "Routed",
    "load_of",
    "metrics_of",
]
