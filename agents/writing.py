"""How an agent writes: from the results before it to a text, with the model's words held against the evidence.

Statements that tools computed are taken as they are. Where the evidence is passages of documents, the best
sentences are quoted with their source. The model's draft is added where it stands on the evidence, and set aside,
aloud, where it does not. Only a task without any evidence is the model's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from ..runtime.context import RunContext
from ..runtime.errors import ModelError
from ..runtime.graph import Task
from ..tools.text import Language
from ..tools.values import Passages, Stated
from .agent import Agent
from .calls import ask_model
from .grounding import check
from .model import Message, ModelClient, ModelRequest
from .quoting import quote

_ATTEMPTS = 2


@dataclass(frozen=True)
class Brief:
    """What a writing task is given: the user's request and language, earlier turns, and the results before it.

    `stated` are typed results of tools, `written` the texts that other agents wrote.
    """

    request: str
    lang: Language
    history: Sequence[Message] = ()
    stated: Sequence[Stated] = ()
    written: Sequence[str] = ()

    @property
    def passages(self) -> list[Passages]:
        """Those results that are passages of documents."""
        return [s for s in self.stated if isinstance(s, Passages)]

    @property
    def facts(self) -> list[Stated]:
        """Those results that were computed or looked up."""
        return [s for s in self.stated if not isinstance(s, Passages)]

    def evidence_text(self) -> str:
        """Everything that a draft may rest on."""
        parts = [s.statement(self.lang) for s in self.facts] + [line for s in self.facts for line in s.evidence(self.lang)]
        parts += [f"{p.heading}. {p.text}" for found in self.passages for p in found.passages]
        return "\n".join([*parts, *self.written])


async def write(agent: Agent, task: Task, brief: Brief, client: ModelClient, ctx: RunContext) -> str:
    """The text of a writing task.

    Raises:
        EngineError: the engine does not answer.
    """
    if not brief.stated and not brief.written:
        return await _speak(agent, task, brief, client, ctx)
    lead = [s.statement(brief.lang) for s in brief.facts]
    quotes = [q for found in brief.passages if (q := quote(found, brief.request))]
    material = "\n".join([*lead, *(q.text for q in quotes), *brief.written])
    draft = await _draft(agent, task, brief, material, client, ctx)
    checked = check(draft, brief.evidence_text(), request=brief.request)
    said = "\n".join([*lead, *brief.written])
    kept = [s for s in checked.kept if s.strip() not in said]
    if checked.dropped:
        await ctx.note(f"{len(checked.dropped)} of {len(checked.dropped) + len(checked.kept)} drafted sentences set aside: the evidence does not bear them out.")
    body = [*brief.written, *([" ".join(lead)] if lead else []), *([" ".join(kept)] if kept else []), *(q.cited() for q in quotes)]
    if brief.passages and not quotes:
        body.append(Passages(query=brief.request, passages=[]).statement(brief.lang))
    return "\n\n".join(dict.fromkeys(body))


async def _draft(agent: Agent, task: Task, brief: Brief, material: str, client: ModelClient, ctx: RunContext) -> str:
    task_text = task.expected_output or "Answer the request in one or two plain sentences."
    asked = f"Notes:\n{material[:3000]}\n\nRequest: {brief.request}\n\n{task_text} Use only the notes."
    messages = (Message("system", agent.persona), Message("user", asked))
    reply = await ask_model(ctx, client, ModelRequest(messages, model=agent.model, max_tokens=min(agent.max_tokens, 96)))
    return reply.text.strip()


async def _speak(agent: Agent, task: Task, brief: Brief, client: ModelClient, ctx: RunContext) -> str:
    messages = [Message("system", agent.persona), *brief.history, Message("user", brief.request)]
    request = ModelRequest(tuple(messages), model=agent.model, max_tokens=agent.max_tokens)
    return (await ask_model(ctx, client, request, say=ctx.text)).text.strip()


async def fill(agent: Agent, task: Task, brief: Brief, client: ModelClient, ctx: RunContext) -> BaseModel:
    """The agent's `output_type`, filled by the model under its schema from the results before it.

    Raises:
        ModelError: after a correction the output still does not validate; the message says where.
    """
    assert agent.output_type is not None, "fill is for agents with an output type"
    asked = f"Notes:\n{brief.evidence_text()[:3000]}\n\nRequest: {brief.request}\n\nTask: {task.description} {task.expected_output}"
    messages = [Message("system", agent.persona), Message("user", asked)]
    schema = agent.output_type.model_json_schema()
    problem = ""
    for _ in range(_ATTEMPTS):
        reply = await ask_model(ctx, client, ModelRequest(tuple(messages), model=agent.model, max_tokens=agent.max_tokens, schema=schema))
        try:
            return agent.output_type.model_validate_json(reply.text)
        except ValidationError as error:
            problem = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            await ctx.note(f"The output did not fit {agent.output_type.__name__} ({problem}); asked again.")
            messages += [Message("assistant", reply.text), Message("user", f"That does not fit: {problem}. Answer again, corrected.")]
    raise ModelError(f"{agent.role}: the model could not fill {agent.output_type.__name__} in {_ATTEMPTS} attempts ({problem}): simplify the type, or use a larger model.")

