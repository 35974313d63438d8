"""Owns where vLLM's own environment and its copy of the model lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...settings import Settings
from ..models.catalog import DEFAULT_MODEL


@dataclass(frozen=True, slots=True)
class VllmPlace:
    """The environment of vLLM below ``engines/``, and the model converted for it below ``models/``."""

    environment: Path
    model: Path

    @classmethod
    def of(cls, settings: Settings) -> VllmPlace:
        """Where they are for these settings."""
        return cls(
            settings.engines_dir / "vllm-env", settings.models_dir / DEFAULT_MODEL.name / "safetensors-bf16"
        )

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.environment / "bin" / "python"

    @property
    def done(self) -> Path:
        """Written last by the installation: what was installed."""
        return self.environment / "crewgraph-install.json"

    @property
    def build(self) -> str:
        """Which build is installed: "cpu" or "cuda"."""
        return str(json.loads(self.done.read_text())["build"])

    @property
    def ready(self) -> bool:
        """Whether vLLM can be started: installed to the end, and the model converted."""
        return self.done.exists() and self.model_ready

    @property
    def model_ready(self) -> bool:
        """Whether the converted model is there; the folder is moved into place whole."""
        return (self.model / "config.json").exists()
