"""Patterns for llama.cpp: its grammar accepts only what the pattern matches, or the pattern is refused."""

from __future__ import annotations

import re

import pytest

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.runtime.errors import InvalidRequest
from crewgraph.serving.client.dialects.gbnf import pattern_grammar
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

BOUNDED = [
    r"^\d{4}-\d{2}-\d{2}$",
    r"(yes|no), (?:it|she) is\.?",
    r"[A-Z][a-z]{2,5}!",
    r"[^a-z\n]{3}",
    r"(?P<a>x|y){1,3}?\t[\]\-^\\\"]",
    r"a|b|",
    r"[]x]{2}",
    r"\$\d{1,3}\.\d{2}",
    r"王{1,2}é",
    r"\w{2,6} \w{2,6}\s",
]
NOT_THE_SAME = [
    *(r"(?=a)b", r"(?<!a)b", r"(?i)a", r"(a)\1", r"\bword\b", r"\W", r"\D", r"[^\w]", r"a++", r"a^b", "a$b"),
    *("(a", "a)", "[a", "a\\", "*a", "a{", "a{,3}", "a{x}", "a{99999}", "[z-a]", r"\p{L}", "(?P<a", "(?P=a)"),
]


@pytest.mark.parametrize(
    ("pattern", "grammar"),
    [
        (r"^ab$", 'root ::= "a" "b"'),
        (r"a\$", 'root ::= "a" "$"'),
        (r"(a|b)*c", 'root ::= ("a" | "b")* "c"'),
        (r"[a-c_]{2,}", "root ::= [a-c_]{2,}"),
        (r"\d.\s", "root ::= [0-9] [^\\n] [ \\t\\n]"),
        ('"\n', 'root ::= "\\"" "\\n"'),
        (r"[^\]^-]", "root ::= [^\\]\\x5E\\x2D]"),
    ],
)
def test_a_pattern_is_said_as_a_grammar(pattern: str, grammar: str) -> None:
    assert pattern_grammar(pattern) == grammar


@pytest.mark.parametrize("pattern", NOT_THE_SAME)
def test_a_pattern_that_would_not_mean_the_same_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be followed by"):
        pattern_grammar(pattern)


@pytest.mark.engine
@pytest.mark.parametrize("pattern", BOUNDED)
async def test_the_engine_writes_what_the_pattern_matches(shared_home: Settings, pattern: str) -> None:
    request = ModelRequest((Message("user", "Say something."),), regex=pattern, max_tokens=48)
    async with engine_client(shared_home) as client:
        reply = await client.complete(request)
    assert re.fullmatch(pattern, reply.text)
