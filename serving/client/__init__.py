"""The unified model client: one `ModelClient` over every kind of model engine."""

from .dialects.dialect import EngineKind
from .http import HttpModelClient

__all__ = ["EngineKind", "HttpModelClient"]
