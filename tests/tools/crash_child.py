"""A process that pays somebody by a `once` tool and kills itself with SIGKILL on the way. Started by the tests.

Arguments: database of the run, ledger of the bank, run id ("" begins one), and where to die: "before" the payment
is in the ledger, "after" it, or "never".
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys

from crewgraph.runtime.context import DidNotHappen, Happened, RunContext
from crewgraph.runtime.store import open_store
from crewgraph.tools.effects import IdempotencyKey
from crewgraph.tools.tool import tool
from crewgraph.tools.toolset import Toolset


def bank(ledger: str) -> sqlite3.Connection:
    """The bank's own database."""
    connection = sqlite3.connect(ledger, isolation_level=None)
    connection.execute("create table if not exists payments (key text, payee text)")
    return connection


async def main(database: str, ledger: str, run_id: str, dies: str) -> None:
    async def look(key: IdempotencyKey) -> Happened | DidNotHappen:
        (found,) = bank(ledger).execute("select count(*) from payments where key = ?", (key,)).fetchone()
        return Happened(f"found {found}") if found else DidNotHappen()

    @tool(effect="once", reconcile=look if run_id else None)
    async def pay(to: str, key: IdempotencyKey) -> str:
        """Pay somebody."""
        if dies == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        bank(ledger).execute("insert into payments values (?, ?)", (key, to))
        if dies == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return "paid"

    async with open_store(database) as store:
        journal = await (store.open_run(run_id) if run_id else store.create_run("crew", "pay Ann"))
        print(journal.run_id, flush=True)
        async with journal:
            ctx = RunContext(journal).for_task("t")
            print((await Toolset([pay]).call("pay", {"to": "Ann"}, ctx))["value"], flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
