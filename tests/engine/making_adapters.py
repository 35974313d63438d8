"""Makes LoRA adapters for SmolLM2-135M: random ones, strong enough that replies differ, the same at every making."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LAYERS, HIDDEN, INNER = 30, 576, 1536
RANK, ALPHA = 8, 16.0
STRENGTH = 0.4


def _pairs(seed: int) -> Iterator[tuple[int, Any, Any]]:
    """Layer by layer, the two matrices that are added to its last projection."""
    import numpy as np

    random = np.random.default_rng(seed)
    for layer in range(LAYERS):
        down = random.normal(0, INNER**-0.5, (RANK, INNER)).astype(np.float32)
        up = random.normal(0, STRENGTH, (HIDDEN, RANK)).astype(np.float32)
        yield layer, down, up


def make_gguf(target: Path, seed: int = 0) -> Path:
    """An adapter as llama.cpp takes it: one GGUF file."""
    from gguf import GGUFWriter

    writer = GGUFWriter(target, arch="llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", ALPHA)
    for layer, down, up in _pairs(seed):
        writer.add_tensor(f"blk.{layer}.ffn_down.weight.lora_a", down)
        writer.add_tensor(f"blk.{layer}.ffn_down.weight.lora_b", up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def make_peft(folder: Path, seed: int = 0) -> Path:
    """The same adapter as PEFT keeps it, and vLLM takes it: a folder with safetensors and their configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "target_modules": ["down_proj"],
        "bias": "none",
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    tensors = {}
    for layer, down, up in _pairs(seed):
        name = f"base_model.model.model.layers.{layer}.mlp.down_proj"
        tensors |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    header, place = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": (place, place + tensor.nbytes)}
        place += tensor.nbytes
    told = json.dumps(header).encode()
    with (folder / "adapter_model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(told)) + told)
        for tensor in tensors.values():
            file.write(tensor.tobytes())
    return folder


if __name__ == "__main__":
    import sys

    for number, name in enumerate(sys.argv[2:], 1):
        make_peft(Path(sys.argv[1]) / name, number)
