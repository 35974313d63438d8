"""Judge: a model that says whether a result meets a criterion, by choosing between yes and no."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...runtime.errors import InvalidCrew
from ..calls import ask_model
from ..model import Message, ModelRequest
from .verdict import FINE, Verdict

if TYPE_CHECKING:
    from ...runtime.graph import TaskResult
    from ..agent import Agent
    from ..desk import Desk

_YES, _NO = "yes", "no"
_CHOICE_TOKENS = 8
_WHY_TOKENS = 80
_READ = 6000
_SYSTEM = "You check the work of others against a criterion, strictly and fairly."


@dataclass(frozen=True)
class Judge:
    """A guardrail that asks a model whether a result meets the `criterion`; one that does not is told why.

    `agent` is who judges: an agent, or the role of one in the crew (left out: nobody in particular). `model` is the model
    that it is asked of (left out: that agent's, else the default). Both calls are steps, so a replay asks nobody.

    Raises:
        InvalidCrew: the criterion is empty.
    """

    criterion: str
    agent: Agent | str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if not self.criterion.strip():
            raise InvalidCrew("A judge has no criterion: say in a sentence what a result has to be.")

    async def verdict(self, result: TaskResult, desk: Desk) -> Verdict:
        """What the model says of the result.

        Raises:
            EngineError: the model does not answer.
        """
        asked = f"Request: {desk.brief.request}\n\nText:\n{result.text[:_READ]}\n\nCriterion: {self.criterion}\n\n"
        question = Message("user", f"{asked}Does the text meet the criterion? Answer {_YES} or {_NO}.")
        request = self._request(desk, question, _CHOICE_TOKENS)
        reply = await ask_model(desk.ctx, desk.client, replace(request, choices=(_YES, _NO)))
        if reply.text == _YES:
            return FINE
        why = Message("user", f"{asked}It does not meet it. Say in one sentence what has to be changed.")
        told = (await ask_model(desk.ctx, desk.client, self._request(desk, why, _WHY_TOKENS))).text.strip()
        said = f"it does not meet the criterion {self.criterion!r}"
        return Verdict(ok=False, why=f"{said}: {told}" if told else f"{said}.")

    def _request(self, desk: Desk, question: Message, most: int) -> ModelRequest:
        judge = desk.crew.agent(self.agent) if isinstance(self.agent, str) else self.agent
        if judge is None:
            return ModelRequest((Message("system", _SYSTEM), question), model=self.model, max_tokens=most)
        request = judge.asks([judge.system(), question], max_tokens=most)
        return replace(request, model=self.model, adapter=None) if self.model is not None else request
