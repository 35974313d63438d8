"""Summarising: a conversation's summary as a model writes it, in a run of its own, which is journalled and counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ..agents.model import ModelClient
from ..runtime.budget import Budget
from ..runtime.context import RunContext
from ..runtime.errors import CrewgraphError
from ..runtime.events import RunErred, RunFinished, RunStarted
from ..runtime.store import Store

if TYPE_CHECKING:
    from ..agents.threads.talk import Talk

CREW = "conversation"
"""What the run's crew is called: it has none."""

_LEAST = 64
"""Tokens below which a model's summary says nothing that the user's own sentences do not."""

Opening = Callable[[Any, Budget, tuple[()], str], AbstractAsyncContextManager[RunContext]]


async def summarised(
    store: Store,
    client: ModelClient,
    opening: Opening,
    trusted: Callable[[], Awaitable[bool]],
    thread_id: str,
    tenant: str,
    talk: Talk,
    upto: int,
    window: int,
    tokens: int,
) -> tuple[str, str] | None:
    """What a trusted model writes of a conversation up to the message `upto`, and the id of the run in which it did.

    None where none is trusted, or where it could not: then the conversation's own sentences have to serve.
    """
    from ..agents.threads.summarising import written

    try:
        if tokens < _LEAST or not await trusted():
            return None
        before = talk.summary
        said = talk.messages[talk.place(before.upto + 1 if before else 0) : talk.place(upto + 1)]
        request = f"Summarise the conversation {thread_id} up to message {upto}."
        made = await store.create_run(CREW, request, thread_id=thread_id, tenant=tenant, claim=True)
        async with made as journal, opening(journal, Budget(), (), tenant) as ctx:
            await ctx.emit(RunStarted(crew=CREW, request=request))
            try:
                earlier = before.content if before else ""
                text = await written(ctx, client, earlier, said, window=window, tokens=tokens)
            except CrewgraphError as error:
                await ctx.emit(RunErred(error=str(error), code=error.code))
                raise
            seconds = round(ctx.meter.seconds, 3)
            await ctx.emit(RunFinished(answer=text, seconds=seconds, tokens=ctx.spent.tokens))
            return text, ctx.run_id
    except CrewgraphError:
        return None  # the request itself meets the same trouble, and says so
