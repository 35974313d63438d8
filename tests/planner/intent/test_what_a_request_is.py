"""A request is taken for what it is to this crew; whoever is unsure plans; nobody is asked who need not be."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph import Crew
from crewgraph.agents.model import Message
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.planner.intent.intents import ENOUGH, Intents, intent_of
from crewgraph.planner.intent.kinds import Kind
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import EngineError
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.store import Store

VAGUE = "xyzzy"


class Hashed:
    """A real embedding without a model: words hashed into 64 numbers. `asked` counts the texts it was given."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.asked += len(texts)
        return [_hashed(text) for text in texts]


def _hashed(text: str) -> list[float]:
    vector = [0.0] * 64
    for word in ["^", *text.lower().split()]:
        vector[zlib.crc32(word[:4].encode()) % 64] += 1.0
    length = math.sqrt(sum(v * v for v in vector))
    return [v / length for v in vector]


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("Hello there!", "small_talk"),
        ("谢谢你", "small_talk"),
        ("Why is the sea salty?", "question"),
        ("海水为什么是咸的？", "question"),
        ("Write a poem about snow.", "question"),
        ("写一首关于雪的诗", "question"),
        ("Read the letter, list its claims and then check each of them.", "plan"),
        ("先读这封信，列出要点，然后逐一核对", "plan"),
        ("If the text is long, shorten it, otherwise add an example.", "plan"),
        ("Plan a week of meals for four people.", "plan"),
        (VAGUE, "plan"),
    ],
)
async def test_of_a_crew_that_only_talks(talker: Crew, request_: str, kind: Kind) -> None:
    assert (await intent_of(request_, talker)).kind == kind


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("How often must the machine be descaled?", "documents"),
        ("机器多久除一次垢？", "documents"),
        ("Write a poem about coffee.", "question"),
        ("Thanks a lot!", "small_talk"),
        ("Compare both machines, then write a recommendation and mail it.", "plan"),
    ],
)
async def test_of_a_crew_with_documents(library: Crew, request_: str, kind: Kind) -> None:
    assert (await intent_of(request_, library)).kind == kind


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("What does a pen cost?", "tools"),
        ("钢笔多少钱？", "tools"),
        ("Is glue cheaper than tape?", "tools"),
        ("Who invented glue?", "question"),
        ("Good morning!", "small_talk"),
        ("Find the price of a pen, convert it to dollars and write an offer for a school.", "plan"),
        ("Send the parcel to Anna.", "plan"),
    ],
)
async def test_of_a_crew_with_tools(shop: Crew, request_: str, kind: Kind) -> None:
    assert (await intent_of(request_, shop)).kind == kind


async def test_an_authors_tasks_are_never_left_out(authored: Crew) -> None:
    assert (await intent_of("Hello!", authored)).kind == "plan"


async def test_an_answer_to_what_was_asked_before_is_no_small_talk(talker: Crew) -> None:
    history = (Message("user", "Order tea."), Message("assistant", "Shall I order two boxes?"))
    assert (await intent_of("Yes, please.", talker)).kind != "plan"
    assert (await intent_of("Yes, please.", talker, history=history)).kind == "plan"


async def test_what_is_said_is_said_why(shop: Crew) -> None:
    found = await intent_of("First find the price of ink, then write a letter to Bob.", shop)
    assert "find" in found.why
    assert "write" in found.why


async def test_a_text_that_is_pasted_behind_a_wish_wants_nothing_by_itself(talker: Crew) -> None:
    pasted = "Summarise this: " + "Then he went on, sent a letter and booked a room. " * 3
    assert (await intent_of(pasted, talker)).kind in ("question", "plan")
    quoted = 'Translate this into French: "First open the door, then send the letter and book a room."'
    assert (await intent_of(quoted, talker)).kind == "question"


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=120))
async def test_whatever_is_typed_gets_a_kind_that_the_crew_can_serve(
    text: str, talker: Crew, library: Crew
) -> None:
    for crew in (talker, library):
        found = await intent_of(text, crew)
        assert 0 <= found.confidence <= 1
        assert len(found.language) == 2
        assert found.kind != "tools"
        assert crew is library or found.kind != "documents"
        assert found.kind in ("plan", "unsafe") or found.confidence >= ENOUGH


async def test_a_hundred_thousand_characters_are_planned_or_answered_and_never_fail(
    shop: Crew, talker: Crew
) -> None:
    for piece in ("word ", "怎么", "and then ", "?"):
        long = piece * (100_000 // len(piece))
        assert (await intent_of(long, shop)).kind != "tools"
        assert (await intent_of(long, talker)).kind in ("plan", "question", "small_talk")


async def test_examples_are_embedded_once_for_all_requests(talker: Crew) -> None:
    embed = Hashed()
    intents = Intents(embed)
    await intents.of(VAGUE, talker)
    first = embed.asked
    await intents.of("plugh", talker)
    assert first > 100
    assert embed.asked <= first + 1


async def test_nobody_is_asked_where_the_rules_are_sure(talker: Crew) -> None:
    embed = Hashed()
    found = await intent_of("Hello!", talker, embed=embed, client=ForbiddenModel(), trusted=True)
    assert found.by == "rules"
    assert embed.asked == 0


async def test_an_embedding_model_that_fails_leaves_the_rules(talker: Crew) -> None:
    async def broken(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        raise EngineError("It is gone.")

    assert (await intent_of(VAGUE, talker, embed=broken)).kind == "plan"


async def test_only_a_trusted_model_is_asked_what_is_unsure(talker: Crew) -> None:
    said = ScriptedModel(["question"])
    assert (await intent_of(VAGUE, talker, client=said)).kind == "plan"
    assert not said.requests
    found = await intent_of(VAGUE, talker, client=said, trusted=True)
    assert (found.kind, found.by) == ("question", "model")
    assert "documents" not in said.requests[0].choices
    assert "unsafe" not in said.requests[0].choices


async def test_a_replay_comes_to_the_same_and_asks_nobody(
    talker: Crew, store: Store, ctx: RunContext
) -> None:
    embed = Hashed()
    live = await Intents(embed).of(VAGUE, talker, client=ScriptedModel(["question"]), ctx=ctx, trusted=True)
    asked, again = embed.asked, await open_replay(store, "last")
    assert asked
    read = await Intents(embed).of(VAGUE, talker, client=ForbiddenModel(), ctx=again, trusted=True)
    assert read == live
    assert embed.asked == asked
