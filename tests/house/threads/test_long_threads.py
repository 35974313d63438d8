"""A long conversation: no call is more than the model reads, early facts are known, and summaries are made once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crewgraph import Agent, Crew, House, ModelRequest, Settings
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.errors import EngineUnreachable

from ..conftest import QUIZ
from .conftest import WINDOW, Windowed, crew

FACTS = (
    "My sister Clara works as a glassblower.",
    "The booking reference is QX7-4417.",
    "我叫林晓，住在厦门。",
)
ASKED = {
    "What does my sister do for a living?": "glassblower",
    "Which booking reference did I give you?": "QX7-4417",
    "我住在哪里？": "厦门",
}
CHAT = "Then they counted {n} boats in the bay, and the wind came from {w}, which nobody minded. " * 3


def told(request: ModelRequest) -> str:
    """Knows only what stands in its prompt."""
    if request.choices:
        return request.choices[0]
    asked = request.messages[-1].content
    known = " ".join(message.content for message in request.messages[:-1])
    return next(
        (value for question, value in ASKED.items() if question == asked and value in known), "I see."
    )


async def long_talk(house: House, messages: int = 120) -> str:
    """A thread that begins with facts, and then is about other things."""
    thread = (await house.store.create_thread()).id
    said = [(role, text) for fact in FACTS for role, text in (("user", fact), ("assistant", "Noted."))]
    for n in range(messages // 2):
        said += [("user", CHAT.format(n=n, w="north")), ("assistant", CHAT.format(n=n + 500, w="south"))]
    await house.store.add_messages(thread, said)
    return thread


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("window", [1200, WINDOW, 8000])
async def test_no_call_is_longer_than_the_model_reads(settings: Settings, window: int, counts: bool) -> None:
    model = Windowed(told, window=window, counts=counts)
    async with House.open(settings, client=model) as house:
        thread = await long_talk(house)
        for n in range(20):
            await house.ask(
                crew, f"And what then? {CHAT.format(n=n, w='west')}", thread_id=thread, planner="rules"
            )
        assert model.longest <= window
        talking = [request for request in model.requests if not request.choices]
        assert len(talking) == 20
        assert all(len(request.messages) > 3 for request in talking), "it hears the last turns all the same"


async def test_what_was_said_first_is_known_at_the_end(settings: Settings) -> None:
    async with House.open(settings, client=Windowed(told)) as house:
        thread = await long_talk(house, 200)
        for question, value in ASKED.items():
            assert value in (await house.ask(crew, question, thread_id=thread, planner="rules")).answer


async def test_a_summary_is_made_once_and_serves_later_turns(settings: Settings) -> None:
    async with House.open(settings, client=Windowed(told)) as house:
        thread = await long_talk(house)
        made: list[int] = []
        for n in range(12):
            await house.ask(crew, f"Short question {n}?", thread_id=thread, planner="rules")
            summary = await house.store.summary(thread)
            assert summary is not None
            made.append(summary.number)
        assert made[:3] == [1, 1, 1]
        assert made == sorted(made)
        assert len(set(made)) <= 3
        assert len(await house.store.messages(thread)) == 6 + 120 + 24, "the messages themselves are all kept"


async def test_a_run_of_a_long_conversation_replays_and_travels(settings: Settings) -> None:
    async with House.open(settings, client=Windowed(told)) as house:
        thread = await long_talk(house)
        runs = [
            (await house.ask(crew, question, thread_id=thread, planner="rules")).run_id for question in ASKED
        ]
        for n in range(20):
            await house.ask(
                crew, f"And then? {CHAT.format(n=n, w='east')}", thread_id=thread, planner="rules"
            )
        lines = [await house.store.export_run(run_id) for run_id in runs]
    async with House.open(settings, client=ForbiddenModel()) as house:
        for run_id, value in zip(runs, ASKED.values(), strict=True):
            assert (await house.replay(run_id, crew)).answer == value
    elsewhere = Settings(home=settings.home / "elsewhere", model_url=None, model=None)
    async with House.open(elsewhere, client=ForbiddenModel()) as house:
        for exported, value in zip(lines, ASKED.values(), strict=True):
            imported = await house.store.import_run(exported)
            assert (await house.replay(imported.id, crew)).answer == value


async def test_a_model_that_is_trusted_writes_the_summary_in_a_run_of_its_own(settings: Settings) -> None:
    def reply(request: ModelRequest) -> str:
        if request.choices:
            asked = request.messages[-1].content.split("Request: ")[1]
            return next(name for part, name in QUIZ.items() if part in asked)
        if "summary of this conversation" in request.messages[0].content:
            return "They counted boats."
        return "I see."

    model = Windowed(reply)
    async with House.open(settings, client=model) as house:
        thread = await long_talk(house)
        await house.ask(crew, "And then?", thread_id=thread, planner="rules")
        summary = await house.store.summary(thread)
        assert summary is not None
        assert "They counted boats." in summary.content
        assert FACTS[0] in summary.content, "what the user said of themselves stays in their own words"
        assert summary.run_id is not None
        made = await house.store.find_run(summary.run_id)
        assert (made.status, made.answer, made.thread_id) == ("finished", "They counted boats.", thread)
        assert "They counted boats." in model.requests[-1].messages[1].content
        assert model.longest <= WINDOW


async def test_a_summary_that_the_model_cannot_write_is_done_without(settings: Settings) -> None:
    def reply(request: ModelRequest) -> str:
        if request.choices:
            asked = request.messages[-1].content.split("Request: ")[1]
            return next(name for part, name in QUIZ.items() if part in asked)
        if "summary of this conversation" in request.messages[0].content:
            raise EngineUnreachable("It went away.")
        return "I see."

    async with House.open(settings, client=Windowed(reply)) as house:
        thread = await long_talk(house)
        assert (await house.ask(crew, "And then?", thread_id=thread, planner="rules")).answer == "I see."
        summary = await house.store.summary(thread)
        assert summary is not None
        assert summary.run_id is None
        assert FACTS[0] in summary.content


async def test_a_short_conversation_asks_no_engine_anything_more(settings: Settings) -> None:
    class Asked(ScriptedModel):
        async def context_tokens(self, model: str | None = None) -> int | None:
            raise AssertionError("nothing needs to be known of its window")

        count_tokens: Any = context_tokens

    async with House.open(settings, client=Asked(told)) as house:
        thread = (await house.store.create_thread()).id
        for n in range(6):
            await house.ask(crew, f"Hello, number {n}.", thread_id=thread, planner="rules")


async def test_an_engine_that_does_not_tell_its_window_is_not_sent_everything(settings: Settings) -> None:
    model = Windowed(told, window=None)
    async with House.open(settings, client=model) as house:
        thread = await long_talk(house, 1000)
        await house.ask(crew, "And then?", thread_id=thread, planner="rules")
        assert model.longest < 8192


async def test_the_smallest_window_of_a_crew_counts(settings: Settings) -> None:
    class Two(Windowed):
        async def context_tokens(self, model: str | None = None) -> int | None:
            return 1500 if model == "small" else 100_000

    model = Two(told)
    both = Crew([Agent("one", "Plan.", model="small"), Agent("two", "Talk.")], name="both")
    async with House.open(settings, client=model) as house:
        thread = await long_talk(house)
        await house.ask(both, "And then?", thread_id=thread, planner="rules")
        assert model.longest <= 1500


async def test_long_conversations_are_encrypted_whole(settings: Settings) -> None:
    from cryptography.fernet import Fernet

    sealed = Settings(
        home=settings.home, model_url=None, model=None, database_keys=(Fernet.generate_key().decode(),)
    )
    async with House.open(sealed, client=Windowed(told)) as house:
        thread = await long_talk(house)
        await house.ask(crew, "What does my sister do for a living?", thread_id=thread, planner="rules")
        kept = await house.store.database.fetch("SELECT content, state FROM summaries")  # type: ignore[attr-defined]
        assert kept
        assert "glassblower" not in json.dumps(kept)
