"""A real vLLM under crewgraph: kept up by its daemon, served with adapters, and inside a process of one's own.

Slow: each test starts vLLM anew. Needs the installation that `crewgraph engine install vllm` made in the user's home.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.serving.engines import (
    Adapter,
    Patience,
    Progress,
    Wishes,
    engine_client,
    engine_status,
    start_engine,
    stop_engine,
)
from crewgraph.serving.engines.place import Place
from crewgraph.serving.engines.vllm.place import VllmPlace
from crewgraph.serving.settings import Settings

from ...conftest import apart
from ..making_adapters import make_peft

pytestmark = pytest.mark.vllm

CAPITAL = ModelRequest((Message("user", "What is the capital of France?"),), max_tokens=16)
IN_PROCESS = Path(__file__).with_name("in_process_child.py")
SOURCES = Path(__file__).parents[3] / "src"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Settings]:
    """A home of its own, with the user's models and vLLM."""
    user = Settings()
    if not VllmPlace.of(user).ready:
        pytest.skip("vLLM is not installed: crewgraph engine install vllm")
    (tmp_path / "models").symlink_to(user.models_dir)
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "vllm-env").symlink_to(VllmPlace.of(user).environment)
    settings = Settings(home=tmp_path, model_url=None, model=None)
    yield settings
    apart(stop_engine(settings, "vllm"))


async def test_vllm_that_is_killed_or_frozen_answers_again_at_the_same_url(installed: Settings) -> None:
    """With a model from any folder under any name, an adapter, and flags of vLLM's own."""
    told: list[Progress] = []
    wishes = Wishes(
        model=str(VllmPlace.of(installed).model),
        name="mine",
        adapters=(Adapter("odd", make_peft(installed.home / "odd", 1)),),
        context=1024,
        extra=("--max-num-seqs", "4"),
    )
    patience = Patience(check_s=1, answer_s=5, silent_s=20)
    state = await start_engine(installed, "vllm", wishes=wishes, patience=patience, on_progress=told.append)
    assert (state.model, state.adapters) == ("mine", ("odd",))
    assert ("starting vLLM: loading the weights", 100, 100) in [(p.stage, p.done, p.total) for p in told]
    place = Place.of(installed, "vllm")
    async with engine_client(installed, engine="vllm") as client:
        assert client.base_url == state.url
        plain, odd = [
            (await client.complete(ModelRequest(CAPITAL.messages, max_tokens=8, adapter=name))).text
            for name in (None, "odd")
        ]
        assert "Paris" in plain
        assert odd != plain
        assert await client.context_tokens() == 1024
    for restarts, end in enumerate((signal.SIGKILL, signal.SIGSTOP), 1):
        os.kill(int(place.child.read_text()), end)
        async with asyncio.timeout(400):
            while (status := await engine_status(installed, "vllm")).restarts < restarts or status.problem:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        assert (status.url, status.restarts) == (state.url, restarts)
        assert (status.load.running, status.load.waiting) == (0, 0)
        assert status.load.kv_cache is not None
    async with engine_client(installed, engine="vllm") as client:
        assert "Paris" in (await client.complete(CAPITAL)).text


async def test_a_model_inside_this_process_keeps_the_contract(installed: Settings, tmp_path: Path) -> None:
    """In a child that runs on vLLM's own Python, with crewgraph on its path and nothing else of crewgraph's."""
    there = VllmPlace.of(installed)
    adapter = make_peft(tmp_path / "odd", 1)
    child = await asyncio.create_subprocess_exec(
        *(str(there.python), str(IN_PROCESS), str(there.model), str(adapter)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ
        | {
            "PYTHONPATH": str(SOURCES),
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "TORCHDYNAMO_DISABLE": "1",
            "VLLM_CONFIGURE_LOGGING": "0",
        },
    )
    said, _ = await child.communicate()
    assert child.returncode == 0
    found = json.loads(said.decode().splitlines()[-1])
    assert "Paris" in found["whole"]
    assert found["streamed"] == found["whole"]
    assert found["pieces"] > 3
    assert json.loads(found["schema"])["agent"] in ("zebra", "quagga")
    assert found["choice"] in ("red", "green")
    assert found["counted"] == found["prompt_tokens"]
    assert found["cached"] > 0
    assert found["other_tenant_cached"] == 0
    assert found["adapter"] != found["whole"]
    assert found["errors"] == [
        "UnknownModel",
        "UnknownModel",
        "ContextTooLong",
        "EngineTimeout",
        "InvalidSchema",
    ]
    assert found["over"] == found["prompt_tokens"] + 5000 - 1024
    assert found["tool"] == "population"
    assert found["running_after_close"] == 0


async def test_without_vllm_in_this_environment_that_is_said(tmp_path: Path) -> None:
    from crewgraph.runtime.errors import EngineError
    from crewgraph.serving.engines.vllm.inprocess import in_process

    assert "vllm" not in sys.modules
    with pytest.raises(EngineError, match="vLLM cannot be imported here"):
        async with in_process(tmp_path):
            pass
