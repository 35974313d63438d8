"""A process that remembers in a run and kills itself after the memory was kept and before the journal knows it.

Arguments: the home folder, the run id ("" begins one), by what it remembers ("tool" or "hook"), and whether it dies.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from crewgraph.agents.memory.entry import Entry
from crewgraph.agents.memory.memory import Memory
from crewgraph.agents.memory.recalling import remembered
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.store import open_store
from crewgraph.tools.toolset import Toolset


class Dying(Memory):
    """A memory whose process dies when it has kept something."""

    async def keep(self, entries: Sequence[Entry]) -> list[Entry]:
        await super().keep(entries)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


async def main(home: Path, run_id: str, by: str, dies: bool) -> None:
    memory = (Dying if dies else Memory)(home / "memory")
    async with open_store(home / "runs.db") as store:
        journal = await (store.open_run(run_id) if run_id else store.create_run("crew", "?", tenant="acme"))
        print(journal.run_id, flush=True)
        async with journal:
            ctx = RunContext(journal).for_task("t")
            if by == "tool":
                await Toolset([memory]).call("remember", {"text": "The printer is on the second floor"}, ctx)
            else:
                await remembered(memory, ctx, "My name is Ann. I live in Oslo.", "Noted.")
    await memory.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "dies"))
