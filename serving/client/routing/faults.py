"""Owns what an error says: of the engine, so that another may do better, or of the request."""

from __future__ import annotations

from ....agents.model import ModelRequest
from ....runtime.errors import EngineBusy, EngineError, EngineTimeout, ModelError, UnknownModel


def elsewhere(error: BaseException, request: ModelRequest) -> bool:
    """Whether another engine, or the same one later, may answer the request.

    Not where the request is at fault, nor where the seconds that it had as a whole are over.
    """
    if isinstance(error, EngineTimeout) and request.timeout_s is not None:
        return False
    return isinstance(error, EngineError) and not isinstance(error, ModelError)


def blamed(error: BaseException, request: ModelRequest) -> bool:
    """Whether the error counts against the engine: a busy one lives, and an unknown model is the request's."""
    return elsewhere(error, request) and not isinstance(error, EngineBusy | UnknownModel)
