"""Owns turning the GGUF model into the folder that vLLM serves: bfloat16 weights, tokenizer, template.

Runs inside vLLM's own environment, by path, and so imports nothing of crewgraph:
``python convert.py SOURCE.gguf FOLDER``. Prints one JSON line ``{"stage": TEXT}`` before each step.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def _say(stage: str) -> None:
    print(json.dumps({"stage": stage}), flush=True)


def main(source: Path, folder: Path) -> None:
    """Write the model in `source` to `folder`; needs torch, transformers, gguf and accelerate."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    _say("converting for vLLM: loading libraries")
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    place: dict[str, Any] = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    _say("converting for vLLM: reading the weights")
    model = transformers.AutoModelForCausalLM.from_pretrained(
        **place, dtype=torch.bfloat16, quantization_config=transformers.GgufConfig(dequantize=True)
    )
    model = model.to(torch.bfloat16)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config  # the weights are plain now; vLLM would look for quantized ones
    model.hf_quantizer = None
    _say("converting for vLLM: reading the tokenizer")
    tokenizer = transformers.AutoTokenizer.from_pretrained(**place)
    _say("converting for vLLM: writing the weights")
    model.save_pretrained(str(folder), safe_serialization=True)
    tokenizer.save_pretrained(str(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
