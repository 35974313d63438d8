"""The recalled strategy: a plan that worked for a request of the same wording, with what differs put in. No model is asked."""

from __future__ import annotations

from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan
from ..asked import Asked
from ..checking.checker import check
from ..memory.adapting import NoTemplate, adapted, leans
from ..plan import Plan, listed, wrong

STRATEGY = "recalled"


class Recalled:
    """Takes the likest of the examples whose request is worded as this one, and adapts its plan without a guess.

    Values of parameters, figures, dates, codes, quotations and names are replaced by those that stand in their places;
    where an argument cannot be traced to the words of the old request the example is no template, and only shows a model
    how such a request was planned.
    """

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The plan, checked for the crew as it is now.

        Raises:
            InvalidPlan: none of the examples is a template for this request; the message says why of each.
        """
        if asked.so_far is not None:
            raise InvalidPlan("A plan that has to be changed is not made of one that worked before.")
        if asked.history and leans(asked.request):
            raise InvalidPlan("In a conversation the same words may mean something else.")
        if not asked.examples:
            raise InvalidPlan("No plan has worked for a request like this one yet.")
        reasons: list[str] = []
        for example in asked.examples:
            try:
                tasks = adapted(example.request, example.tasks, asked.request, asked.crew)
            except NoTemplate as error:
                reasons.append(str(error))
                continue
            findings = check(tasks, asked.crew, budget=ctx.meter.budget)
            if not wrong(findings):
                note = f"A plan that worked for “{_short(example.request)}” was taken again, with what differs put in."
                return Plan(tasks=tasks, strategy=STRATEGY, notes=(note,), findings=tuple(findings))
            reasons.append(listed(wrong(findings)))
        raise InvalidPlan(f"No plan that worked before serves here: {' '.join(dict.fromkeys(reasons))}")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
