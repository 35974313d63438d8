"""What people say of themselves is kept as they said it; what they ask, suppose or wish for now is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph import Agent, ModelRequest
from crewgraph.agents.memory.extracting import Said, spoken
from crewgraph.agents.memory.noting import noted
from crewgraph.agents.model import Message
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.context import RunContext


@pytest.mark.parametrize(
    ("said", "attribute", "value"),
    [
        ("My name is Ann Lee.", "name", "Ann Lee"),
        ("hi, my name's bob", "name", "bob"),
        ("You can call me Al", "name", "Al"),
        ("Actually I now live in New York, near the park.", "home", "New York"),
        ("I'm from Peru", "origin", "Peru"),
        ("I work as a nurse.", "job", "nurse"),
        ("I work for Acme Corp and it is fine", "employer", "Acme Corp"),
        ("My favorite colour is dark blue!", "favourite colour", "dark blue"),
        ("My email is ann@example.org.", "email", "ann@example.org"),
        ("Remember that my birthday is May 3rd", "birthday", "May 3rd"),
        ("My boss is Bob Ray", "boss", "Bob Ray"),
        ("我叫小明。", "name", "小明"),
        ("叫我老王就好", "name", "老王"),
        ("我现在住在北京，很冷", "home", "北京"),
        ("我在邮局上班", "employer", "邮局"),
        ("我是一名护士", "job", "护士"),
        ("请记住我的生日是5月3日", "生日", "5月3日"),
        ("我最喜欢的颜色是蓝色", "最喜欢的颜色", "蓝色"),
        ("我女儿叫小红", "女儿", "小红"),
    ],
)
def test_an_attribute_of_theirs_is_found_with_its_value(said: str, attribute: str, value: str) -> None:
    (found,) = spoken(said)
    assert (found.kind, found.subject, found.attribute, found.value) == ("entity", "user", attribute, value)


@pytest.mark.parametrize(
    "said",
    [
        "I prefer tea to coffee.",
        "I don't eat meat",
        "I am allergic to nuts",
        "From now on answer in French.",
        "Always answer in one sentence",
        "我喜欢绿茶",
        "我对花生过敏",
        "以后请用中文回答",
    ],
)
def test_a_preference_is_kept_in_their_own_words(said: str) -> None:
    (found,) = spoken(said)
    assert (found.kind, found.text) == ("preference", said)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Please remember that the printer is on the second floor.", "The printer is on the second floor."),
        ("Don't forget: the door is green", "The door is green"),
        ("请记住：会议室在三楼", "会议室在三楼"),
        ("帮我记一下，车停在二号位", "车停在二号位"),
    ],
)
def test_what_is_asked_to_be_remembered_is_a_fact(said: str, kept: str) -> None:
    (found,) = spoken(said)
    assert (found.kind, found.text) == ("fact", kept)


@pytest.mark.parametrize(
    "said",
    [
        "", "What is my name?", "Do I like tea?", "I would like a cup of tea", "I'd like to go", "If I like it, I buy it",
        "My name is not Ann", "my boss is angry", "I love that!", "Never mind.", "Do you remember that the door is green?",
        "Which city is nearest?", "我叫什么名字？", "我喜欢什么茶呢", "如果我喜欢就买", "记得我吗？", "今天天气很好",
    ],
)  # fmt: skip
def test_questions_conditions_and_wishes_are_nothing_to_remember(said: str) -> None:
    assert spoken(said) == []


def test_each_thing_is_a_memory_of_its_own_so_that_one_can_be_forgotten_without_the_other() -> None:
    found = spoken("My name is Ann and I live in Oslo, and I prefer tea. 我叫小明，我喜欢绿茶。")
    assert [one.text for one in found] == [
        "My name is Ann", "I live in Oslo", "I prefer tea.", "我叫小明", "我喜欢绿茶。"
    ]  # fmt: skip


@given(st.text(max_size=400))
def test_any_text_can_be_read_and_everything_found_stands_in_it(text: str) -> None:
    for found in spoken(text):
        assert found.text
        assert found.value in text


def model(*memories: dict[str, str]) -> ScriptedModel:
    def reply(request: ModelRequest) -> str:
        assert request.schema is not None
        return json.dumps({"memories": memories})

    return ScriptedModel(reply)


def told(
    text: str, kind: str = "fact", subject: str = "", attribute: str = "", value: str = ""
) -> dict[str, str]:
    return {"text": text, "kind": kind, "subject": subject, "attribute": attribute, "value": value}


TALK = [
    Message("user", "We moved the office of Bertha to the harbour last week. My name is Ann."),
    Message("assistant", "The moon is made of cheese."),
]
CLERK = Agent("clerk", "Know.")


async def test_a_trusted_model_finds_more_and_invents_nothing(ctx: RunContext) -> None:
    client = model(
        told("Bertha's office is at the harbour", "entity", "Bertha", "office", "the harbour"),
        told("The user's name is Ann", "entity", "user", "name", "Ann"),
        told("Bertha's office is in Paris", "entity", "Bertha", "office", "Paris"),
        told("The moon is made of cheese"),
        told("The office moved", "entity", "", "", ""),
    )
    found = await noted(CLERK, client, ctx, TALK, trusted=True)
    assert [(one.kind, one.text, one.value) for one in found] == [
        ("entity", "My name is Ann", "Ann"),
        ("entity", "Bertha's office is at the harbour", "the harbour"),
        ("fact", "The office moved", ""),
    ]
    assert found[1].confidence < found[0].confidence


async def test_a_model_that_is_not_trusted_is_not_asked(ctx: RunContext) -> None:
    found = await noted(CLERK, ForbiddenModel(), ctx, TALK, trusted=False)
    assert found == [Said("My name is Ann", "entity", "name", "Ann")]
    assert (
        await noted(CLERK, ForbiddenModel(), ctx, [Message("assistant", "My name is Al")], trusted=True) == []
    )
