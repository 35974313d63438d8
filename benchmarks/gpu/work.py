"""What every client is given to do: texts from a seed, the crew's system prompt, the figures of a conversation.

All words are common English ones, so that a text of n words is about n tokens for any tokenizer.
"""

from __future__ import annotations

import json
import random
import resource
from typing import Any

GOAL = "carry out what is asked, briefly."
ROLE = "assistant"
REPLY_TOKENS = 64
TURN_WORDS = 100
BRIEFING_WORDS = 1480
_WORDS = (
    "time year people way day man thing woman life child world school state family student group country problem "
    "hand part place case week company system program question work government number night point home water room "
    "mother area money story fact month lot right study book eye job word business issue side kind head house "
    "service friend father power hour game line end member law car city community name president team minute idea "
    "body information back parent face others level office door health person art war history party result change "
    "morning reason research girl guy moment air teacher force education"
).split()


def text(seed: object, words: int) -> str:
    """So many words, always the same for the same seed."""
    chance = random.Random(str(seed))
    return " ".join(chance.choice(_WORDS) for _ in range(words))


def briefing(salt: str, words: int = BRIEFING_WORDS) -> str:
    """What the agents of a crew share. Its first words differ between runs, so that each finds a cold cache."""
    return f"Crew {salt}: you belong to a crew of agents. {text('briefing', words)}"


def system_prompt(salt: str) -> str:
    """The system prompt of an agent, as crewgraph lays it out: peers are given the same bytes."""
    return f"{briefing(salt)}\n\nYou are the {ROLE}. Your goal: {GOAL}"


def turns_of(agent: int, turns: int, salt: str) -> list[str]:
    """What an agent is asked, turn after turn."""
    return [text(f"{salt}/{agent}/{turn}", TURN_WORDS) for turn in range(turns)]


def body(
    model: str, messages: list[dict[str, Any]], tokens: int, *, stream: bool = True, **more: Any
) -> bytes:
    """A chat request of exactly `tokens` tokens of reply, as the wire has it."""
    said = {
        "model": model,
        "messages": messages,
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
        **more,
    }
    if stream:
        said |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(said).encode()


def cpu_seconds() -> float:
    """CPU that this process has used, in user and system mode, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
