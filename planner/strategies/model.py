"""The model strategy: a language model writes the plan under a JSON schema made of this crew, and mends what the
checker finds wrong with it.

The schema enumerates tools, typed arguments and references to earlier tasks, so whatever a model writes is a plan in form.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...agents.calls import ask_model
from ...agents.model import ModelClient
from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan, ModelError
from ..asked import Asked
from ..plan import Finding, Plan, listed
from .written.sheet import Sheet

REPAIRS = 2
"""So often a model is told what is wrong with its plan."""


@dataclass(frozen=True)
class ModelStrategy:
    """Plans by one model, which is told `repairs` times what is wrong: at most `most` tasks (None: 8, 12 where it is trusted).

    Where an earlier plan has to be changed (`asked.so_far`), the tasks that are done come first in the plan, as they are.
    """

    client: ModelClient
    repairs: int = REPAIRS
    most: int | None = None

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """A checked plan written by the model.

        Raises:
            InvalidPlan: after the repairs the checker still finds something wrong; the message lists it.
            EngineError: the engine does not answer.
        """
        sheet = Sheet(asked, self.most)
        if sheet.blank:
            return Plan(tasks=sheet.whole(()), strategy="model", notes=("There is no tool to plan with.",))
        messages = sheet.messages()
        findings: list[Finding] = []
        for attempt in range(self.repairs + 1):
            try:
                reply = await ask_model(ctx, self.client, sheet.request(messages))
            except ModelError as error:
                raise InvalidPlan(f"The model's plan was not usable: {error}") from None
            tasks, findings = sheet.read(reply.text)
            if not findings:
                return Plan(
                    tasks=sheet.whole(tasks), strategy="model", notes=(planned("The model", attempt),)
                )
            messages += sheet.repair(reply.text, findings)
        raise InvalidPlan(f"The model's plan stayed wrong after {self.repairs} repairs: {listed(findings)}")


def planned(who: str, repairs: int) -> str:
    """For people: who planned, and how often the plan had to be mended."""
    often = {0: "", 1: ", and mended its plan once"}.get(repairs, f", and mended its plan {repairs} times")
    return f"{who} planned{often}."
