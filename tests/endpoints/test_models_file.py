"""models.toml: what it says is taken as it is, and a file that does not fit is refused with the place and the fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph.runtime.errors import InvalidInput
from crewgraph.serving.endpoints.file import EMBEDDED, models_of, read_models
from crewgraph.serving.endpoints.opening import open_models
from crewgraph.serving.settings import Settings

WHOLE = """
default = "large"

[engine.gpu]
url = "http://gpu:8000/v1"
key_env = "GPU_KEY"
kind = "vllm"
weight = 3
models = ["large"]
native_tools = true
price = "0.15/0.60"
extra = { top_k = 40 }
read_timeout_s = 30

[engine.here]
url = "embedded"

[model.large]
engines = ["gpu"]
spread = "weighted"
fallback = ["small"]
hedge_after_s = 2
timeout_s = 60
requests_per_minute = 600
tokens_per_minute = 1e6

[model.default]
timeout_s = 5

[tenant.guest]
requests_per_minute = 6

[cache]
store = "redis://localhost"
ttl_s = 3600
semantic = 0.9
embedder = "embeds"
vectors = "http://qdrant:6333"
"""


def settings(
    home: Path, url: str | None = None, model: str | None = None, cache: str | None = None
) -> Settings:
    return Settings(home=home, model_url=url, model=model, cache=cache)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(WHOLE)
    file = read_models(tmp_path / "models.toml")
    assert file is not None
    gpu, large, cache = file.engine["gpu"], file.model["large"], file.cache
    assert cache is not None
    assert (gpu.kind, gpu.weight, gpu.models, gpu.native_tools) == ("vllm", 3, ("large",), True)
    assert (gpu.price, gpu.extra, gpu.read_timeout_s) == ("0.15/0.60", {"top_k": 40}, 30)
    assert (large.engines, large.spread, large.fallback) == (("gpu",), "weighted", ("small",))
    assert (large.hedge_after_s, large.timeout_s, large.requests_per_minute) == (2, 60, 600)
    assert file.tenant["guest"].requests_per_minute == 6
    assert (cache.store, cache.ttl_s, cache.semantic, cache.embedder) == (
        "redis://localhost",
        3600,
        0.9,
        "embeds",
    )
    assert models_of(settings(tmp_path)) == file


def test_without_a_file_the_embedded_engine_is_meant(tmp_path: Path) -> None:
    file = models_of(settings(tmp_path))
    assert [table.url for table in file.engine.values()] == [EMBEDDED]


def test_urls_of_the_settings_go_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text("this is no TOML, and nobody reads it")
    file = models_of(settings(tmp_path, " http://a:1/v1, https://b , embedded,", "m", "cache.db"))
    assert [table.url for table in file.engine.values()] == ["http://a:1/v1", "https://b", EMBEDDED]
    assert file.default == "m"
    assert file.cache is not None
    assert file.cache.store == "cache.db"


def test_the_settings_model_and_cache_go_before_the_files(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(WHOLE)
    file = models_of(settings(tmp_path, None, "small", "memory://"))
    assert file.default == "small"
    assert file.cache is not None
    assert (file.cache.store, file.cache.ttl_s) == ("memory://", 3600)


ENGINE = '[engine.a]\nurl = "http://a"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[engine.a\nurl = 1", "cannot be read: .*line 1"),
        (b"\xff\xfe", "cannot be read: .*decode"),
        ("", "it names no engine: write"),
        ("engine = 3", "engine: Input should be a valid dict"),
        ("[engine.a]", "engine.a.url: Field required"),
        (ENGINE + "colour = 1", "engine.a.colour: there is nothing of that name"),
        (ENGINE + "[modal.x]", "modal: there is nothing of that name"),
        (ENGINE + '[model.x]\nengines = ["b"]', "model.x.engines names 'b', and there are: a"),
        (ENGINE + '[model.x]\nfallback = ["y", "x"]', "model.x.fallback names the model itself"),
        (ENGINE + '[model.x]\nspread = "random"', "model.x.spread: .*'affine'"),
        (ENGINE + "[model.x]\ntimeout_s = 0", "model.x.timeout_s: .*greater than 0"),
        (ENGINE + "[model.x]\nrequests_per_minute = -1", "model.x.requests_per_minute: .*greater than 0"),
        (ENGINE + "weight = 0", "engine.a.weight: .*greater than 0"),
        (ENGINE + 'kind = "gpt"', "engine.a.kind: .*'vllm'"),
        (ENGINE + 'price = "cheap"', "engine.a.price: 'cheap' is no price: write"),
        (ENGINE + 'price = "nan/1"', "engine.a.price: 'nan/1' is no price"),
        ('[engine.a]\nurl = "ftp://a"', "engine.a.url: 'ftp://a' is no URL: write"),
        ('[engine.a]\nurl = "http://"', "engine.a.url: 'http://' is no URL"),
        ('[engine.a]\nurl = "http://a:99999/v1"', "engine.a.url: .*is no URL"),
        (ENGINE + "[cache]\nsemantic = 1.5", "cache.semantic: .*less than or equal to 1"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_sentence(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    file = tmp_path / "models.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInput, match=said) as caught:
        models_of(settings(tmp_path))
    message = str(caught.value)
    assert str(file) in message
    assert message.endswith(".")
    assert "\n" not in message


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models.toml").mkdir()
    with pytest.raises(InvalidInput, match=r"models\.toml cannot be read: Is a directory"):
        models_of(settings(tmp_path))


def test_a_url_of_the_settings_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'gpu:8000' is no URL: .*CREWGRAPH_MODEL_URL"):
        models_of(settings(tmp_path, "http://a/v1,gpu:8000"))


async def test_a_key_that_is_not_there_is_missed_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(ENGINE + 'key_env = "NO_SUCH_KEY_HERE"')
    with pytest.raises(InvalidInput, match="key for http://a is to be in NO_SUCH_KEY_HERE, which is not set"):
        async with open_models(settings(tmp_path)):
            pass
