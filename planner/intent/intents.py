"""Intents: what kind of thing a request is for one crew, found out before anything is planned.

Rules first, then the examples that a request is like, then (where the model has shown that it can choose) the model. Whoever is
unsure says `plan`: a plan that was not needed costs a little, one that is missing costs the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from ...agents.calls import ask_model
from ...agents.crew import Crew
from ...agents.model import Message, ModelClient, ModelRequest
from ...runtime.context import RunContext
from ...runtime.errors import EngineError, ModelError
from ...tools.tool import Tool
from ..likeness import Embed
from .case import HEAD, KNOWN, Case
from .examples import Meanings, blended, every, language_for
from .form.language import language_of
from .judging import measured
from .kinds import UNSURE, Intent, Kind
from .offers import Offer
from .unsafe import harm_in

ENOUGH = 0.7
"""Below this confidence a request is planned."""

SURE = 0.93
"""From this confidence on nobody else is asked: neither the embedding model nor the language model."""

_MODEL = 0.8
_KEPT = 512
_WHY_HARM = "It asks for something that would do harm."
_ABOUT: Mapping[Kind, str] = {
    "small_talk": "greeting, thanks or chatter; nothing to be done",
    "question": "you can answer it yourself in one go: knowledge, advice, writing",
    "documents": "one question, to be answered from the documents",
    "tools": "one or two tools give what is asked",
    "plan": "several steps that build on each other, or you are not sure",
}


@dataclass
class Intents:
    """Tells what requests are. It keeps the vectors of its examples and of tools' descriptions, so hold one for each `embed`.

    `embed` makes vectors of texts, or is None where there is no embedding model: letters then decide alone. An embedding model
    that does not tell the examples of a language apart is not asked about that language.
    """

    embed: Embed | None = None
    _meanings: dict[str, Meanings] = field(default_factory=dict, repr=False)
    _tools: dict[str, Sequence[float]] = field(default_factory=dict, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def of(
        self,
        request: str,
        crew: Crew,
        *,
        client: ModelClient | None = None,
        ctx: RunContext | None = None,
        trusted: bool = False,
        history: Sequence[Message] = (),
    ) -> Intent:
        """What a request is for a crew.

        The embedding model is asked where the rules are not sure, and the model of `client` where that leaves it open and the
        model is `trusted`. Both are steps of `ctx` where it is given, so that a replay asks neither; an embedding model or a
        model that does not answer leaves the request to be planned.
        """
        language = language_of(request[:HEAD])
        if harm := harm_in(request):
            return Intent(
                kind="unsafe", language=language, confidence=_unsafe(), by="rules", why=_WHY_HARM, harm=harm
            )
        if crew.tasks:
            return Intent(
                kind="plan",
                language=language,
                confidence=1.0,
                by="rules",
                why="The crew's author fixed its tasks.",
            )
        if not request.strip():
            return UNSURE.model_copy(update={"language": language})
        case = Case(request, crew, history, language)
        guess = case.guess(case.letters())
        if guess is None:
            return UNSURE.model_copy(update={"language": language, "why": case.open, "by": "rules"})
        confidence = measured()["letters"].confidence(guess.case)
        found = Intent(
            kind=guess.kind, language=language, confidence=round(confidence, 3), by="rules", why=guess.why
        )
        if ":near:" in guess.case:
            found = found.model_copy(update={"by": "embedding"})
        if confidence < SURE and self.embed is not None and language in KNOWN:
            found, confidence = await self._by_meaning(case, found, confidence, ctx)
        if found.kind == "plan" or confidence >= ENOUGH:
            return found
        if trusted and client is not None:
            return await _by_model(request, case.offer, found, client, ctx)
        return UNSURE.model_copy(
            update={
                "language": language,
                "confidence": round(measured()["letters"].confidence("plan:unsure"), 3),
                "why": f"Nothing is sure enough: it may be {found.kind.replace('_', ' ')} ({found.why.rstrip('.')}).",
            }
        )

    async def _by_meaning(
        self, case: Case, found: Intent, confidence: float, ctx: RunContext | None
    ) -> tuple[Intent, float]:
        """The guess again, with what the embedding model says."""

        async def ask() -> dict[str, dict[str, float]]:
            return await self._likeness(case)

        try:
            if ctx is None:
                told = await ask()
            else:
                inputs = {"request": case.request[:HEAD], "tools": [t.name for t in case.offer.tools]}
                told = await ctx.step("intent", ask, inputs=inputs, returns=dict[str, dict[str, float]])
        except EngineError:
            return found, confidence
        if not told["shares"]:
            return found, confidence
        guess = case.guess(blended(case.letters(), told["shares"]), told["tools"])
        assert guess is not None, "what letters give a guess for, meaning does too"
        confidence = measured()["meaning"].confidence(guess.case)
        intent = Intent(
            kind=guess.kind,
            language=found.language,
            confidence=round(confidence, 3),
            by="embedding",
            why=guess.why,
        )
        return intent, confidence

    async def _likeness(self, case: Case) -> dict[str, dict[str, float]]:
        """How the nearest examples vote, and how near each tool is; nothing where the model does not know the language."""
        assert self.embed is not None, "asked only where there is one"
        language = language_for(case.request)
        async with self._lock:
            if language not in self._meanings:
                import numpy

                own = tuple(e for e in every() if e.language == language)
                vectors = await self.embed([e.text for e in own])
                self._meanings[language] = Meanings(own, numpy.asarray(vectors, dtype="float32"))
            meanings = self._meanings[language]
            if not meanings.useful:
                return {"shares": {}, "tools": {}}
            said = {t.name: _said(t) for t in case.offer.tools}
            fresh = [text for text in dict.fromkeys(said.values()) if text not in self._tools][:_KEPT]
            request, *others = await self.embed([case.request[:HEAD], *fresh])
            if len(self._tools) + len(fresh) > _KEPT:
                self._tools.clear()
            self._tools |= dict(zip(fresh, others, strict=True))
            near = {
                name: round(sum(a * b for a, b in zip(request, self._tools[text], strict=True)), 4)
                for name, text in said.items()
                if text in self._tools
            }
        shares = meanings.shares(request)
        return {"shares": {sort: round(share, 4) for sort, share in shares.items()}, "tools": near}


async def intent_of(
    request: str,
    crew: Crew,
    *,
    embed: Embed | None = None,
    client: ModelClient | None = None,
    ctx: RunContext | None = None,
    trusted: bool = False,
    history: Sequence[Message] = (),
) -> Intent:
    """What one request is for a crew (see `Intents.of`). Who asks about many holds an `Intents`, which keeps its vectors."""
    return await Intents(embed).of(request, crew, client=client, ctx=ctx, trusted=trusted, history=history)


def _said(tool: Tool) -> str:
    return f"{tool.name.replace('_', ' ')}: {tool.description}"[:300]


def _unsafe() -> float:
    return round(measured()["letters"].confidence("unsafe"), 3)


async def _by_model(
    request: str, offer: Offer, found: Intent, client: ModelClient, ctx: RunContext | None
) -> Intent:
    """What a trusted model says; unsure where it does not answer."""
    left_out = {"unsafe", *([] if offer.documents else ["documents"]), *([] if offer.tools else ["tools"])}
    kinds = [kind for kind in get_args(Kind) if kind not in left_out]
    listed = "\n".join(f"- {kind}: {_ABOUT[kind]}" for kind in kinds)
    tools = "\n".join(f"- {_said(t)}" for t in (*offer.tools, *offer.documents)) or "- none"
    text = (
        f"Kinds of requests:\n{listed}\n\nTools:\n{tools}\n\nRequest: {request[:HEAD]}\n"
        "Of which kind is the request? Answer with its name."
    )
    asked = ModelRequest((Message("user", text),), max_tokens=8, choices=tuple(kinds))
    try:
        reply = await (ask_model(ctx, client, asked) if ctx is not None else client.complete(asked))
    except (EngineError, ModelError):
        return UNSURE.model_copy(update={"language": found.language})
    said: Any = reply.text
    return Intent(
        kind=said, language=found.language, confidence=_MODEL, by="model", why="The model says what it is."
    )
