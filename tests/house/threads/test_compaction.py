"""What is heard of a conversation never takes more than its room, ends with the last message, and keeps what is spoken of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crewgraph.agents.threads.compaction import Room, compact, summarised_until
from crewgraph.agents.threads.counting import estimate, in_message
from crewgraph.agents.threads.digest import digest
from crewgraph.agents.threads.facts import states_fact
from crewgraph.agents.threads.sentences import marks, spans
from crewgraph.agents.threads.talk import Talk
from crewgraph.runtime.store import ThreadMessage, ThreadSummary
from crewgraph.runtime.store.threads.references import filled

ENGLISH = "the pen costs 12.50 EUR order QX7-4417 we decided my name is Ann Yes. No? Dr. Who 1234567"
words = st.sampled_from([*ENGLISH.split(), "我叫林晓", "住在厦门。", "\n", "🙂"])
texts = st.one_of(
    st.lists(words, max_size=120).map(" ".join),
    st.text(max_size=300),
    st.integers(1, 6000).map("x".__mul__),
)


def talk_of(said: list[str]) -> Talk:
    talk = Talk()
    roles = ("user", "assistant")
    talk.add(
        [
            ThreadMessage("t", roles[place % 2], text, 0.0, None, 3 * place + 1)
            for place, text in enumerate(said)
        ]
    )
    return talk


def heard(talk: Talk, request: str, room: Room) -> list[dict[str, Any]]:
    """As a house does it: a summary first, where one is wanted."""
    if upto := summarised_until(talk, room):
        before = talk.summary
        made = digest(
            talk, upto, room.summary, before.upto if before else 0, before.state if before else None
        )
        number = before.number + 1 if before else 1
        talk.summary = ThreadSummary("t", number, upto, made.text(talk.language()), made.state, 0.0)
    entries = compact(talk, request, room)
    summaries = {talk.summary.number: talk.summary} if talk.summary else {}
    history: Any = filled(
        {"history": list[Any](entries)}, {one.number: one for one in talk.messages}, summaries
    )
    return history["history"]  # type: ignore[no-any-return]  # JSON


@given(said=st.lists(texts, min_size=1, max_size=24), request=texts, room=st.integers(0, 3000))
@example(said=["x" * 6000], request="", room=300)
@example(said=["a. " * 2000, "b"], request="a", room=100)
def test_it_fits_its_room(said: list[str], request: str, room: int) -> None:
    found = heard(talk_of(said), request, Room(room))
    assert sum(in_message(one["content"]) for one in found) <= room


@given(
    said=st.lists(texts, min_size=1, max_size=24),
    more=st.lists(texts, min_size=1, max_size=8),
    room=st.integers(200, 3000),
)
def test_it_fits_as_the_conversation_goes_on(said: list[str], more: list[str], room: int) -> None:
    talk = talk_of(said)
    for place, text in enumerate(more, len(said)):
        found = heard(talk, "And now?", Room(room))
        assert sum(in_message(one["content"]) for one in found) <= room
        talk.add([ThreadMessage("t", ("user", "assistant")[place % 2], text, 0.0, None, 3 * place + 1)])


@given(said=st.lists(texts, min_size=1, max_size=24), room=st.integers(200, 3000))
def test_the_last_message_is_heard_whole_or_clipped(said: list[str], room: int) -> None:
    last = heard(talk_of(said), "And?", Room(room))[-1]
    assert last["role"] == ("user", "assistant")[(len(said) - 1) % 2]
    head, _, tail = last["content"].partition(" […] ")
    assert last["content"] == said[-1] or (said[-1].startswith(head) and said[-1].endswith(tail) and head)


@given(said=st.lists(texts, min_size=1, max_size=12), room=st.integers(0, 20_000))
def test_a_conversation_that_fits_is_heard_as_it_was_said(said: list[str], room: int) -> None:
    if sum(map(in_message, said)) <= room:
        assert [one["content"] for one in heard(talk_of(said), "And?", Room(room))] == said


@given(
    filler=st.lists(st.lists(words, min_size=30, max_size=80).map(" ".join), min_size=20, max_size=40),
    place=st.integers(0, 5),
    code=st.from_regex(r"\A[A-Z]{2}-[0-9]{5}\Z"),
    asked=st.booleans(),
)
def test_what_is_spoken_of_again_is_kept(filler: list[str], place: int, code: str, asked: bool) -> None:
    said = [*filler[:place], f"The parcel has the number {code} on it.", *filler[place:]]
    request = f"Where is {code} now?" if asked else "Where is it now?"
    if not asked:
        said[-1] = f"What about {code}?"
    found = heard(talk_of(said), request, Room(900))
    assert any(f"number {code} on it" in one["content"] for one in found)


def test_who_speaks_takes_turns() -> None:
    talk = talk_of([f"Sentence number {n}: " + "some words " * 30 for n in range(40)])
    found = heard(talk, "What was sentence number 4?", Room(900))
    assert [one["role"] for one in found] == ["user", "assistant"] * (len(found) // 2)
    assert "Sentence number 4" in found[0]["content"]


def test_facts_outlive_many_summaries() -> None:
    talk, place = talk_of(["My name is Ines and I live in Porto.", "Noted."]), 2
    for n in range(120):
        for role, text in (
            ("user", f"What of thing {n}?"),
            ("assistant", f"Thing {n} has {n * 37} parts, " + "and so on " * 20),
        ):
            talk.add([ThreadMessage("t", role, text, 0.0, None, 3 * place + 1)])
            place += 1
        heard(talk, "Hello again", Room(900))
    found = heard(talk, "Hello again", Room(900))
    assert talk.summary is not None
    assert talk.summary.number > 3
    assert "My name is Ines" in found[0]["content"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("My sister's dog is called Rex.", True),
        ("I prefer tea to coffee.", True),
        ("We decided to meet on Friday.", True),
        ("我喜欢喝茶。", True),
        ("我们决定周五见面。", True),
        ("Is my sister here?", False),
        ("Tell me about tides.", False),
        ("今天天气怎么样？", False),
    ],
)
def test_what_a_user_says_of_themselves_is_known_as_a_fact(said: str, expected: bool) -> None:
    assert states_fact(said) is expected


def test_sentences_are_cut_where_they_end_and_nowhere_else() -> None:
    text = "My landlord is Mr. Okonkwo. It costs 12.50 EUR! 我叫林晓。他来了\nand e.g. this"
    assert [text[a:b] for a, b in spans(text)] == [
        "My landlord is Mr. Okonkwo.",
        "It costs 12.50 EUR!",
        "我叫林晓。",
        "他来了",
        "and e.g. this",
    ]


@given(st.text(max_size=2000))
def test_sentences_lie_in_their_text_in_order(text: str) -> None:
    places = [place for span in spans(text) for place in span]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)


def test_marks_are_codes_amounts_names_and_quotations() -> None:
    found = marks("Order QX7-4417 of 12.50 EUR for Hanna, as in “The Tide”, see a@b.org on the 3 boats.")
    assert {"qx7-4417", "12.50", "hanna", "the tide", "a@b.org"} <= found
    assert "3" not in found


@given(texts, texts)
def test_an_estimate_of_two_texts_is_no_more_than_both_estimates(one: str, other: str) -> None:
    assert estimate(one + other) <= estimate(one) + estimate(other)
