"""Other frameworks: our model client inside LangGraph, CrewAI and AutoGen, and their models as our client.

Names are loaded when they are used, and a framework only with its adapter: importing this package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .autogen import as_autogen, from_autogen
    from .crewai import as_crewai, from_crewai
    from .langchain import as_langchain, from_langchain
    from .scope import CallScope

__all__ = [
    "CallScope",
    "as_autogen",
    "as_crewai",
    "as_langchain",
    "from_autogen",
    "from_crewai",
    "from_langchain",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "scope" if name == "CallScope" else name.partition("_")[2]
    return getattr(import_module(f".{home}", __name__), name)
