"""Final answers are found behind thoughts, shown as they are written, and counted alike however they are worded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.architectures import NAMES, architecture
from crewgraph.agents.architectures.answers import Shown, final, same_form
from crewgraph.agents.architectures.self_consistency import elected
from crewgraph.runtime.errors import InvalidCrew


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Two and two.\nAnswer: 4", "4"),
        ("**Final answer:** 4\nas I said", "4\nas I said"),
        ("所以。\n答案：四", "四"),
        ("The answer: is within a line", "The answer: is within a line"),
        ("no mark at all ", "no mark at all"),
        ("thoughts\nAnswer:", "thoughts"),
        ("Answer: a\nAnswer: b", "a\nAnswer: b"),
        ("", ""),
    ],
)
def test_the_answer_is_what_stands_behind_the_mark(text: str, answer: str) -> None:
    assert final(text) == answer


@given(
    st.text("ab \n", max_size=20), st.text("xy*: \n", max_size=20), st.lists(st.integers(1, 5), max_size=40)
)
def test_what_is_shown_piece_by_piece_is_the_answer(thoughts: str, answer: str, cuts: list[int]) -> None:
    text = f"{thoughts}\nAnswer: {answer}"
    said: list[str] = []
    shown = Shown(said.append)
    rest = text
    for cut in [*cuts, len(text)]:
        shown(rest[:cut])
        rest = rest[cut:]
    shown(rest)
    if shown.begun:
        assert final("".join(said)) == final(text) or "".join(said).strip() == final(text)
    else:
        assert said == []


@pytest.mark.parametrize(
    "alike",
    [
        ("42", "42.", "**42**", " 42.0 ", "42.00\nbecause", "\n42"),
        ("1,200 EUR", "1200 eur", "1200.0 EUR."),
        ("The blue one", "blue one", "Blue one!"),
        ("Ｐａｒｉｓ", "paris", '"Paris"'),
    ],
)
def test_answers_in_other_words_count_as_one(alike: Sequence[str]) -> None:
    assert len({same_form(answer) for answer in alike}) == 1


@pytest.mark.parametrize(
    "pair", [("42", "420"), ("4.2", "42"), ("1.05", "1.5"), ("10", "1"), ("-1", "1"), ("a", "b")]
)
def test_other_answers_do_not(pair: tuple[str, str]) -> None:
    assert same_form(pair[0]) != same_form(pair[1])


def test_of_as_many_votes_the_earliest_answer_wins() -> None:
    assert elected(["b", "a", "A.", "B", "c"]) == ("b", 2)
    assert elected(["", "", "x"]) == ("x", 1)
    assert elected([""]) == ("", 1)


@given(st.lists(st.sampled_from(["1", "1.", "2", "two", ""]), min_size=1))
def test_no_answer_has_more_votes_than_the_one_that_won(answers: list[str]) -> None:
    won, votes = elected(answers)
    forms = [same_form(answer) for answer in answers]
    assert won in answers
    assert votes == forms.count(same_form(won))
    assert all(forms.count(form) <= votes for form in forms if form)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        InvalidCrew, match=r"no architecture 'Reflexion': did you mean 'reflection'\? There are: direct, "
    ):
        architecture("Reflexion")
    with pytest.raises(InvalidCrew, match=r"no architecture 'xyzzy': there are: direct, react"):
        architecture("xyzzy")
    assert [architecture(name).name for name in NAMES] == list(NAMES)
