"""Owns what this machine has for an engine: cores, memory, NVIDIA GPUs. Asks the driver; loads no GPU library."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia/gpus")
_QUERY = "index,uuid,name,memory.total,memory.free,compute_cap"
_MIB = 1024 * 1024
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: what it is called, its memory in bytes and the part nobody uses, its compute capability (8.0: A100).

    Zeros stand for what the driver does not tell.
    """

    name: str
    memory: int = 0
    free: int = 0
    capability: float = 0.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """What an engine may use: CPU cores, bytes of memory, GPUs."""

    cores: int
    memory: int
    gpus: tuple[Gpu, ...] = ()


async def find_hardware() -> Hardware:
    """This machine, as far as this process may use it; of GPUs, those that ``CUDA_VISIBLE_DEVICES`` leaves."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Hardware(cores, memory, await find_gpus(os.environ.get("CUDA_VISIBLE_DEVICES")))


async def find_gpus(visible: str | None = None) -> tuple[Gpu, ...]:
    """The GPUs that the NVIDIA driver lists, by ``nvidia-smi``, or where that is missing by its files."""
    listed = await _asked()
    if listed is not None:
        return seen(listed, visible)
    infos = await asyncio.to_thread(_informations)
    return seen([(number, uuid, gpu) for number, (uuid, gpu) in enumerate(infos)], visible)


Listed = tuple[int, str, Gpu]


def seen(listed: Sequence[Listed], visible: str | None) -> tuple[Gpu, ...]:
    """Those of the listed GPUs that a value of ``CUDA_VISIBLE_DEVICES`` leaves, in its order.

    As CUDA does, it stops at the first entry that names none; None leaves all.
    """
    if visible is None:
        return tuple(gpu for _, _, gpu in listed)
    left = []
    for entry in (part.strip() for part in visible.split(",")):
        named = next(
            (g for number, uuid, g in listed if entry and (entry == str(number) or uuid.startswith(entry))),
            None,
        )
        if named is None:
            break
        left.append(named)
    return tuple(left)


async def _asked() -> list[Listed] | None:
    """What nvidia-smi says; None where there is none, or it does not work."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            *(tool, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return gpus_of(said.decode(errors="replace")) if process.returncode == 0 else None


def gpus_of(table: str) -> list[Listed]:
    """The GPUs in nvidia-smi's answer to the query: ``INDEX, UUID, NAME, MiB, MiB free, CAPABILITY`` a line."""
    found = []
    for line in table.splitlines():
        words = [word.strip() for word in line.split(",")]
        if len(words) == 6 and words[0].isdecimal():
            total, free, capability = (_number(word) for word in words[3:])
            found.append(
                (int(words[0]), words[1], Gpu(words[2], int(total * _MIB), int(free * _MIB), capability))
            )
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0  # such as "[N/A]"


def _informations() -> list[tuple[str, Gpu]]:
    found = []
    for path in sorted(_DRIVER.glob("*/information")):
        text = path.read_text(errors="replace")
        model = re.search(r"^Model:\s*(.+)$", text, re.MULTILINE)
        uuid = re.search(r"^GPU UUID:\s*(\S+)", text, re.MULTILINE)
        found.append((uuid[1] if uuid else "", Gpu(model[1].strip() if model else "NVIDIA GPU")))
    return found
