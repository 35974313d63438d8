"""A crew of one agent that is somewhere else, and what is seen of its runs."""

from __future__ import annotations

from crewgraph import Agent, Crew
from crewgraph.runtime.errors import RunWaiting
from crewgraph.runtime.events import Answer, Decision, Event, TextDelta
from crewgraph.runtime.graph import Task
from crewgraph.serving.a2a.remote import remote_agent
from crewgraph.serving.house import House


def remotely(url: str) -> Crew:
    """A crew whose one agent is the one at this URL."""
    agent = Agent("helper", "Do it.", architecture=remote_agent(url))
    return Crew([agent], tasks=[Task(id="do", description="do it", agent="helper")], name="near")


class Remote:
    """Requests to such a crew; `shown` is the text that was seen while they went on."""

    def __init__(self, house: House, crew: Crew) -> None:
        self.house, self.crew = house, crew
        self.shown = ""

    def see(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self.shown += event.text

    async def ask(self, request: str) -> str:
        return (await self.house.ask(self.crew, request, listeners=[self.see])).answer

    async def waits(self, request: str) -> str:
        """The id of the run, which waits for a person."""
        try:
            said = await self.ask(request)
        except RunWaiting as waits:
            return waits.run_id
        raise AssertionError(f"it did not wait, it said: {said}")

    async def answered(self, run_id: str, value: str | None = None, decision: Decision = "answer") -> str:
        (question,) = await self.house.questions(run_id)
        await self.house.answer(run_id, question.key, Answer(decision=decision, value=value))
        return (await self.house.resume(run_id, self.crew, listeners=[self.see])).answer
