"""Several engines that serve the same model: how busy and how well each is, and which gets the next request."""

from .breaker import Breaker
from .choosing import Choosing, Policy
from .load import Load, Watch, load_of, metrics_of
from .replica import Replica
from .way import Patience

__all__ = ["Breaker", "Choosing", "Load", "Patience", "Policy", "Replica", "Watch", "load_of", "metrics_of"]
