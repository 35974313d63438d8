"""Model engines that crewgraph can fetch, start and stop; `engine_client` is the door to all of them.

Names are loaded when they are used: the command line's help must not wait for an HTTP library.
"""

from typing import TYPE_CHECKING, Any

from .progress import OnProgress, Progress

if TYPE_CHECKING:
    from .keeping.orders import Patience
    from .manager import engine_client, start_engine, stop_engine
    from .models.files import PulledModel, pull_model
    from .place import EngineName, ServerState
    from .status import EngineStatus, engine_list, engine_status
    from .wishes import Adapter, Wishes

__all__ = [
    "Adapter",
    "EngineName",
    "EngineStatus",
    "OnProgress",
    "Patience",
    "Progress",
    "PulledModel",
    "ServerState",
    "Wishes",
    "engine_client",
    "engine_list",
    "engine_status",
    "pull_model",
    "start_engine",
    "stop_engine",
]

_HOMES = {
    "Adapter": "wishes",
    "EngineName": "place",
    "EngineStatus": "status",
    "Patience": "keeping.orders",
    "PulledModel": "models.files",
    "ServerState": "place",
    "Wishes": "wishes",
    "engine_list": "status",
    "engine_status": "status",
    "pull_model": "models.files",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'manager')}"), name)
