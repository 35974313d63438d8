"""A vLLM server for one measurement: started with the flags that it needs, or somebody's that runs already."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "smollm2"
_LOOK_S = 0.2
_LABELS = re.compile(r"\{.*\}")


@dataclass(frozen=True)
class Launch:
    """How to start vLLM: its interpreter, its PYTHONPATH ("" for none), where its logs go, on which port."""

    python: str
    path: str
    logs: Path
    port: int
    patience_s: float = 240.0

    @contextmanager
    def serving(self, model: str, flags: Sequence[str]) -> Iterator[Server]:
        """vLLM with this model and these flags; it is gone when the block ends.

        Raises:
            RuntimeError: it did not come up; the message holds the end of its log.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        log = self.logs / f"vllm_{int(time.time())}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [
                    *(self.python, "-m", "vllm.entrypoints.cli.main", "serve", model),
                    *("--served-model-name", NAME, "--host", "127.0.0.1", "--port", str(self.port)),
                    *("--max-model-len", "8192", "--enable-prompt-tokens-details", *flags),
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_environment(self.path),
                start_new_session=True,
            )
            try:
                server = Server(f"http://127.0.0.1:{self.port}")
                while not server.healthy():
                    if process.poll() is not None or time.monotonic() - began > self.patience_s:
                        raise RuntimeError(f"vLLM did not come up: {log.read_text()[-3000:]}")
                    time.sleep(_LOOK_S)
                print(f"vLLM up in {time.monotonic() - began:.0f} s: {' '.join(flags)}", flush=True)
                yield server
            finally:
                _end(process)


@dataclass(frozen=True)
class Server:
    """A server that answers: its address without ``/v1``, and what it says of itself."""

    url: str

    def healthy(self) -> bool:
        """Whether it takes requests."""
        try:
            return bool(self._get("/health") is not None)
        except (OSError, urllib.error.URLError):
            return False

    def version(self) -> str:
        """vLLM's version, or "unknown"."""
        try:
            return str(json.loads(self._get("/version"))["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return "unknown"

    def metrics(self) -> dict[str, float]:
        """Its counters and gauges by name without ``vllm:``, summed over labels."""
        found: dict[str, float] = {}
        for line in self._get("/metrics").splitlines():
            if not line.startswith("vllm:"):
                continue
            name, _, value = line.rpartition(" ")
            key = _LABELS.sub("", name).removeprefix("vllm:").removesuffix("_total")
            try:
                found[key] = found.get(key, 0.0) + float(value)
            except ValueError:
                continue
        return found

    def block_tokens(self) -> int:
        """How many tokens one block of its cache holds."""
        said = re.search(r'block_size="(\d+)"', self._get("/metrics"))
        return int(said[1]) if said else 16

    def tokens_of(self, messages: Sequence[dict[str, Any]], *, prompt: bool) -> list[int]:
        """The tokens of a conversation under the model's template; with `prompt`, with the reply's beginning."""
        asked = {"model": NAME, "messages": list(messages), "add_generation_prompt": prompt}
        request = urllib.request.Request(
            f"{self.url}/tokenize", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return [int(token) for token in json.load(answer)["tokens"]]

    def rest(self, seconds: float = 3.0) -> None:
        """Wait until no request is under way: a stream that was closed takes a moment to leave."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            now = self.metrics()
            if not now.get("num_requests_running") and not now.get("num_requests_waiting"):
                return
            time.sleep(_LOOK_S)

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            said: bytes = answer.read()
            return said.decode()


def used(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What the server did between two looks at its metrics."""
    names = ("prompt_tokens", "generation_tokens", "prefix_cache_queries", "prefix_cache_hits")
    return {name: after.get(name, 0.0) - before.get(name, 0.0) for name in (*names, "num_preemptions")}


def _environment(path: str) -> dict[str, str]:
    quiet = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HOST_IP": "127.0.0.1",
    }
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **quiet, **({"PYTHONPATH": path} if path else {})}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End vLLM and every process that it started."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)  # the driver gives the memory back a moment later
