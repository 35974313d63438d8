"""Another process that asks in a conversation. ``ask HOME DATABASE THREAD NAME COUNT``: asks COUNT times, one by one;
``hold ...``: says ``in`` when its first turn has begun, and never ends it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from crewgraph import Agent, Crew, House, ModelRequest, Settings, tool
from crewgraph.agents.testing import ScriptedModel


async def main(what: str, home: str, database: str, thread: str, name: str, count: int) -> None:
    @tool()
    async def wait() -> str:
        """Wait for ever."""
        print("in", flush=True)
        await asyncio.Event().wait()
        return ""

    def reply(request: ModelRequest) -> str:
        return f"{name} after {len(request.messages) - 2}"

    crew = Crew([Agent("host", "Talk.", tools=[wait] if what == "hold" else [])], name="talk")
    settings = Settings(home=Path(home), model_url=None, model=None, database_url=database or None)
    async with House.open(settings, client=ScriptedModel(reply)) as house:
        if what == "ask":
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
        for number in range(count):
            asked = f"I am {name}, number {number}." if what == "ask" else "Wait!"
            print((await house.ask(crew, asked, thread_id=thread, planner="rules")).answer, flush=True)


if __name__ == "__main__":
    _, what, home, database, thread, name, count = sys.argv
    asyncio.run(main(what, home, database, thread, name, int(count)))
