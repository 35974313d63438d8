"""How long work takes on a virtual clock, so that only the order of things is measured."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from clock import run_on_virtual_clock


def makespan(work: Coroutine[Any, Any, Any]) -> float:
    """The virtual seconds that it takes."""

    async def timed() -> float:
        began = asyncio.get_running_loop().time()
        await work
        return asyncio.get_running_loop().time() - began

    seconds: float = run_on_virtual_clock(timed())
    return seconds
