"""Noting: what a trusted model finds worth remembering in a conversation, under a schema, held against what was said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...runtime.context import RunContext
from ...tools.text import tokens
from ..agent import Agent
from ..calls import ask_model
from ..model import Message, ModelClient
from .entry import Kind
from .extracting import USER, Said, spoken

_MOST = 8
_BORNE_OUT = 0.6
"""Share of a memory's words that the conversation has to have."""
_ASKS = (
    "Which lasting facts about the user or their world, and which lasting preferences of theirs, does this conversation "
    "tell? Leave out what matters only now. For a fact about one attribute of one thing give subject, attribute and value, "
    f"with the subject {USER!r} for the user. Answer with an empty list where there is nothing."
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "memories": {
            "type": "array",
            "maxItems": _MOST,
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "minLength": 1, "maxLength": 300},
                    "kind": {"enum": ["fact", "preference", "entity"]},
                    "subject": {"type": "string", "maxLength": 80},
                    "attribute": {"type": "string", "maxLength": 80},
                    "value": {"type": "string", "maxLength": 120},
                },
                "required": ["text", "kind", "subject", "attribute", "value"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["memories"],
    "additionalProperties": False,
}
_CONFIDENCE = 0.8


async def noted(
    agent: Agent, client: ModelClient, ctx: RunContext, messages: Sequence[Message], *, trusted: bool
) -> list[Said]:
    """What is worth remembering of a conversation: by the rules, and by the agent's model where that is `trusted`.

    Of what the model says only that stays whose words, and whose value, stand in the conversation.

    Raises:
        EngineError, ModelError: there is no usable reply.
    """
    said = "\n".join(m.content for m in messages if m.role == "user")
    found = spoken(said)
    if not trusted or not said.strip():
        return found
    asked = f"{_ASKS}\n\nConversation:\n{said}"
    request = agent.asks([agent.system(), Message("user", asked)], schema=SCHEMA, max_tokens=600)
    reply = await ask_model(ctx, client, request)
    known = {(one.attribute, one.value) if one.kind == "entity" else (one.kind, one.text) for one in found}
    for one in _read(reply.text):
        same = (one.attribute, one.value) if one.kind == "entity" else (one.kind, one.text)
        if same not in known and borne_out(one, said):
            known.add(same)
            found.append(one)
    return found


def borne_out(one: Said, said: str) -> bool:
    """Whether the words of a memory, and all of its value, stand in what was said."""
    there = set(tokens(said, stop=False))
    words = [token for token in tokens(one.text) if token not in tokens(USER)]
    value = tokens(one.value, stop=False)
    if not words or not all(token in there for token in value):
        return False
    return sum(token in there for token in words) >= _BORNE_OUT * len(words)


def _read(text: str) -> list[Said]:
    try:
        rows = json.loads(text)["memories"]
    except (ValueError, KeyError, TypeError):
        return []
    made: list[Said] = []
    for row in rows[:_MOST]:
        whole = bool(row["subject"].strip() and row["attribute"].strip() and row["value"].strip())
        kind: Kind = row["kind"] if row["kind"] != "entity" or whole else "fact"
        own = (
            (row["attribute"].strip(), row["value"].strip(), row["subject"].strip())
            if kind == "entity"
            else ()
        )
        made.append(Said(row["text"].strip(), kind, *own)._replace(confidence=_CONFIDENCE))
    return [one for one in made if one.text]
