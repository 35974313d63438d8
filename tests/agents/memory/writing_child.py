"""A process that remembers and recalls in a folder that another one uses: folder, its name, how many memories."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from crewgraph.agents.memory.memory import Memory


async def main(folder: Path, name: str, count: int) -> None:
    memory = Memory(folder)
    for n in range(count):
        await memory.remember(f"Box {name}{n} stands in row {n}")
        await memory.remember(f"The count is {name}{n}", about=("boxes", "count", f"{name}{n}"))
    print(len((await memory.recall("box row", limit=1000)).found))
    await memory.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
