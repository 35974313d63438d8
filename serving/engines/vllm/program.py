"""Owns how vLLM is run: which model, which adapters, its command, and what its output says of its start."""

from __future__ import annotations

import os
from pathlib import Path

from ....runtime.errors import EngineError, InvalidInput
from ...settings import Settings
from ..hardware import find_hardware
from ..keeping.orders import PORT, Program, Serves
from ..keeping.probe import KEY_VARIABLE
from ..models.catalog import DEFAULT_MODEL
from ..progress import OnProgress, Progress
from ..wishes import Wishes, checked
from .launch import LaunchWishes, environment, launch
from .model import find_model, read_shape
from .place import VllmPlace

READY = "Application startup complete"
_S = "starting vLLM: "
STAGES = (
    (r"Initializing a V\d+ LLM engine|Starting to load model", f"{_S}loading the model"),
    (r"checkpoint shards:\s+(?P<percent>\d+)%", f"{_S}loading the weights"),
    (r"torch\.compile takes|Compiling a graph", f"{_S}compiling"),
    (r"KV cache size|init engine", f"{_S}preparing the cache"),
    (r"Capturing CUDA graphs?[^%]*?:\s+(?P<percent>\d+)%", f"{_S}capturing CUDA graphs"),
    (r"Starting vLLM .*server", f"{_S}opening the server"),
)


_OWNED = {
    "--port": "--port before the --",
    "--host": "a proxy, as an engine listens on this machine only",
    "--model": "--model before the --",
    "--served-model-name": "--name before the --",
    "--api-key": KEY_VARIABLE,
}


async def program(settings: Settings, wishes: Wishes, on_progress: OnProgress) -> tuple[Program, Serves]:
    """The process to run, and what it serves. Raises `EngineError` or `NotFound`: the model is not to be had."""
    there = VllmPlace.of(settings)
    _refuse_owned(wishes.extra)
    if wishes.model is None or wishes.model == DEFAULT_MODEL.name:
        if not there.model_ready:
            raise EngineError(
                "vLLM's copy of the default model is missing; run 'crewgraph engine install vllm' again."
            )
        path, name = there.model, wishes.name or DEFAULT_MODEL.name
    else:
        path = find_model(wishes.model)
        name = wishes.name or _name_of(wishes.model, path)
    adapters = checked(wishes.adapters, name)
    shape = read_shape(path, tuple(adapter.path for adapter in adapters))
    hardware = await find_hardware()
    if there.build == "cpu":
        hardware = type(hardware)(hardware.cores, hardware.memory)
    elif not hardware.gpus:
        raise EngineError(
            "vLLM is installed for NVIDIA GPUs, and the driver shows none; mend the driver, or remove "
            f"{there.environment} and run 'crewgraph engine install vllm' for the build for CPUs."
        )
    wished = LaunchWishes(
        str(path),
        name,
        PORT,
        tuple((adapter.name, str(adapter.path)) for adapter in adapters),
        wishes.context,
        wishes.slots,
        wishes.extra,
    )
    command = (str(there.python), *launch(hardware, shape, wished))
    added = environment(hardware, shape)
    if key := os.environ.get(KEY_VARIABLE):
        added["VLLM_API_KEY"] = key
    on_progress(Progress(f"{_S}loading libraries"))
    serves = Serves(name, str(path), tuple(adapter.name for adapter in adapters))
    return Program(command, added, READY, STAGES), serves


def _refuse_owned(extra: tuple[str, ...]) -> None:
    for flag in extra:
        if use := _OWNED.get(flag.partition("=")[0]):
            raise InvalidInput(f"vLLM's {flag.partition('=')[0]} is set by crewgraph; use {use}.")


def _name_of(wished: str, path: Path) -> str:
    """A folder's own name; a name from the cache stays as it is."""
    return path.name if Path(wished).expanduser().is_dir() else wished
