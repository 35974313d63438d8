"""What the tests of engines share: homes in which real engines run."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.errors import EngineError
from crewgraph.serving.engines import pull_model, stop_engine
from crewgraph.serving.settings import Settings

from .postgres import postgres_alone, postgres_server, postgres_url

__all__ = ["postgres_alone", "postgres_server", "postgres_url"]


def apart(work: Coroutine[Any, Any, Any]) -> None:
    """Run async work in a loop of its own, whether or not a test's loop is running."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The user's own model files, pulled where they are missing."""
    for name in ("xllamacpp", "gguf"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(
                f"the embedded engine is not installed ({name} is missing): pip install crewgraph[engine]"
            )
    settings = Settings()
    try:
        apart(pull_model(settings))
    except EngineError as error:
        pytest.skip(f"the model cannot be had: {error}")
    return settings.models_dir


@pytest.fixture
def home(models_dir: Path, tmp_path: Path) -> Iterator[Settings]:
    """A home of its own, with the user's models; its engine is stopped in the end."""
    (tmp_path / "models").symlink_to(models_dir)
    settings = Settings(home=tmp_path, model_url=None, model=None)
    yield settings
    apart(stop_engine(settings))


@pytest.fixture(scope="session")
def shared_home(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One home for all tests that only need an engine that runs."""
    folder = tmp_path_factory.mktemp("engine-home")
    (folder / "models").symlink_to(models_dir)
    settings = Settings(home=folder, model_url=None, model=None)
    yield settings
    apart(stop_engine(settings))


@pytest.fixture(scope="session")
def vllm_url() -> str:
    """Where a real vLLM answers."""
    url = os.environ.get("CREWGRAPH_TEST_VLLM_URL")
    if not url:
        pytest.skip("no vLLM: CREWGRAPH_TEST_VLLM_URL is not set (.ci/vllm.sh starts one)")
    return url
