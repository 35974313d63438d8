"""Cuts documents into passages: by heading, then by paragraph, each small enough for a small model to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..values import Passage

SUFFIXES = (".md", ".txt", ".rst")
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")


def read_folder(folder: Path, *, max_chars: int = 700) -> list[Passage]:
    """Every passage of every text file in a folder, in file order.

    `source` is the file's path relative to the folder, `heading` the headings above the passage.
    """
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and p.is_file() and not p.name.startswith(".")
    )
    return [
        p
        for file in files
        for p in split(
            file.read_text(encoding="utf-8", errors="replace"), str(file.relative_to(folder)), max_chars
        )
    ]


def split(text: str, source: str, max_chars: int = 700) -> Iterator[Passage]:
    """The passages of one document, none longer than `max_chars` unless a single line is."""
    trail: list[str] = []
    block: list[str] = []

    def flush() -> Iterator[Passage]:
        if body := "\n".join(block).strip():
            yield Passage(text=body, source=source, heading=" › ".join(t for t in trail if t))
        block.clear()

    for paragraph in _paragraphs(text):
        heading = _HEADING.match(paragraph)
        if heading:
            yield from flush()
            depth = len(heading[1])
            trail[depth - 1 :] = [*[""] * (depth - 1 - len(trail)), heading[2]]
            continue
        for piece in _pieces(paragraph, max_chars):
            if sum(map(len, block)) + len(piece) > max_chars:
                yield from flush()
            block.append(piece)
    yield from flush()


def _paragraphs(text: str) -> Iterator[str]:
    for chunk in re.split(r"\n\s*\n", text):
        lines: list[str] = []
        for line in chunk.strip("\n").splitlines():
            if _HEADING.match(line):
                if lines:
                    yield "\n".join(lines)
                yield line
                lines = []
            else:
                lines.append(line)
        if lines:
            yield "\n".join(lines)


def _pieces(paragraph: str, max_chars: int) -> Iterator[str]:
    """A paragraph as it is, or cut at sentence ends where it is too long."""
    if len(paragraph) <= max_chars:
        yield paragraph
        return
    current = ""
    for sentence in sentences(paragraph):
        if current and len(current) + len(sentence) > max_chars:
            yield current.strip()
            current = ""
        current += sentence + " "
    if current.strip():
        yield current.strip()


def sentences(text: str) -> list[str]:
    """The sentences of a text; list items and lines that end a block are sentences too."""
    parts = re.split(
        r"(?<=[.!?。！？])\s+(?=[\"'“(\[*`]*[A-Z0-9\u3400-\u9fff])|(?<=[。！？])|\n\s*(?=[-*•|]|\d+\.)|\n{2,}",
        text,
    )
    return [" ".join(part.split()) for part in parts if part and part.strip()]
