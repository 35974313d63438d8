"""Summarising: what was said, in a model's words. Only a model that is trusted is asked; the facts stay the user's own."""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.context import RunContext
from ...runtime.errors import ModelError
from ...runtime.store.record import ThreadMessage
from ..calls import ask_model
from ..model import Message, ModelClient, ModelRequest
from .counting import estimate

_ASK = (
    "Bring the summary of this conversation up to date with what was said since. Keep what may matter later: decisions, "
    "open questions, results, and every name, number, date and code exactly as it was said. Leave out greetings. Write "
    "plain sentences in the language of the conversation, at most {words} words, and nothing else."
)
_LEAST = 20


async def written(
    ctx: RunContext,
    client: ModelClient,
    before: str,
    said: Sequence[ThreadMessage],
    *,
    window: int,
    tokens: int,
) -> str:
    """What a model writes of a conversation, from the summary `before` and what was `said` since: about `tokens` long.

    Where that is more than the window holds the newest of it is read.

    Raises:
        EngineError: the engine does not answer.
        ModelError: what it wrote is cut off, or too long or too short to serve.
    """
    asked = _ASK.format(words=max(_LEAST, tokens // 2))
    room = window - tokens - estimate(asked) - estimate(before) - 80
    lines: list[str] = []
    for message in reversed(said):
        line = f"{message.role}: {message.content}"
        line = line if estimate(line) <= room else line[: max(0, room) * 2]
        if not line or (room := room - estimate(line)) < 0:
            break
        lines.append(line)
    text = f"Summary so far:\n{before or '(none)'}\n\nSaid since:\n" + "\n".join(reversed(lines))
    request = ModelRequest((Message("system", asked), Message("user", text)), max_tokens=max(_LEAST, tokens))
    reply = await ask_model(ctx, client, request)
    found = reply.text.strip()
    if reply.finish_reason == "length" or not found or estimate(found) > tokens:
        raise ModelError("The model's summary of the conversation was cut off, too long or empty.")
    return found
