"""Another process that uses a store. Started by the tests.

``write WHERE N``: begins N runs and writes to each without end, saying each event that is safe: run, a space, its text.
``open WHERE RUN``: opens the run when a line comes in, says ``won`` or why not, and holds it until stdin ends.
"""

from __future__ import annotations

import asyncio
import sys
import time

from crewgraph.runtime.errors import StoreError
from crewgraph.runtime.events import Noted
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store import open_store


async def write(where: str, runs: int) -> None:
    async def one(journal: Journal) -> None:
        number = 0
        while True:
            number += 1
            if number % 3 == 0:
                journal.write(Noted(at=time.time(), task_id="", text=str(number)))
            else:
                await journal.append(Noted(at=time.time(), task_id="", text=str(number)))
                print(journal.run_id, number, flush=True)

    async with open_store(where) as store:
        await asyncio.gather(*[one(await store.create_run("crew", "r")) for _ in range(runs)])


async def open_run(where: str, run_id: str) -> None:
    async with open_store(where) as store:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        try:
            journal = await store.open_run(run_id)
        except StoreError as error:
            print(error, flush=True)
            return
        print("won", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await journal.append(Noted(at=time.time(), task_id="", text="mine"))
        await journal.aclose()


if __name__ == "__main__":
    _, what, where, argument = sys.argv
    asyncio.run(write(where, int(argument)) if what == "write" else open_run(where, argument))
