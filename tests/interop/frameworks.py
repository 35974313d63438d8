"""Which frameworks are installed beside crewgraph: CrewAI and AutoGen are held in an environment of their own."""

from __future__ import annotations

import importlib.util

_MODULES = {"langchain": "langchain_core", "crewai": "crewai", "autogen": "autogen_agentchat"}
FRAMEWORKS = tuple(_MODULES)


def installed(framework: str) -> bool:
    return importlib.util.find_spec(_MODULES[framework]) is not None


def without(framework: str) -> str:
    """Why a test is skipped."""
    return f"{framework} is not installed; .ci/frameworks.sh makes an environment with it and runs this there"
