"""What engines print and tell becomes progress, figures and a log of bounded size."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.serving.engines import Patience, Progress
from crewgraph.serving.engines.keeping.child import Child
from crewgraph.serving.engines.keeping.log import STARTING, Log, last_words, older, tail
from crewgraph.serving.engines.keeping.orders import PORT, Orders, Program, Serves
from crewgraph.serving.engines.keeping.probe import Load, load_of
from crewgraph.serving.engines.vllm.program import READY, STAGES

VLLM_SAYS = """\
(APIServer pid=7) INFO 11-22 [utils.py:1] Initializing a V1 LLM engine (v0.26.0)
Loading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]\\r
Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:01<00:01,  1.5it/s]\\r
Loading safetensors checkpoint shards: 100% Completed | 4/4 [00:02<00:00,  1.5it/s]\\n
INFO 11-22 [kv_cache_utils.py:1] GPU KV cache size: 1,000 tokens
Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  43%|####3     | 15/35 [00:01<00:01]\\r
INFO:     Application startup complete.
Capturing CUDA graphs (after that nobody counts): 99%|
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


def logging(path: Path, code: str) -> None:
    """Use a `Log` in a process of its own: it takes stderr over."""
    setup = "from pathlib import Path\nfrom crewgraph.serving.engines.keeping.log import *\n"
    setup += f"log = Log(Path({str(path)!r}), 1000)\n"
    subprocess.run([sys.executable, "-c", setup + code], check=True, stdin=subprocess.DEVNULL)


def test_a_log_goes_on_and_never_grows_beyond_its_bounds(log: Path) -> None:
    logging(log, "log.write(b'first\\n')")
    logging(log, "for n in range(300): log.write(b'line %d\\n' % n)")
    assert log.stat().st_size + older(log).stat().st_size < 2200
    assert {f.name for f in log.parent.iterdir()} == {log.name, older(log).name}
    assert tail(log, 2) == ["line 298", "line 299"]
    assert len(tail(log, 120)) == 120, "the older file is read where the newer one is short"


def test_a_log_holds_what_the_daemon_itself_complains_of(log: Path) -> None:
    logging(log, "import sys; log.write(b'x' * 1000); print('a complaint', file=sys.stderr)")
    assert tail(log, 1) == ["a complaint"]


def test_last_words_are_those_of_the_last_start(log: Path) -> None:
    logging(log, f"log.write(b'old trouble\\n'); log.say({STARTING!r} + 'x'); log.write(b'one\\n\\ntwo\\n')")
    assert last_words(log) == "one / two"
    assert last_words(log.with_name("missing")) == ""


async def test_the_stages_of_a_start_are_told_with_their_percent(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.stdout.write({VLLM_SAYS!r}.replace('\\\\r\\n', '\\r').replace('\\\\n\\n', '\\n'))"
    )
    told: list[Progress] = []
    path = tmp_path / "engine.log"

    class Quiet(Log):
        """A log that leaves the tests' own stderr alone."""

        def __init__(self) -> None: ...

        def write(self, data: bytes) -> None:
            with path.open("ab") as file:
                file.write(data)

    program = Program((sys.executable, "-c", code), ready=READY, stages=STAGES)
    child = await Child.start(program, 0, tmp_path / "child", Quiet(), told.append)
    assert await child.ended() == "it ended with exit code 0"
    await child.end(1)
    assert child.listens.is_set()
    assert [(p.stage.removeprefix("starting vLLM: "), p.done, p.total) for p in told] == [
        ("loading the model", 0, None),
        ("loading the weights", 0, 100),
        ("loading the weights", 50, 100),
        ("loading the weights", 100, 100),
        ("preparing the cache", 0, None),
        ("capturing CUDA graphs", 43, 100),
    ]
    written = path.read_text()
    assert "KV cache size" in written
    assert "50%" not in written, "bars are shown, not kept"


async def test_a_child_takes_what_it_started_with_it(tmp_path: Path) -> None:
    sleep = "import time; time.sleep(600)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}]); {sleep}"

    class Silent(Log):
        def __init__(self) -> None: ...

        def write(self, data: bytes) -> None: ...

    child = await Child.start(
        Program((sys.executable, "-c", code)), 0, tmp_path / "child", Silent(), lambda _: None
    )
    await asyncio.sleep(0.3)
    async with asyncio.timeout(10):
        await child.end(0.0)  # returns only when the pipe that both write to is closed by both


def test_metrics_of_both_engines_are_read() -> None:
    vllm = b"""# HELP vllm:num_requests_running x
vllm:num_requests_running{engine="0",model_name="a} b"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0"} 0.5
vllm:kv_cache_usage_perc{engine="1"} 0.25
"""
    assert load_of(vllm) == Load(7, 0, 0.375)
    assert load_of(b"llamacpp:requests_processing 2\nllamacpp:requests_deferred 5\n") == Load(2, 5, None)
    assert load_of(b"<html>") == Load()


@given(st.binary(max_size=200))
def test_no_text_of_metrics_is_an_error(text: bytes) -> None:
    load_of(b"vllm:num_requests_running " + text)


@given(st.integers(1, 50), st.integers(0, 20), st.floats(0.01, 10))
def test_pauses_grow_and_end(faults: int, restarts: int, first: float) -> None:
    patience = Patience(restarts=restarts, first_pause_s=first)
    pause, next_pause = patience.pause(faults), patience.pause(faults + 1)
    assert (pause is None) == (faults > restarts)
    if pause is not None and next_pause is not None:
        assert next_pause == 2 * pause


def test_orders_travel_whole(tmp_path: Path) -> None:
    orders = Orders(
        str(tmp_path),
        "vllm",
        3,
        1.5,
        0,
        Program(("run", "--port", PORT), {"A": "b"}, "r", STAGES),
        Serves("m", "/m", ("x", "y")),
        Patience(restarts=1),
    )
    assert Orders.from_json(orders.as_json()) == orders
    assert orders.program.command_at(81) == ["run", "--port", "81"]
