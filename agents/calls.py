"""Model calls as journalled steps: the one place where an agent's prompt meets the model client."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from ..runtime.budget import Cost
from ..runtime.context import RunContext
from .model import Hints, ModelClient, ModelReply, ModelRequest

if TYPE_CHECKING:
    from pydantic import JsonValue

_PRIORITY_STEPS = 10  # engines take whole numbers: a tenth of a second each
_AGEING = 2.0  # a run that began a second earlier counts as if two seconds less of it were left
_LONG_AGO = 1_750_000_000.0  # keeps the numbers small


def tokens_of(reply: ModelReply) -> Cost:
    """What a reply cost the run's budget."""
    return Cost(tokens=reply.usage.total_tokens, money=reply.usage.money)


async def ask_model(
    ctx: RunContext, client: ModelClient, request: ModelRequest, *, say: Callable[[str], None] | None = None
) -> ModelReply:
    """One model call, journalled by its whole request. `say` gets the text as it is written (live calls only).

    The engine is told what helps it to order calls: the run, how much of it is left, how long the reply may be.
    """

    async def call() -> ModelReply:
        hinted = replace(request, hints=hints_of(ctx, request)) if request.hints is None else request
        if say is None:
            return await client.complete(hinted)
        reply: ModelReply | None = None
        async with aclosing(client.stream(hinted)) as deltas:
            async for delta in deltas:
                if delta.text:
                    say(delta.text)
                reply = delta.reply or reply
        assert reply is not None, "ModelClient.stream ends with the whole reply"
        return reply

    inputs: JsonValue = request.identity()
    lanes = {f"engine:{request.model or 'default'}": None}
    return await ctx.step("model", call, inputs=inputs, returns=ModelReply, cost=tokens_of, lanes=lanes)


def hints_of(ctx: RunContext, request: ModelRequest) -> Hints:
    """What the engine may know of a call in this run.

    Calls that wait for a seat go in the order of what is left of their runs, so that runs end soonest on average; and of
    when the runs began, so that no long one waits for ever behind newer ones. What was measured is in docs/benchmarks.md.
    """
    return Hints(
        run=ctx.run_id,
        priority=round((ctx.seconds_left + _AGEING * (ctx.began - _LONG_AGO)) * _PRIORITY_STEPS),
        expected_tokens=request.max_tokens,
        tenant=ctx.tenant,
    )
