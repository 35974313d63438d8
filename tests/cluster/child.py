"""One worker process for the tests: ``child.py URL [QUEUE …]``. Says its name when it takes work, and why it ended."""

from __future__ import annotations

import asyncio
import signal
import sys

from crewgraph.runtime.cluster.server import CutOff, serve
from crewgraph.runtime.cluster.workflows.queues import BOTH, Queue
from crewgraph.runtime.store import open_store


async def main(url: str, queues: list[str], key: str) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_store(url, key=key or None) as store:
        try:
            await serve(
                url,
                store,
                queues=[Queue.parse(queue) for queue in queues] or BOTH,
                stop=stop,
                grace=2,
                on_ready=lambda name: print("ready", name, flush=True),
            )
        except CutOff as error:
            print(error, flush=True)
            return 3
    return 0


if __name__ == "__main__":
    import os

    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:], os.environ.get("KEY", ""))))
