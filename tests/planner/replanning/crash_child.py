"""A program that runs a plan in which a tool is broken, and kills itself where it is told. What worked is in a file.

It goes on with the run of an earlier sitting where there is one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crewgraph import Agent, Crew, Task, tool
from crewgraph.agents.aptitude import Aptitude
from crewgraph.agents.testing import ScriptedModel
from crewgraph.planner.asked import Asked
from crewgraph.planner.orchestrator import Orchestrator
from crewgraph.planner.plan import ANSWER, Plan
from crewgraph.planner.planner import Planner
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import Event, PlanMade, StepFinished, TaskErred
from crewgraph.runtime.store import open_store


@dataclass(frozen=True)
class _Planning(Planner):
    made: tuple[Task, ...] = ()

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        return Plan(tasks=self.made, strategy="made")


@dataclass(frozen=True)
class Conductor(Orchestrator):
    """The orchestrator, whose first plan is this one."""

    made: tuple[Task, ...] = ()

    def _planner(self, ctx: RunContext) -> Planner:
        return _Planning(
            self.crew, self.client, lambda: self._aptitude(ctx), self.mode, self.services, made=self.made
        )


async def main(home: Path, die_at: str) -> None:
    seen: list[str] = []

    def dies(event: Event) -> None:
        match event:
            case TaskErred():
                seen.append("failed")
            case StepFinished(name="room"):
                seen.append("changing")
            case PlanMade(reason=why) if why:
                seen.append("changed")
            case _:
                pass
        if die_at and die_at in seen:
            os.kill(os.getpid(), signal.SIGKILL)

    def worked(what: str) -> None:
        with (home / "effects").open("a") as lines:
            lines.write(what + "\n")

    levels = {"Aba": 120, "Bex": 340, "Cam": 75}

    @tool(unit="mm")
    async def level(place: Literal["Aba", "Bex", "Cam"]) -> int:
        """The water level at a place."""
        if place != "Bex":
            raise OSError("the gauge is broken")
        worked(f"level:{place}")
        return levels[place]

    @tool(unit="mm")
    async def backup_level(place: Literal["Aba", "Bex", "Cam"]) -> int:
        """The water level at a place, from a mirror."""
        if place == "Cam":
            raise OSError("the mirror is broken")
        worked(f"backup:{place}")
        return levels[place]

    @tool(effect="once")
    async def file_report(place: str) -> str:
        """File a report about a place."""
        worked(f"report:{place}")
        return f"The report on {place} is filed."

    def at(task_id: str, place: str) -> Task:
        return Task(
            id=task_id, description=f"level: {place}", agent="gauger", tool="level", args={"place": place}
        )

    filed = Task(id="t0", description="report", agent="gauger", tool="file_report", args={"place": "Bex"})
    ends = ("t0", "t1", "t2", "t3")
    answer = Task(id=ANSWER, description="Answer", agent="writer", depends_on=ends)
    tasks = (filed, at("t1", "Aba"), at("t2", "Bex"), at("t3", "Cam"), answer)
    crew = Crew(
        [
            Agent("gauger", "Know levels.", tools=[level, backup_level, file_report]),
            Agent("writer", "Answer."),
        ],
        name="gauges",
    )

    def reply(_: object) -> str:
        if die_at == "answering":
            time.sleep(0.3)  # what was read is not waited for: the writer has time to write it down
            os.kill(os.getpid(), signal.SIGKILL)
        return "Noted."

    async def quiz() -> Aptitude:
        return Aptitude(0, 10)

    async with open_store(home / "runs.db", synchronous="FULL") as store:
        known = await store.list_runs()
        journal = await (store.open_run(known[0].id) if known else store.create_run(crew.name, "How high?"))
        made = [e for e in await store.events(journal.run_id) if isinstance(e, PlanMade)]
        async with journal:
            ctx = RunContext(journal, listeners=[dies])
            conductor = Conductor(crew, ScriptedModel(reply), quiz, "rules", made=tasks)
            found = await conductor.carry_out("How high?", ctx, planned=made[-1] if made else None)
            print(found.answer, *found.evidence, sep="\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
