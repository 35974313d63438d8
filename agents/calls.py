"""Model calls as journalled steps: the one place where an agent's prompt meets the model client."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..runtime.budget import Cost
from ..runtime.context import RunContext
from .model import ModelClient, ModelReply, ModelRequest

if TYPE_CHECKING:
    from pydantic import JsonValue


def tokens_of(reply: ModelReply) -> Cost:
    """What a reply cost the run's budget."""
    return Cost(tokens=reply.usage.total_tokens, money=reply.usage.money)


async def ask_model(
    ctx: RunContext, client: ModelClient, request: ModelRequest, *, say: Callable[[str], None] | None = None
) -> ModelReply:
    """One model call, journalled by its whole request. `say` gets the text as it is written (live calls only)."""

    async def call() -> ModelReply:
        if say is None:
            return await client.complete(request)
        reply: ModelReply | None = None
        async with aclosing(client.stream(request)) as deltas:
            async for delta in deltas:
                if delta.text:
                    say(delta.text)
                reply = delta.reply or reply
        assert reply is not None, "ModelClient.stream ends with the whole reply"
        return reply

    inputs: JsonValue = asdict(request)
    lanes = {f"engine:{request.model or 'default'}": None}
    return await ctx.step("model", call, inputs=inputs, returns=ModelReply, cost=tokens_of, lanes=lanes)
