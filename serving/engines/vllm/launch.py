"""Owns the flags with which vLLM is run: decided from the hardware, the model and what was wished for. Values only.

What was measured is behind them (one H100): four API servers gave a 135M model 19,800 tokens/s where one gave 7,700,
and prefix caching took 64 agents × 5 turns on an 8B model from 18.3 to 5.2 s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..hardware import Hardware
from .model import ModelShape

SMALL_PARAMETERS = 2_000_000_000
"""Below this, one Python API server is slower than the model is."""

_GIB = 1024**3
_API_SERVERS = 4
_CORES_AN_API_SERVER = 3
_CPU_CONTEXT = 4096
_CPU_SLOTS = 32
_GPU_CONTEXT = 32_768
_MOST_OF_A_GPU = 0.9
_SMALL_SHARE_OF_A_GPU = 0.5
_SPARE_OF_A_GPU = 0.05
_BF16_CAPABILITY = 8.0
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_MOST_LORAS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class LaunchWishes:
    """What is served, and what somebody asked for: `extra` are flags that overrule all others.

    `adapters` are LoRA adapters, each its name and its folder. `context` and `slots` None leave it to the decision.
    """

    path: str
    name: str
    port: str
    adapters: tuple[tuple[str, str], ...] = ()
    context: int | None = None
    slots: int | None = None
    extra: tuple[str, ...] = ()


def launch(hardware: Hardware, model: ModelShape, wishes: LaunchWishes) -> list[str]:
    """The arguments of vLLM's environment's Python that serve the model on 127.0.0.1."""
    return [
        # The build for CPUs has no metadata of a package `vllm`, without which its command does not start.
        *(("-m", "vllm.entrypoints.cli.main", "serve") if hardware.gpus else _SERVER_MODULE),
        *((wishes.path,) if hardware.gpus else ("--model", wishes.path)),
        *("--served-model-name", wishes.name, "--host", "127.0.0.1", "--port", wishes.port),
        *("--enable-prefix-caching", "--enable-prompt-tokens-details", "--scheduling-policy", "priority"),
        "--disable-uvicorn-access-log",  # a line for every question after its health would bury all others
        # A small model under a grammar with unbounded whitespace writes newlines to the end.
        *("--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})),
        *(_on_gpus(hardware, model, wishes) if hardware.gpus else _on_cpus(model, wishes)),
        *_lora(model, wishes),
        *wishes.extra,
    ]


_SERVER_MODULE = ("-m", "vllm.entrypoints.openai.api_server")


def environment(hardware: Hardware, model: ModelShape) -> dict[str, str]:
    """What is added to vLLM's environment: it stays offline and silent, and on CPUs gets its share of the memory.

    It has packages of its own, so the paths by which this process finds its packages are none of its business.
    """
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    quiet |= {"PYTHONPATH": "", "PYTHONHOME": ""}
    if hardware.gpus:
        return quiet
    return quiet | {
        "VLLM_CPU_KVCACHE_SPACE": str(_cpu_cache_gib(hardware, model)),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "TORCHDYNAMO_DISABLE": "1",  # else the first replies of each shape wait up to 20 s for a compiler
    }


def tensor_parallel(gpus: int, model: ModelShape) -> int:
    """Over how many GPUs each layer is split: the largest power of two of them that divides the heads evenly.

    Heads of keys and values are divided too, or each is kept by the same number of GPUs.
    """
    best = size = 1
    while (size := size * 2) <= gpus:
        shared = model.kv_heads % size == 0 or size % model.kv_heads == 0
        if model.heads % size == 0 and shared:
            best = size
    return best


def api_servers(hardware: Hardware, model: ModelShape) -> int:
    """How many processes take requests: more than one where a small model on a GPU would wait for it, if cores allow."""
    if not hardware.gpus or model.parameters >= SMALL_PARAMETERS:
        return 1
    return max(1, min(_API_SERVERS, hardware.cores // _CORES_AN_API_SERVER))


def memory_share(hardware: Hardware, model: ModelShape) -> float:
    """The share of each GPU's memory that vLLM takes, and of what is free no more than leaves a little."""
    wanted = _SMALL_SHARE_OF_A_GPU if model.parameters < SMALL_PARAMETERS else _MOST_OF_A_GPU
    free = [gpu.free / gpu.memory - _SPARE_OF_A_GPU for gpu in hardware.gpus if gpu.memory and gpu.free]
    return max(_SPARE_OF_A_GPU, int(100 * min([wanted, *free])) / 100)


def _on_gpus(hardware: Hardware, model: ModelShape, wishes: LaunchWishes) -> list[str]:
    flags = ["--dtype", "half" if _old(hardware) else "auto"]
    flags += ["--max-model-len", str(wishes.context or min(model.context or _GPU_CONTEXT, _GPU_CONTEXT))]
    flags += ["--gpu-memory-utilization", f"{memory_share(hardware, model):.2f}"]
    if wishes.slots:
        flags += ["--max-num-seqs", str(wishes.slots)]
    if (split := tensor_parallel(len(hardware.gpus), model)) > 1:
        flags += ["--tensor-parallel-size", str(split)]
    if (servers := api_servers(hardware, model)) > 1:
        flags += ["--api-server-count", str(servers)]
    return flags


def _old(hardware: Hardware) -> bool:
    """Whether a GPU cannot calculate in bfloat16."""
    return any(0 < gpu.capability < _BF16_CAPABILITY for gpu in hardware.gpus)


def _on_cpus(model: ModelShape, wishes: LaunchWishes) -> list[str]:
    context = wishes.context or min(model.context or _CPU_CONTEXT, _CPU_CONTEXT)
    return [
        *("--dtype", "bfloat16", "--enforce-eager", "--block-size", "32"),
        *("--max-model-len", str(context), "--max-num-seqs", str(wishes.slots or _CPU_SLOTS)),
    ]


def _cpu_cache_gib(hardware: Hardware, model: ModelShape) -> int:
    """One GiB for small models; for others the windows of four requests, and an eighth of the memory at most."""
    if model.parameters < SMALL_PARAMETERS:
        return 1
    wanted = 4 * _CPU_CONTEXT * model.token_bytes // _GIB + 1
    return max(1, min(wanted, hardware.memory // _GIB // 8))


def _lora(model: ModelShape, wishes: LaunchWishes) -> list[str]:
    if not wishes.adapters:
        return []
    rank = next((r for r in _LORA_RANKS if r >= model.lora_rank), _LORA_RANKS[-1])
    at_once = min(len(wishes.adapters), _MOST_LORAS_AT_ONCE)
    modules = [json.dumps({"name": name, "path": path}) for name, path in wishes.adapters]
    return [
        *("--enable-lora", "--max-lora-rank", str(rank), "--max-loras", str(at_once)),
        *("--lora-modules", *modules),
    ]
