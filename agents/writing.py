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
from ..tools.knowledge.passages import sentences
from ..tools.text import Language, tokens
from ..tools.values import Fact, Passages, Stated
from .agent import Agent
from .calls import ask_model
from .grounding import check
from .guarding.refused import Refusal, cut
from .model import Message, ModelClient

_ATTEMPTS = 2
_DRAFT_TOKENS = 96
_NOTES = 3000
_QUOTES = 2
_NEAR = 0.75
_SHOWN = 400


@dataclass(frozen=True)
class Brief:
    """What a writing task is given: the user's request and language, earlier turns, and the results before it.

    `stated` are typed results of tools, `written` the texts that other agents wrote. `refusal` is set where the agent's
    last result was sent back, `recalled` is what is remembered of earlier runs.
    """

    request: str
    lang: Language
    history: Sequence[Message] = ()
    stated: Sequence[Stated] = ()
    written: Sequence[str] = ()
    refusal: Refusal | None = None
    recalled: str = ""

    @property
    def passages(self) -> list[Passages]:
        """Those results that are passages of documents."""
        return [s for s in self.stated if isinstance(s, Passages)]

    @property
    def facts(self) -> list[Stated]:
        """Those results that were computed or looked up."""
        return [s for s in self.stated if not isinstance(s, Passages)]

    def units(self) -> list[str]:
        """The evidence in pieces that each say one thing: a line of evidence, a sentence under its heading."""
        parts = [line for s in self.facts for line in s.evidence(self.lang)]
        texts = [(p.heading, p.text) for found in self.passages for p in found.passages]
        texts += [("", paragraph) for paragraph in self._paragraphs()]
        return parts + [f"{heading}: {s}" for heading, text in texts for s in sentences(text)]

    def notes(self) -> str:
        """What a writer is shown: statements, the quotations that fit best, what colleagues wrote."""
        parts = [s.statement(self.lang) for s in self.facts]
        parts += [p.quote or p.text for found in self.passages for p in found.passages[:_QUOTES]]
        return "\n".join(dict.fromkeys([*parts, *self._paragraphs()]))[:_NOTES]

    def corrected(self, asked: str) -> str:
        """What is asked, before it what is remembered, and behind it what was wrong with the last answer."""
        asked = f"{self.recalled}\n\n{asked}" if self.recalled else asked
        return f"{asked}\n\n{self.refusal.told()}" if self.refusal is not None else asked

    def _paragraphs(self) -> list[str]:
        return [p for text in self.written for p in text.split("\n\n") if p.strip()]

    def body(self) -> list[str]:
        """What stands whatever the model writes: statements and quotations; else what colleagues wrote, once each."""
        lead = " ".join(grouped(self.facts, self.lang))
        quotes = [q for found in self.passages for q in quotations(found)]
        if self.passages and not quotes and not lead:
            quotes = [Passages(query=self.request, passages=[]).statement(self.lang)]
        own = [part for part in (lead, *quotes) if part]
        return own or list(dict.fromkeys(self._paragraphs()))


def quotations(found: Passages) -> list[str]:
    """The best passage quoted, and the next where it is nearly as good."""
    near = [p for p in found.passages[:_QUOTES] if p.score >= _NEAR * found.passages[0].score]
    return [p.cited() for p in near]


def grouped(stated: Sequence[Stated], lang: Language) -> list[str]:
    """Statements, with several facts about one thing drawn together into one."""
    facts = [s for s in stated if isinstance(s, Fact)]
    labels = [f.named("label", lang) for f in facts]
    said: list[str] = []
    for one in stated:
        if isinstance(one, Fact) and labels.count(label := one.named("label", lang)) > 1:
            if labels.index(label) == facts.index(one):
                parts = [
                    f"{f.named('quantity', lang)} {f.amount()}"
                    for f in facts
                    if f.named("label", lang) == label
                ]
                said.append(
                    f"{label}：{'，'.join(parts)}。" if lang == "zh" else f"{label}: {', '.join(parts)}."
                )
        else:
            said.append(one.statement(lang))
    return list(dict.fromkeys(said))


async def write(agent: Agent, task: Task, brief: Brief, client: ModelClient, ctx: RunContext) -> str:
    """The text of a writing task.

    Raises:
        EngineError: the engine does not answer.
    """
    if not brief.stated and not brief.written:
        return await _speak(agent, task, brief, client, ctx)
    body = brief.body()
    if brief.passages and not brief.facts and not any(found.passages for found in brief.passages):
        return "\n\n".join(body)  # nothing was found: there is nothing to write about
    checked = check(await _draft(agent, task, brief, client, ctx), brief.units(), request=brief.request)
    if checked.dropped:
        total = len(checked.dropped) + len(checked.kept)
        await ctx.note(
            f"{len(checked.dropped)} of {total} drafted sentences set aside: the evidence does not bear them out."
        )
    said = "\n".join(body)
    kept = " ".join(s for s in checked.kept if not set(tokens(s)) <= set(tokens(said)))
    if brief.passages and not brief.facts:
        return "\n\n".join(part for part in (kept, *body) if part)
    return "\n\n".join(part for part in (*body, kept) if part)


async def _draft(agent: Agent, task: Task, brief: Brief, client: ModelClient, ctx: RunContext) -> str:
    wanted = task.expected_output or "Answer the request in one or two plain sentences."
    asked = f"Notes:\n{brief.notes()}\n\nRequest: {brief.request}\n\n{wanted} Use only the notes."
    messages = (agent.system(), Message("user", brief.corrected(asked)))
    reply = await ask_model(
        ctx, client, agent.asks(messages, max_tokens=min(agent.max_tokens, _DRAFT_TOKENS))
    )
    return reply.text.strip()


async def _speak(agent: Agent, task: Task, brief: Brief, client: ModelClient, ctx: RunContext) -> str:
    messages = [agent.system(), *brief.history, Message("user", brief.corrected(brief.request))]
    return (await ask_model(ctx, client, agent.asks(messages), say=ctx.text)).text.strip()


async def fill(agent: Agent, task: Task, brief: Brief, client: ModelClient, ctx: RunContext) -> BaseModel:
    """The agent's `output_type`, filled by the model under its schema from the results before it.

    Raises:
        ModelError: after a correction the output still does not validate; the message says where, and shows the attempt.
    """
    assert agent.output_type is not None, "fill is for agents with an output type"
    asked = f"Notes:\n{brief.notes()}\n\nRequest: {brief.request}\n\nTask: {task.description} {task.expected_output}"
    messages = [agent.system(), Message("user", brief.corrected(asked))]
    schema = agent.output_type.model_json_schema()
    problem = attempt = ""
    for _ in range(_ATTEMPTS):
        reply = await ask_model(ctx, client, agent.asks(messages, schema=schema))
        try:
            return agent.output_type.model_validate_json(reply.text)
        except ValidationError as error:
            problem, attempt = (
                "; ".join(
                    f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)
                ),
                reply.text,
            )
            await ctx.note(f"The output did not fit {agent.output_type.__name__} ({problem}); asked again.")
            messages += [
                Message("assistant", reply.text),
                Message("user", f"That does not fit: {problem}. Answer again, corrected."),
            ]
    raise ModelError(
        f"{agent.role}: the model could not fill {agent.output_type.__name__} in {_ATTEMPTS} attempts "
        f"({problem}): simplify the type, or use a larger model. The last one was: {cut(attempt, _SHOWN)!r}."
    )
