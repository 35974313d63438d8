"""Owns vLLM's server process: our daemon, which runs vLLM from its own environment as a child.

Run by `process.start` as ``python -m crewgraph.serving.engines.vllm.server ORDERS``. The child ends with the
daemon: on Linux the kernel signals it even when the daemon was killed with ``kill -9``.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from ..daemon import ENDING, Orders, Server, serve, tell

_READY = "Application startup complete"
_STAGES = (
    (
        re.compile(r"Initializing a V\d+ LLM engine|Starting to load model"),
        "starting vLLM: loading the model",
    ),
    (re.compile(r"KV cache size|init engine"), "starting vLLM: preparing the cache"),
    (re.compile(r"Starting vLLM .*server"), "starting vLLM: opening the server"),
)
_QUIET = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
_CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "TORCHDYNAMO_DISABLE": "1",  # else the first replies of each shape wait up to 20 s for a compiler
}
_CPU_FLAGS = ("--dtype", "bfloat16", "--enforce-eager", "--block-size", "32", "--max-model-len", "4096")
_CUDA_FLAGS = ("--dtype", "bfloat16", "--max-model-len", "8192", "--gpu-memory-utilization", "0.5")
_PARENT_DIED = 1  # PR_SET_PDEATHSIG
_STOP_S = 10.0


def command(environment: Path, model: Path, name: str, port: int, *, cuda: bool) -> list[str]:
    """The command line of vLLM's OpenAI-compatible server on 127.0.0.1."""
    return [
        *(str(environment / "bin" / "python"), "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(model), "--served-model-name", name, "--host", "127.0.0.1", "--port", str(port)),
        *("--max-num-seqs", "32", "--enable-prefix-caching", "--enable-prompt-tokens-details"),
        # A small model under a grammar with unbounded whitespace writes newlines to the end.
        *("--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})),
        *(_CUDA_FLAGS if cuda else _CPU_FLAGS),
    ]


def open_server(orders: Orders) -> Server:
    """Start vLLM and wait until it listens. Options: environment, path (the model's folder), model, cuda."""
    options = orders.options
    port = orders.port or _free_port()
    cuda = bool(options["cuda"])
    tell({"stage": "starting vLLM: loading libraries"})
    child = subprocess.Popen(
        command(Path(options["environment"]), Path(options["path"]), options["model"], port, cuda=cuda),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | _QUIET | ({} if cuda else _CPU_ENVIRONMENT),
        start_new_session=True,
        preexec_fn=_bound_to_parent,
    )
    assert child.stdout is not None
    if not _ready(child.stdout):
        child.wait()
        raise RuntimeError(f"vLLM ended with exit code {child.returncode}")
    threading.Thread(target=_follow, args=(child.stdout,), daemon=True).start()
    return Server(port, options["model"], keep=child, close=lambda: _close(child))


def _bound_to_parent() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGTERM)


def _ready(output: IO[bytes]) -> bool:
    for raw in output:
        line = raw.decode(errors="replace")
        sys.stderr.write(line)
        sys.stderr.flush()
        if _READY in line:
            return True
        for pattern, stage in _STAGES:
            if pattern.search(line):
                tell({"stage": stage})
    return False


def _follow(output: IO[bytes]) -> None:
    for raw in output:
        sys.stderr.write(raw.decode(errors="replace"))
        sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGTERM)  # vLLM has ended, so the daemon has nothing left to keep


def _close(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    serve(open_server)
