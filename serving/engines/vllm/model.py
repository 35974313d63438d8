"""Owns what vLLM's flags depend on in a model folder: its size, its attention heads, its window."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....runtime.errors import EngineError, NotFound

_BF16_BYTES = 2


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model in numbers. `parameters` is an estimate, `weights` what its files take in bytes (0: there are none).

    `heads` and `kv_heads` are those of attention, `context` the window that it was trained for (None: not told), and
    `token_bytes` what one token takes in the KV cache. `lora_rank` is the highest of the adapters that go with it.
    """

    parameters: int
    heads: int
    kv_heads: int
    context: int | None = None
    weights: int = 0
    token_bytes: int = 0
    lora_rank: int = 0


def find_model(name: str) -> Path:
    """The folder of a model: a path, or the name of one in the Hugging Face cache. Nothing is downloaded.

    Raises `NotFound` or `EngineError`: there is none, or vLLM cannot serve what is there.
    """
    path = Path(name).expanduser()
    if path.is_file():
        raise EngineError(
            f"{path} is a file, and vLLM serves a folder with config.json and weights; for a GGUF file run "
            f"'crewgraph engine start embedded --model {path}'."
        )
    if path.is_dir():
        if not (path / "config.json").exists():
            raise EngineError(
                f"The folder {path} holds no config.json, so it is no model that vLLM could serve."
            )
        return path.absolute()
    cached = _cached(name)
    if cached is None:
        raise NotFound(
            f"There is no model {name!r}, neither a folder nor in the Hugging Face cache ({_hub()}); "
            "give the path of one that is on this machine."
        )
    return cached


def _hub() -> Path:
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache)
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "hub"


def _cached(name: str) -> Path | None:
    folder = _hub() / f"models--{name.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    found = folder / "snapshots" / revision
    return found if (found / "config.json").exists() else None


def read_shape(folder: Path, adapters: tuple[Path, ...] = ()) -> ModelShape:
    """The shape of the model in a folder. Raises `EngineError`: its config.json, or an adapter's, cannot be read."""
    config = _json(folder / "config.json")
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    ranks = [int(_json(adapter / "adapter_config.json").get("r") or 8) for adapter in adapters]
    return shape_of(config, weights, max(ranks, default=0))


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise NotFound(f"There is no {path}, which vLLM needs; correct the path.") from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read ({error}); fetch it again.") from error
    if not isinstance(value, dict):
        raise EngineError(f"{path} is no JSON object; fetch it again.")
    return value


def shape_of(config: dict[str, Any], weights: int = 0, lora_rank: int = 0) -> ModelShape:
    """What a config.json says, of a decoder as Hugging Face describes it. What it leaves out counts as nothing."""
    text = config.get("text_config")
    if isinstance(text, dict):  # a model that also sees or hears keeps these one level down
        config = config | text

    def number(*names: str, default: int = 0) -> int:
        return next((int(config[n]) for n in names if isinstance(config.get(n), int | float)), default)

    hidden, layers = number("hidden_size", "n_embd"), number("num_hidden_layers", "n_layer")
    heads = max(1, number("num_attention_heads", "n_head", default=1))
    kv_heads = number("num_key_value_heads", default=heads) or heads
    head = number("head_dim") or hidden // heads
    inner = number("intermediate_size", "n_inner", default=4 * hidden)
    experts = number("num_local_experts", "num_experts", "n_routed_experts")
    if experts:
        inner = experts * number("moe_intermediate_size", default=inner)
    attention = hidden * head * (2 * heads + 2 * kv_heads)
    vocabulary = number("vocab_size") * hidden * (1 if config.get("tie_word_embeddings") else 2)
    estimate = vocabulary + layers * (attention + 3 * hidden * inner)
    context = number("max_position_embeddings", "n_positions") or None
    return ModelShape(
        parameters=estimate,
        heads=heads,
        kv_heads=kv_heads,
        context=context,
        weights=weights or estimate * _BF16_BYTES,
        token_bytes=2 * layers * kv_heads * head * _BF16_BYTES,
        lora_rank=lora_rank,
    )
