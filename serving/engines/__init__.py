"""Model engines that crewgraph can fetch, start and stop; `engine_client` is the door to all of them."""

from .progress import OnProgress, Progress

__all__ = ["OnProgress", "Progress"]
