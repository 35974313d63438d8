"""A program that asks a crew of six calls, and kills itself at the n-th effect. Its effects are lines in a file."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Literal

from crewgraph import Agent, Crew, House, ModelRequest, Settings, tool
from crewgraph.agents.testing import ScriptedModel

REQUEST = "Which costs most: pen, ink, paper, glue or tape?"


async def main(home: Path, run_id: str, die_at: int) -> None:
    log = home.parent / "effects"
    count = 0

    def effect(what: str) -> None:
        nonlocal count
        count += 1
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        with log.open("a") as lines:
            lines.write(what + "\n")

    @tool(unit="EUR")
    async def price(item: Literal["pen", "ink", "paper", "glue", "tape"]) -> float:
        """The price of an item in the shop."""
        await asyncio.sleep(0.005 * len(item))
        effect(item)
        return len(item) + 0.5

    def reply(request: ModelRequest) -> str:
        effect("model")
        return "The price of paper is 5.5 EUR."

    crew = Crew([Agent("clerk", "Know prices.", tools=[price]), Agent("host", "Answer.")], name="shop")
    async with House.open(Settings(home=home), client=ScriptedModel(reply)) as house:
        if run_id:
            found = await house.resume(run_id, crew)
        else:
            found = await house.ask(crew, REQUEST, planner="rules")
        print(found.answer, *found.evidence, sep="\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
