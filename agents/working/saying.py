"""Saying: a tool's JSON result in words, and the lines of evidence behind it."""

from __future__ import annotations

from typing import Any

from ...tools.text import Language
from ...tools.tool import Tool
from ...tools.values import Stated


def said(tool: Tool, value: Any, lang: Language) -> str:
    """A tool's JSON result in words."""
    read = tool.read(value)
    return read.statement(lang) if isinstance(read, Stated) else read if isinstance(read, str) else str(value)


def shown(tool: Tool, value: Any, lang: Language) -> list[str]:
    """The lines of evidence behind a tool's JSON result."""
    read = tool.read(value)
    return read.evidence(lang) if isinstance(read, Stated) else [f"{tool.name}: {said(tool, value, lang)}"]
