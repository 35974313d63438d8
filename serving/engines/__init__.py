"""Model engines that crewgraph can fetch, start and stop; `engine_client` is the door to all of them.

Names are loaded when they are used: the command line's help must not wait for an HTTP library.
"""

from typing import TYPE_CHECKING, Any

from .progress import OnProgress, Progress

if TYPE_CHECKING:
    from .manager import (
        EngineStatus,
        engine_client,
        engine_list,
        engine_status,
        start_engine,
        stop_engine,
    )
    from .models.files import PulledModel, pull_model
    from .place import EngineName, ServerState

__all__ = [
    "EngineName",
    "EngineStatus",
    "OnProgress",
    "Progress",
    "PulledModel",
    "ServerState",
    "engine_client",
    "engine_list",
    "engine_status",
    "pull_model",
    "start_engine",
    "stop_engine",
]

_HOMES = {
    "EngineName": "place",
    "PulledModel": "models.files",
    "ServerState": "place",
    "pull_model": "models.files",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'manager')}"), name)
