"""Owns the embedded engine's own process: llama.cpp behind an OpenAI-compatible loopback server.

Run by the daemon as ``python -m crewgraph.serving.engines.embedded.server PORT OPTIONS``; see `program`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any

from ..keeping.probe import KEY_VARIABLE

LISTENS = "the model is loaded, and the server listens"

_ADDRESS: dict[str, Any] = {"hostname": "127.0.0.1", "hostnames": ["127.0.0.1"]}
_REST: dict[str, Any] = {
    "cors_origins": "http://127.0.0.1",  # web pages of other origins may not read the engine's answers
    "ui": False,
    "webui": False,
    "cache_ram_mib": 128,
    "endpoint_metrics": True,
    "verbosity": 2,  # warnings and errors: what people ask is nobody's business
}


def _set_known(params: Any, values: dict[str, Any]) -> None:
    """Set what this version of the library knows: names change between versions, the defaults are safe."""
    for name, value in values.items():
        if hasattr(params, name):
            setattr(params, name, value)


def open_server(port: int, options: dict[str, Any]) -> Any:
    """Load the model and listen on 127.0.0.1; the server lives as long as what is returned.

    Options: path, model, threads, slots, context (of a slot), adapters (GGUF files; none is applied unless a request
    asks for it), http_threads.
    """
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = options["path"]
    params.model_alias = {options["model"]}
    params.n_parallel = options["slots"]
    params.n_ctx = options["context"] * options["slots"]
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = options["threads"]
        cpu.poll = 0  # waiting threads sleep: spinning ones starve each other on a busy machine
    params.n_gpu_layers = 0
    params.port = port
    _set_known(params, _ADDRESS)
    _set_known(params, _REST | {"n_threads_http": options["http_threads"]})
    if options["adapters"]:
        # At scale 0: with any other, requests that ask for no adapter would get all of them.
        # llama.cpp goes on with a prompt that another adapter has read, when a request names none: nothing is kept.
        params.cache_ram_mib = 0
        params.cache_prompt = False
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in options["adapters"]]
    if key := os.environ.get(KEY_VARIABLE):
        params.api_keys = [key]
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until a signal ends the process."""
    server = open_server(int(sys.argv[1]), json.loads(sys.argv[2]))
    assert server is not None
    print(LISTENS, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
