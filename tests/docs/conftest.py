"""The pages that people read."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


def module_of(code: str, file: Path) -> ModuleType:
    """A page's code, written to a file and imported from there."""
    file.write_text(code, "utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Page(NamedTuple):
    """One page: its file and its text."""

    file: Path
    text: str

    @property
    def prose(self) -> str:
        """The text without its blocks of code and its comments."""
        return re.sub(r"```.*?```|<!--.*?-->", "", self.text, flags=re.DOTALL)

    @property
    def headings(self) -> list[str]:
        """Every heading with its signs: `## Title`."""
        return re.findall(r"^#+ .+$", self.prose, re.MULTILINE)

    def blocks(self, language: str) -> list[str]:
        """The blocks of code in a language."""
        return [text for own, text in self._blocks() if own == language]

    def _blocks(self) -> list[tuple[str, str]]:
        return re.findall(r"^```(\w*)\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)

    @property
    def code(self) -> str:
        """What is shown as code, blocks and spans, except Python."""
        blocks = [text for language, text in self._blocks() if language != "python"]
        spans = re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", self.prose)
        return "\n".join([*blocks, *(span[2] for span in spans)])


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def pages() -> dict[str, Page]:
    files = [
        ROOT / "README.md",
        ROOT / "README.zh-CN.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").glob("*.md"),
    ]
    return {str(f.relative_to(ROOT)): Page(f, f.read_text("utf-8")) for f in files}
