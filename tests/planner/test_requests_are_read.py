"""What a request says on its face is read right: numbers, places in an order, ends of a scale, arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.planner.intent.form.small_talk import is_small_talk
from crewgraph.planner.reading.reading import Reading


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twelve apples, 3 pears and 1,234,567.5 nuts", [12, 3, 1234567.5]),
        ("between -5 and 2.50 degrees", [-5, 2.5]),
        ("把5千克换成磅", [5]),
        ("前五个", [5]),
        ("两个城市", [2]),
        ("two cities and one village", [2]),
        ("version 3.5.8 of B52", [3.5]),
        ("no numbers here, only words", []),
        ("一起去吧", []),
    ],
)
def test_numbers(text: str, numbers: list[float]) -> None:
    assert [value for value, _ in Reading(text).numbers] == numbers


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("the third largest", 3),
        ("the 2nd one", 2),
        ("my 21st try", 21),
        ("第三大", 3),
        ("排第12名", 12),
        ("the largest", None),
    ],
)
def test_places_in_an_order(text: str, place: int | None) -> None:
    found = Reading(text).ordinal
    assert (found and found[0]) == place


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("What is the tallest tree?", ["highest"]),
        ("the least heavy one", ["lowest"]),
        ("the oldest and the newest", ["earliest", "latest"]),
        ("人口最多的城市", ["highest"]),
        ("面积最小的城市", ["lowest"]),
        ("最早的和最晚的", ["earliest", "latest"]),
        ("a guest from the west made a request to test the best forest", []),
        ("今天怎么样", []),
    ],
)
def test_ends_of_a_scale(text: str, ends: list[str]) -> None:
    assert [extreme for extreme, _ in sorted(Reading(text).extremes, key=lambda e: e[1])] == ends


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("what is 12 plus 30?", "12 + 30"),
        ("five times six", "5 * 6"),
        ("What is 12 times 4 minus 3?", "12 * 4 - 3"),
        ("What's 15 percent of 240?", "15% of 240"),
        ("12.5% of 80", "12.5% of 80"),
        ("the square root of 144", "sqrt(144)"),
        ("7 squared", "7 **2"),
        ("2 to the power of 8", "2 ** 8"),
        ("how much is (3+4)*2?", "(3+4)*2"),
        ("1,000 x 3", "1,000 * 3"),
        ("12 乘以 4 加上 2 等于多少？", "12 * 4 + 2"),
        ("100除以8", "100/8"),
        ("144的平方根", "sqrt(144)"),
        ("240的百分之15是多少", "240的15%"),
        ("３＋４等于几", "3+4"),
    ],
)
def test_arithmetic_in_words_and_signs(text: str, expression: str) -> None:
    assert Reading(text).arithmetic == expression


@pytest.mark.parametrize(
    "text",
    [
        "Which is more, 5 or 6?",
        "from 2010 to 2020",
        "on 2024-05-01",
        "截至2024-05-01的数据",
        "call 0555-1234",
        "in 2010 there were 5",
        "how many times larger is it?",
        "the top 10",
        "50% of people",
        "加拿大和三个国家",
    ],
)
def test_what_is_no_arithmetic(text: str) -> None:
    assert Reading(text).arithmetic is None


@pytest.mark.parametrize(
    ("text", "operation", "wanted"),
    [
        ("Is A bigger than B?", "compare", True),
        ("A 比 B 大多少？", "compare", True),
        ("the sum of both", "total", True),
        ("A 和 B 一共有多少？", "total", True),
        ("price per kilo", "ratio", True),
        ("the person sat summing up", "ratio", False),
        ("the summit", "total", False),
    ],
)
def test_operations_are_whole_words(text: str, operation: str, wanted: bool) -> None:
    assert Reading(text).says(operation) is wanted


@pytest.mark.parametrize("text", ["more or less?", "Which is heavier?", "谁更高？", "the lightest", "A vs B"])
def test_comparing_is_recognised(text: str) -> None:
    assert Reading(text).compares


@pytest.mark.parametrize("text", ["What is the price of ink?", "the corner of a paper", "墨水的价格"])
def test_not_everything_compares(text: str) -> None:
    assert not Reading(text).compares


@given(st.text(max_size=80))
def test_any_text_can_be_read_and_every_place_is_inside_it(text: str) -> None:
    reading = Reading(text)
    spans: list[Any] = [(w.start, w.end) for w in (*reading.words, *reading.terms)]
    spans += [span for _, span in (*reading.numbers, *reading.extremes)]
    spans += reading.small_talk
    assert all(0 <= start < end <= len(reading.text) for start, end in spans)
    assert reading.arithmetic is None or reading.arithmetic.strip()


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "hi there",
        "How are you today?",
        "Thanks a lot",
        "你好",
        "谢谢你！",
        "Who are you?",
        "讲个笑话吧",
        "Good morning, nice to meet you",
        "ｈｅｌｌｏ",
    ],
)
def test_small_talk(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "What does a pen cost?",
        "Hello, which weighs more, a kilogram of feathers or two pounds of lead, and by how many percent?",
        "Thank you. " + "Please look up the price of every item in the shop and add them all up. " * 4,
        "你好，请问钢笔和墨水一共多少钱，换算成人民币是多少？",
        "",
        "Shine a light",
    ],
)
def test_work_is_not_small_talk(text: str) -> None:
    assert not is_small_talk(text)
