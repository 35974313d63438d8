"""Owns a BERT encoder in NumPy: small ones such as MiniLM turn a sentence into a vector in milliseconds.

So that embeddings need neither torch nor a second engine. Blocking; NumPy lets other threads run meanwhile.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .embedding_words import WordPieces

Array = npt.NDArray[np.float32]

MOST_TOKENS = 256
"""What this model was trained on; of longer texts the beginning counts."""
_HEADS = 12
_EPSILON = 1e-12


class SentenceEncoder:
    """Sentences into vectors of length one, whose products are the cosines; from the files of a sentence-transformers
    folder (`model.safetensors`, `tokenizer.json`). Raises OSError, ValueError or KeyError: they are not these.
    """

    def __init__(self, folder: Path) -> None:
        vocabulary = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
        self._pieces = WordPieces(vocabulary)
        self._weights = _read(folder / "model.safetensors")
        self._layers = 1 + max(
            int(name.split(".")[2]) for name in self._weights if name.startswith("encoder.layer.")
        )

    def encode(self, text: str) -> tuple[tuple[float, ...], int]:
        """The vector of a text, and how many tokens it is."""
        tokens = self._pieces.cut(text, MOST_TOKENS)
        weights = self._weights
        x = weights["embeddings.word_embeddings.weight"][tokens]
        x = x + weights["embeddings.position_embeddings.weight"][: len(tokens)]
        x = self._norm("embeddings", x + weights["embeddings.token_type_embeddings.weight"][0])
        for layer in range(self._layers):
            x = self._layer(f"encoder.layer.{layer}.", x)
        mean = x.mean(axis=0)
        vector = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return tuple(float(value) for value in vector), len(tokens)

    def _layer(self, at: str, x: Array) -> Array:
        count, width = x.shape
        parts = [
            self._linear(f"{at}attention.self.{part}", x).reshape(count, _HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        ]
        scores = parts[0] @ parts[1].transpose(0, 2, 1) / np.float32(math.sqrt(width // _HEADS))
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        seen = (shares @ parts[2]).transpose(1, 0, 2).reshape(count, width)
        x = self._norm(f"{at}attention.output", self._linear(f"{at}attention.output.dense", seen) + x)
        inner = _gelu(self._linear(f"{at}intermediate.dense", x))
        return self._norm(f"{at}output", self._linear(f"{at}output.dense", inner) + x)

    def _linear(self, name: str, x: Array) -> Array:
        made: Array = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return made

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        scale, shift = self._weights[f"{name}.LayerNorm.weight"], self._weights[f"{name}.LayerNorm.bias"]
        made: Array = centred / spread * scale + shift
        return made


def _gelu(x: Array) -> Array:
    # erf after Abramowitz and Stegun 7.1.26: wrong by 1.5e-7 at most, and NumPy has none.
    z = np.abs(x) / np.float32(math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    erf = np.sign(x) * (1 - series * np.exp(-z * z))
    made: Array = (x * np.float32(0.5) * (1 + erf)).astype(np.float32)
    return made


def _read(path: Path) -> dict[str, Array]:
    """The tensors of a safetensors file, mapped: processes share the pages, and nothing is read before its use."""
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    size = int.from_bytes(mapped[:8].tobytes(), "little")
    head: dict[str, Any] = json.loads(mapped[8 : 8 + size].tobytes())
    tensors: dict[str, Array] = {}
    for name, about in head.items():
        if name == "__metadata__" or about["dtype"] != "F32":
            continue
        begin, end = (8 + size + offset for offset in about["data_offsets"])
        tensors[name] = np.frombuffer(mapped[begin:end], dtype="<f4").reshape(about["shape"])
    return tensors
