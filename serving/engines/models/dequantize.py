"""Owns turning a quantized GGUF file into one with F16 weights.

The kernels that llama.cpp uses for Q4_1 and Q8_0 weights round activations to 8 bits, which derails a model
of 135M parameters: it answers "What is the capital of France?" with noise. The same weights as F16 answer
rightly.

Runs as a process of its own (``python -m crewgraph.serving.engines.models.dequantize SOURCE TARGET``), so that the
caller's memory stays small and a cancelled pull can simply end it. It prints one line ``DONE TOTAL`` (bytes
of weights written) after each tensor; TARGET must be a temporary name, which the caller moves into place.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def main(source: str, target: str) -> None:
    """Write `source` with F16 weights to `target`; one progress line a tensor on stdout."""
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType
    from gguf.quants import dequantize

    reader = GGUFReader(source)
    writer = GGUFWriter(target, arch=_text(reader, "general.architecture"))
    _copy_metadata(reader, writer, int(LlamaFileType.MOSTLY_F16))

    def kept(tensor: Any) -> bool:
        return bool(tensor.tensor_type == GGMLQuantizationType.F32)

    sizes = [int(t.n_elements) * (4 if kept(t) else 2) for t in reader.tensors]
    for tensor, size in zip(reader.tensors, sizes, strict=True):
        shape = [int(n) for n in reversed(tensor.shape)]
        kind = np.float32 if kept(tensor) else np.float16
        writer.add_tensor_info(tensor.name, shape, np.dtype(kind), size)
    writer.write_header_to_file(path=Path(target))
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    done, total = 0, sum(sizes)
    for tensor, size in zip(reader.tensors, sizes, strict=True):
        data = tensor.data if kept(tensor) else dequantize(tensor.data, tensor.tensor_type).astype(np.float16)
        writer.write_tensor_data(data)
        done += size
        print(done, total, flush=True)
    writer.close()


def _text(reader: Any, key: str) -> str:
    return str(reader.fields[key].contents())


def _copy_metadata(reader: Any, writer: Any, file_type: int) -> None:
    from gguf import GGUFValueType

    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue  # the writer makes these itself
        kind = field.types[0]
        item = field.types[-1] if kind == GGUFValueType.ARRAY else None
        value = file_type if field.name == "general.file_type" else field.contents()
        writer.add_key_value(field.name, value, kind, sub_type=item)


if __name__ == "__main__":
    main(*sys.argv[1:3])
