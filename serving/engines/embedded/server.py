"""Owns the embedded engine's server process: llama.cpp behind an OpenAI-compatible loopback server.

Run by `process.start` as ``python -m crewgraph.serving.engines.embedded.server ORDERS``; see `daemon` for how
it lives and ends.
"""

from __future__ import annotations

import importlib
from typing import Any
from urllib.parse import urlsplit

from ..daemon import Orders, Server, serve

_ADDRESS: dict[str, Any] = {"hostname": "127.0.0.1", "hostnames": ["127.0.0.1"]}
_REST: dict[str, Any] = {
    "cors_origins": "http://127.0.0.1",  # web pages of other origins may not read the engine's answers
    "ui": False,
    "webui": False,
    "cache_ram_mib": 128,
    "verbosity": 2,  # warnings and errors: what people ask is nobody's business
}


def _set_known(params: Any, values: dict[str, Any]) -> None:
    """Set what this version of the library knows: names change between versions, the defaults are safe."""
    for name, value in values.items():
        if hasattr(params, name):
            setattr(params, name, value)


def open_server(orders: Orders) -> Server:
    """Load the model and listen on 127.0.0.1. Options: path, model, threads, slots, context (of a slot)."""
    xllamacpp: Any = importlib.import_module("xllamacpp")
    options = orders.options
    params = xllamacpp.CommonParams()
    params.model.path = options["path"]
    params.model_alias = {options["model"]}
    params.n_parallel = options["slots"]
    params.n_ctx = options["context"] * options["slots"]
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = options["threads"]
        cpu.poll = 0  # waiting threads sleep: spinning ones starve each other on a busy machine
    params.n_gpu_layers = 0
    params.port = orders.port
    _set_known(params, _ADDRESS)
    _set_known(params, _REST)
    server = xllamacpp.Server(params)
    port = urlsplit(server.listening_address).port
    assert port is not None
    return Server(port, options["model"], keep=server)


if __name__ == "__main__":
    serve(open_server)
