"""Owns words on a terminal: text from models and tools made harmless, and figures made readable."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"  # what is left of those, and text reversal
)


def clean(text: str) -> str:
    """The text without control characters: what a model or a tool wrote must not drive the terminal."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 0) -> str:
    """The text on one line; with `limit`, cut at so many characters."""
    line = " ".join(clean(text).split())
    return line if not limit or len(line) <= limit else line[: limit - 1] + "…"


def seconds(value: float) -> str:
    """Seconds as people read them: `0.4 s`, `12 s`, `3 min 05 s`."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def tokens(count: int) -> str:
    """A number of tokens: `1 token`, `12,345 tokens`."""
    return "1 token" if count == 1 else f"{count:,} tokens"


def money(value: float) -> str:
    """An amount in the currency of the price list: `cost 1.25`, `cost 0.0031`."""
    return (
        f"cost {value:,.2f}" if value >= 1 else f"cost {value:.4f}" if value >= 0.001 else f"cost {value:.2g}"
    )


def calls(count: int) -> str:
    """A number of tool calls: `1 tool call`, `3 tool calls`."""
    return "1 tool call" if count == 1 else f"{count:,} tool calls"


def size(count: int) -> str:
    """Bytes as people read them: `271 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
