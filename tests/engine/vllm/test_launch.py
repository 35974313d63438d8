"""vLLM's flags fit the hardware, the model and what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.runtime.errors import EngineError, NotFound
from crewgraph.serving.engines.hardware import Gpu, Hardware, gpus_of, seen
from crewgraph.serving.engines.vllm.launch import (
    SMALL_PARAMETERS,
    LaunchWishes,
    api_servers,
    environment,
    launch,
    memory_share,
    tensor_parallel,
)
from crewgraph.serving.engines.vllm.model import ModelShape, find_model, read_shape, shape_of

GIB = 1024**3
H100 = Gpu("NVIDIA H100 80GB HBM3", 80 * GIB, 79 * GIB, 9.0)
T4 = Gpu("Tesla T4", 15 * GIB, 15 * GIB, 7.5)
LAPTOP = Hardware(4, 16 * GIB)
SERVER = Hardware(16, 128 * GIB, (H100,))
SMALL = ModelShape(134_000_000, 9, 3, 8192, 269_000_000, 23_040)
EIGHT_B = ModelShape(8_000_000_000, 32, 8, 131_072, 16 * 10**9, 131_072)
WISHES = LaunchWishes("/models/m", "m", "8000")

hardwares = st.builds(
    Hardware,
    cores=st.integers(1, 256),
    memory=st.integers(1, 2048).map(lambda g: g * GIB),
    gpus=st.lists(
        st.builds(
            Gpu,
            name=st.just("GPU"),
            memory=st.integers(0, 192).map(lambda g: g * GIB),
            free=st.integers(0, 192).map(lambda g: g * GIB),
            capability=st.sampled_from([0.0, 7.5, 8.0, 9.0]),
        ),
        max_size=16,
    ).map(tuple),
)
models = st.builds(
    ModelShape,
    parameters=st.integers(10**7, 10**12),
    heads=st.integers(1, 128),
    kv_heads=st.integers(1, 16),
    context=st.none() | st.integers(512, 10**6),
    weights=st.integers(0, 10**12),
    token_bytes=st.integers(0, 10**7),
    lora_rank=st.integers(0, 512),
)


def value(flags: list[str], flag: str) -> str | None:
    return flags[flags.index(flag) + 1] if flag in flags else None


@given(hardwares, models)
def test_whatever_the_hardware_the_promised_flags_are_there(hardware: Hardware, model: ModelShape) -> None:
    flags = launch(hardware, model, WISHES)
    for flag in ("--enable-prefix-caching", "--enable-prompt-tokens-details"):
        assert flag in flags
    assert value(flags, "--scheduling-policy") == "priority"
    assert value(flags, "--host") == "127.0.0.1"
    assert value(flags, "--served-model-name") == "m"
    outputs = value(flags, "--structured-outputs-config")
    assert outputs is not None
    assert json.loads(outputs)["disable_any_whitespace"] is True
    assert ("--gpu-memory-utilization" in flags) == bool(hardware.gpus)
    assert ("--enforce-eager" in flags) != bool(hardware.gpus)
    assert all(isinstance(flag, str) for flag in flags)


@given(hardwares, models)
def test_layers_are_split_evenly_over_gpus_that_are_there(hardware: Hardware, model: ModelShape) -> None:
    size = tensor_parallel(len(hardware.gpus), model)
    assert size & (size - 1) == 0
    assert size == 1 or size <= len(hardware.gpus)
    assert model.heads % size == 0
    assert model.kv_heads % size == 0 or size % model.kv_heads == 0
    bigger = size * 2
    if bigger <= len(hardware.gpus):
        larger = [2**n for n in range(bigger.bit_length() - 1, 6) if 2**n <= len(hardware.gpus)]
        assert not any(
            model.heads % n == 0 and (model.kv_heads % n == 0 or n % model.kv_heads == 0) for n in larger
        )


@given(hardwares, models)
def test_api_servers_and_memory_keep_to_what_there_is(hardware: Hardware, model: ModelShape) -> None:
    servers = api_servers(hardware, model)
    assert 1 <= servers <= max(1, min(4, hardware.cores))
    if servers > 1:
        assert hardware.gpus
        assert model.parameters < SMALL_PARAMETERS
    share = memory_share(hardware, model)
    assert 0 < share <= 0.9
    for gpu in hardware.gpus:
        if gpu.memory and 0.1 * gpu.memory < gpu.free <= gpu.memory:
            assert share * gpu.memory <= gpu.free


@pytest.mark.parametrize(
    ("hardware", "model", "flag", "expected"),
    [
        (SERVER, SMALL, "--api-server-count", "4"),
        (SERVER, EIGHT_B, "--api-server-count", None),
        (LAPTOP, SMALL, "--api-server-count", None),
        (Hardware(6, GIB, (H100,)), SMALL, "--api-server-count", "2"),
        (SERVER, SMALL, "--tensor-parallel-size", None),
        (Hardware(64, GIB, (H100,) * 8), EIGHT_B, "--tensor-parallel-size", "8"),
        (Hardware(64, GIB, (H100,) * 6), EIGHT_B, "--tensor-parallel-size", "4"),
        (Hardware(64, GIB, (H100,) * 8), SMALL, "--tensor-parallel-size", None),
        (SERVER, EIGHT_B, "--gpu-memory-utilization", "0.90"),
        (SERVER, SMALL, "--gpu-memory-utilization", "0.50"),
        (Hardware(8, GIB, (Gpu("x", 80 * GIB, 40 * GIB, 9.0),)), EIGHT_B, "--gpu-memory-utilization", "0.45"),
        (SERVER, EIGHT_B, "--max-model-len", "32768"),
        (SERVER, SMALL, "--max-model-len", "8192"),
        (LAPTOP, SMALL, "--max-model-len", "4096"),
        (SERVER, SMALL, "--dtype", "auto"),
        (Hardware(8, GIB, (T4,)), SMALL, "--dtype", "half"),
        (LAPTOP, SMALL, "--dtype", "bfloat16"),
        (LAPTOP, SMALL, "--max-num-seqs", "32"),
        (SERVER, SMALL, "--max-num-seqs", None),
    ],
)
def test_flags_for_machines_that_people_have(
    hardware: Hardware, model: ModelShape, flag: str, expected: str | None
) -> None:
    assert value(launch(hardware, model, WISHES), flag) == expected


def test_what_was_asked_for_overrules() -> None:
    wishes = LaunchWishes("/m", "m", "1", context=1024, slots=7, extra=("--dtype", "float16"))
    for hardware in (LAPTOP, SERVER):
        flags = launch(hardware, EIGHT_B, wishes)
        assert value(flags, "--max-model-len") == "1024"
        assert value(flags, "--max-num-seqs") == "7"
        assert flags[-2:] == ["--dtype", "float16"], "the last of two flags counts"


def test_adapters_are_served_under_their_names_with_room_for_the_highest_rank() -> None:
    adapters = (("lawyer", "/a b/lawyer"), ("poet", "/poet"))
    wishes = LaunchWishes("/m", "m", "1", adapters=adapters)
    flags = launch(LAPTOP, ModelShape(10**9, 8, 8, lora_rank=20), wishes)
    at = flags.index("--lora-modules")
    assert [json.loads(text) for text in flags[at + 1 : at + 3]] == [
        {"name": "lawyer", "path": "/a b/lawyer"},
        {"name": "poet", "path": "/poet"},
    ]
    assert "--enable-lora" in flags
    assert value(flags, "--max-lora-rank") == "32"
    assert value(flags, "--max-loras") == "2"
    assert "--enable-lora" not in launch(LAPTOP, SMALL, WISHES)


@given(hardwares, models)
def test_vllm_stays_offline_and_takes_a_bounded_share_of_the_memory(
    hardware: Hardware, model: ModelShape
) -> None:
    added = environment(hardware, model)
    assert (added["HF_HUB_OFFLINE"], added["VLLM_NO_USAGE_STATS"], added["DO_NOT_TRACK"]) == ("1", "1", "1")
    assert not added["PYTHONPATH"], "vLLM would find this process's packages before its own"
    cache = int(added.get("VLLM_CPU_KVCACHE_SPACE", "0"))
    assert cache <= max(1, hardware.memory // GIB // 8)


SMOLLM2 = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
}
LLAMA_8B = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
MIXTRAL = LLAMA_8B | {"vocab_size": 32000, "num_local_experts": 8}


@pytest.mark.parametrize(
    ("config", "billions"),
    [(SMOLLM2, 0.1345), (LLAMA_8B, 8.03), (MIXTRAL, 46.7), ({"text_config": LLAMA_8B}, 8.03)],
)
def test_a_models_size_is_estimated_from_its_config(config: dict[str, object], billions: float) -> None:
    assert shape_of(config).parameters == pytest.approx(billions * 1e9, rel=0.02)


@given(
    st.dictionaries(
        st.sampled_from([*LLAMA_8B, "text_config", "head_dim", "n_head"]),
        st.none() | st.integers(0, 10**6) | st.text(max_size=3),
    )
)
def test_no_config_is_too_odd_to_be_read(config: dict[str, object]) -> None:
    shape = shape_of(config)
    assert shape.heads >= 1
    assert shape.kv_heads >= 1
    launch(SERVER, shape, WISHES)


def test_a_model_is_found_as_a_folder_or_in_the_cache_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub" / "models--org--name"
    snapshot = cached / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    with pytest.raises(NotFound, match="neither a folder nor in the Hugging Face cache"):
        find_model("org/name")
    (snapshot / "config.json").write_text(json.dumps(SMOLLM2))
    assert find_model("org/name") == find_model(str(snapshot)) == snapshot
    assert read_shape(snapshot).heads == 9
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match=r"holds no config\.json"):
        find_model(str(tmp_path / "empty"))
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(EngineError, match="crewgraph engine start embedded --model"):
        find_model(str(tmp_path / "m.gguf"))


def test_an_adapter_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMOLLM2))
    with pytest.raises(NotFound, match=r"adapter_config\.json"):
        read_shape(tmp_path, (tmp_path / "nowhere",))
    (tmp_path / "adapter_config.json").write_text('{"r": 64}')
    assert read_shape(tmp_path, (tmp_path,)).lora_rank == 64
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(EngineError, match="no JSON object"):
        read_shape(tmp_path)


NVIDIA_SMI = """\
0, GPU-aaa, NVIDIA H100 80GB HBM3, 81559, 80994, 9.0
1, GPU-bbb, NVIDIA H100 80GB HBM3, 81559, [N/A], [N/A]
garbage
"""


def test_gpus_are_read_from_what_the_driver_says() -> None:
    listed = gpus_of(NVIDIA_SMI)
    assert [(n, u) for n, u, _ in listed] == [(0, "GPU-aaa"), (1, "GPU-bbb")]
    assert listed[0][2] == Gpu("NVIDIA H100 80GB HBM3", 81559 * 1024**2, 80994 * 1024**2, 9.0)
    assert listed[1][2].free == 0
    assert gpus_of("No devices were found\n") == []


@pytest.mark.parametrize(
    ("visible", "left"),
    [(None, ["a", "b", "c"]), ("", []), ("2,0", ["c", "a"]), ("GPU-b", ["b"]), ("0,9,1", ["a"]), ("-1", [])],
)
def test_gpus_that_are_hidden_from_this_process_are_not_used(visible: str | None, left: list[str]) -> None:
    listed = [(n, f"GPU-{name}", Gpu(name)) for n, name in enumerate("abc")]
    assert [gpu.name for gpu in seen(listed, visible)] == left
