"""The page on models: its file is one that is read, and its code runs, on a real engine where it asks one."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from crewgraph import ModelRequest, Settings
from crewgraph.agents.interop import as_langchain
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime import errors
from crewgraph.serving.endpoints.file import (
    CacheTable,
    EngineTable,
    ModelsFile,
    ModelTable,
    RateTable,
    read_models,
)
from crewgraph.serving.endpoints.opening import open_models

from .conftest import Page, module_of

NEEDS = "<!-- needs "
TABLES: tuple[type[BaseModel], ...] = (EngineTable, RateTable, ModelTable, CacheTable)


def needing(page: Page) -> dict[str, str]:
    """The blocks that want another package beside crewgraph, by its name."""
    return dict(
        re.findall(r"^<!-- needs (\w+) -->\n```python\n(.*?)^```$", page.text, re.DOTALL | re.MULTILINE)
    )


@pytest.fixture
def page(pages: dict[str, Page]) -> Page:
    return pages["docs/models.md"]


@pytest.fixture
def shown(page: Page, tmp_path: Path) -> ModuleType:
    """The page's code, in order, as one file."""
    code = [block for block in page.blocks("python") if block not in needing(page).values()]
    return module_of("\n".join(code), tmp_path / "shown_on_the_page.py")


@pytest.fixture
def models_file(page: Page, tmp_path: Path) -> Path:
    (block,) = page.blocks("toml")
    file = tmp_path / "models.toml"
    file.write_text(block, "utf-8")
    return file


@pytest.fixture
def without_redis(models_file: Path) -> Path:
    """A home with that file, where the client of Redis may be missing."""
    text = models_file.read_text("utf-8")
    assert "redis://" in text
    models_file.write_text(text.replace("redis://127.0.0.1:6379/0", "memory://"), "utf-8")
    return models_file.parent


def test_the_example_of_the_models_file_is_one(models_file: Path) -> None:
    found = read_models(models_file)
    assert found is not None
    assert set(found.engine) == {"first", "second", "here"}
    semantic = models_file.read_text("utf-8").replace("# semantic", "semantic")
    models_file.write_text(semantic, "utf-8")
    assert read_models(models_file) is not None


async def test_it_can_be_opened(without_redis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRST_KEY", "k")
    async with open_models(Settings(home=without_redis, model_url=None, model=None, cache=None)):
        pass


def test_every_field_of_the_models_file_is_in_the_table(page: Page) -> None:
    rows = "\n".join(line for line in page.text.splitlines() if line.startswith("|"))
    fields = {name for table in TABLES for name in table.model_fields} | {"default"}
    assert set(ModelsFile.model_fields) == {"default", "engine", "model", "tenant", "cache"}
    assert {name for name in fields if f"`{name}`" not in rows} == set()


def test_every_field_that_the_example_shows_is_one_that_is_told(page: Page) -> None:
    (block,) = page.blocks("toml")
    shown = set(re.findall(r"^(?:# )?(\w+) =", block, re.MULTILINE))
    unshown = {name for table in TABLES for name in table.model_fields} - shown
    assert unshown == {"embedder", "vectors"}


def test_the_errors_are_named_with_their_codes(page: Page) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page.text, re.MULTILINE))
    assert {name: getattr(errors, name).code for name in rows} == rows
    engine = {
        e.__name__ for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.EngineError)
    }
    assert engine - {"EngineError"} <= set(rows)


@pytest.mark.engine
async def test_its_calls_are_answered_by_a_real_engine(
    shown: ModuleType, shared_home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await shown.greet(shared_home)
    assert "smollm2-135m-instruct" in capsys.readouterr().out
    async with open_models(shared_home) as client:
        assert await shown.greet_piece_by_piece(client)
        order, tea, tool = await shown.forms(client)
        assert set(json.loads(order)) == {"tea", "cups"}
        assert tea in ("green tea", "black tea")
        assert tool == "price"
        assert await shown.careful(client) == "invalid_schema"


async def test_its_crew_begins_all_prompts_alike(shown: ModuleType) -> None:
    seller, host = (agent.system().content for agent in shown.crew.agents)
    assert seller.startswith(shown.crew.briefing)
    assert host.startswith(shown.crew.briefing)


async def test_our_client_replies_in_langgraph(shown: ModuleType) -> None:
    assert await shown.in_langgraph(ScriptedModel(["Welcome."])) == "Welcome."


async def test_a_model_of_langchain_carries_a_crew_of_ours(shown: ModuleType, tmp_path: Path) -> None:
    def script(request: ModelRequest) -> str:
        return request.choices[0] if request.choices else "Welcome."

    theirs = as_langchain(ScriptedModel(script))
    assert "Welcome" in await shown.on_their_model(theirs, Settings(home=tmp_path))


@pytest.mark.filterwarnings(  # CrewAI's own, at its import
    "ignore::DeprecationWarning", "ignore:Cannot set an attribute:ImportWarning"
)
async def test_our_client_replies_in_crewai(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = needing(page)["crewai"]
    compile(code, "crewai", "exec")
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path))
    if importlib.util.find_spec("crewai") is None:
        pytest.skip("CrewAI is not installed: .ci/frameworks.sh makes an environment with it")
    module = module_of(code, tmp_path / "with_crewai.py")
    assert await module.in_crewai(ScriptedModel(["Welcome."])) == "Welcome."


async def test_our_client_replies_in_autogen(page: Page, tmp_path: Path) -> None:
    code = needing(page)["autogen_agentchat"]
    compile(code, "autogen", "exec")
    if importlib.util.find_spec("autogen_agentchat") is None:
        pytest.skip("AutoGen is not installed: .ci/frameworks.sh makes an environment with it")
    module = module_of(code, tmp_path / "with_autogen.py")
    assert await module.in_autogen(ScriptedModel(["Welcome."])) == "Welcome."


async def test_vllm_in_this_process_is_asked_for_rightly(page: Page, tmp_path: Path) -> None:
    """With vLLM there, tests/engine/vllm runs the same call on a model."""
    module = module_of(needing(page)["vllm"], tmp_path / "with_vllm.py")
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("vLLM is in this environment, and would look for a model")
    with pytest.raises(errors.EngineError, match="vLLM cannot be imported here"):
        await module.greet_in_process(tmp_path)


def test_only_three_blocks_need_more_than_crewgraph(page: Page) -> None:
    assert set(needing(page)) == {"vllm", "crewai", "autogen_agentchat"}
    assert page.text.count(NEEDS) == 3
