"""A program that evaluates the shop, and kills itself at the n-th call of its tool. Each call is a line in a file."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Literal

from crewgraph import Agent, Crew, ModelRequest, Settings, tool
from crewgraph.agents.testing import ScriptedModel
from crewgraph.serving.evaluating.dataset import read_dataset
from crewgraph.serving.evaluating.sitting import Sitting


async def main(folder: Path, die_at: int) -> None:
    calls = 0

    @tool(unit="EUR")
    async def price(item: Literal["pen", "ink", "paper", "glue"]) -> float:
        """The price of an item in the shop."""
        nonlocal calls
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        with (folder / "calls").open("a") as log:
            log.write(f"{item}\n")
        return len(item) + 0.5

    def reply(request: ModelRequest) -> str:
        return "With pleasure."

    crew = Crew([Agent("clerk", "Know prices.", tools=[price]), Agent("host", "Answer.")], name="shop")
    sitting = Sitting(
        Settings(home=folder / "home", model_url=None, model=None),
        read_dataset(folder / "cases.jsonl"),
        planner="rules",
        out=folder,
        client=ScriptedModel(reply),
    )
    record, trials = await sitting.evaluate(crew, "")
    print(record.path, len(trials), sum(trial.passed is True for trial in trials))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
