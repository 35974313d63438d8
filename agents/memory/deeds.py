"""Deeds: a memory as two tools, `recall` and `remember`, which know for whom they are called from the run alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tools.caller import Caller
from ...tools.effects import IdempotencyKey
from ...tools.text import language_of
from ...tools.tool import Tool, tool
from .entry import Provenance, Scope
from .extracting import spoken
from .recollection import Recollection

if TYPE_CHECKING:
    from .memory import Memory


def tools_of(memory: Memory, *, private: bool = False) -> tuple[Tool, ...]:
    """`recall` and `remember` over a memory. With `private` each agent keeps what it remembers for itself."""

    @tool
    async def recall(query: str, who: Caller, limit: int = 5) -> Recollection:
        """Recall what was said or happened in earlier conversations and runs.

        Args:
            query: What to recall, as a question or some words.
            limit: How many memories at most.
        """
        return await memory.recall(query, asker_of(who), limit=max(1, min(limit, 20)))

    @tool(effect="idempotent")
    async def remember(
        text: str, who: Caller, key: IdempotencyKey, subject: str = "", attribute: str = "", value: str = ""
    ) -> str:
        """Remember something for later conversations and runs.

        Args:
            text: What to remember, in one sentence that can be understood by itself.
            subject: Where it tells one attribute of one thing: the thing, such as Ann.
            attribute: The attribute, such as city.
            value: Its value, such as Oslo; it takes the place of an earlier one.
        """
        scope = Scope(tenant=who.tenant, agent=who.agent if private else "")
        said = provenance_of(who, by=who.agent)
        about = (subject, attribute, value) if subject and attribute and value else None
        if about is None and len(told := spoken(text)) == 1:
            # "My name is Ann" tells an attribute, whoever writes it down: a later name takes its place.
            entry = told[0].entry(scope, said, key)
            made = next(iter(await memory.keep([entry])), None)
        else:
            made = await memory.remember(text, about=about, scope=scope, said=said, key=key)
        zh = language_of(text) == "zh"
        if made is None:
            return (
                "没有记下：其中有机密。"
                if zh
                else "Not remembered: it holds a secret, or was to be forgotten."
            )
        return f"已记下：{made.text}" if zh else f"Remembered: {made.text}"

    return recall, remember


def asker_of(who: Caller) -> Scope:
    """The scope of whoever calls a tool."""
    return Scope(tenant=who.tenant, agent=who.agent, thread=who.thread)


def provenance_of(who: Caller, *, by: str) -> Provenance:
    """Where what is said in this call comes from."""
    return Provenance(by=by, run_id=who.run_id, task_id=who.task_id, thread=who.thread)
