"""The unified model client: one `ModelClient` over every OpenAI-compatible server."""

from .http import HttpModelClient
from .wire import EngineKind

__all__ = ["EngineKind", "HttpModelClient"]
