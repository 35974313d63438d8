"""Without CrewAI or AutoGen, their doors say what to install."""

from __future__ import annotations

import importlib.util

import pytest

from crewgraph.agents import interop
from crewgraph.runtime.errors import InvalidRequest

from .scripted import Script


@pytest.mark.skipif(importlib.util.find_spec("crewai") is not None, reason="CrewAI is installed")
@pytest.mark.parametrize("door", ["as_crewai", "from_crewai"])
def test_crewais_doors_name_the_extra(door: str) -> None:
    with pytest.raises(InvalidRequest, match=r"CrewAI is not installed; pip install 'crewgraph\[crewai\]'"):
        getattr(interop, door)(Script())


@pytest.mark.skipif(importlib.util.find_spec("autogen_core") is not None, reason="AutoGen is installed")
@pytest.mark.parametrize("door", ["as_autogen", "from_autogen"])
def test_autogens_doors_name_the_extra(door: str) -> None:
    with pytest.raises(InvalidRequest, match=r"AutoGen is not installed; pip install 'crewgraph\[autogen\]'"):
        getattr(interop, door)(Script())
