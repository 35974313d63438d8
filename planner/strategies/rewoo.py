"""ReWOO: the model writes calls with placeholders for their evidence, one a line, in plain text.

After Xu et al., "ReWOO: Decoupling Reasoning from Observations for Efficient Augmented Language Models" (2023). For models
and engines that cannot be held to a JSON schema: ``#E2 = convert[#E1, CNY]``. The lines are read as kindly as they can be, and
become tasks with typed references, which are checked as all plans are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...agents.calls import ask_model
from ...agents.model import Message, ModelClient, ModelRequest
from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan, ModelError
from ...runtime.graph import Task
from ..asked import Asked
from ..checking.repairing import repair_prompt
from ..plan import Finding, Plan, listed
from .model import REPAIRS, planned
from .written.items import first_number
from .written.lines import calls_in, line_of
from .written.offers import Offers
from .written.prompt import changing, question, system
from .written.sheet import Sheet

_RULES = """You plan work for a crew. Break the request into the fewest tool calls that together answer it, one a line:
#E1 = tool[argument=value, argument=value]
#E2 = tool[argument=#E1]
What a call finds is called by its #E in later calls; "#E1.field" is one field of it. Such a name is a whole argument, never a
part of a text. The answer itself is written afterwards from all results: plan no call for it."""
_ASK = "Write the plan, one call a line, and nothing else."
_TASK_ID = re.compile(r"(?<![\w.])\$?t(\d+)\b")
_TOKENS_A_LINE = 70


@dataclass(frozen=True)
class ReWOO:
    """Plans by one model in plain text, which is told `repairs` times what is wrong: at most `most` calls (None: 8, 12 where
    it is trusted)."""

    client: ModelClient
    repairs: int = REPAIRS
    most: int | None = None

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """A checked plan, read from what the model wrote.

        Raises:
            InvalidPlan: after the repairs there is still something wrong with it; the message lists it.
            EngineError: the engine does not answer.
        """
        sheet = Sheet(asked, self.most)
        messages = self._messages(sheet)
        findings: list[Finding] = []
        for attempt in range(self.repairs + 1):
            request = ModelRequest(tuple(messages), max_tokens=_TOKENS_A_LINE * (sheet.longest + 1))
            try:
                reply = await ask_model(ctx, self.client, request)
            except ModelError as error:
                raise InvalidPlan(f"The model's plan was not usable: {error}") from None
            tasks, findings = self._read(sheet, reply.text)
            if not findings:
                note = planned("The model, writing lines of text,", attempt)
                return Plan(tasks=sheet.whole(tasks), strategy="rewoo", notes=(note,))
            said = _TASK_ID.sub(r"#E\1", repair_prompt(findings))
            messages += [
                *([Message("assistant", reply.text)] if reply.text else []),
                Message("user", said),
            ]
        raise InvalidPlan(f"The model's plan stayed wrong after {self.repairs} repairs: {listed(findings)}")

    def _messages(self, sheet: Sheet) -> list[Message]:
        asked = sheet.asked
        said = question(asked, Offers(), mapping=False, ask=_ASK)
        if asked.so_far is not None and asked.so_far.reason:
            said += "\n\n" + _TASK_ID.sub(r"#E\1", changing(asked.so_far, sheet.kept))
        shown: list[Message] = []
        for example in asked.examples:
            lines = [line_of(task, asked.crew) for task in example.tasks if task.tool is not None]
            if lines and None not in lines:
                text = "\n".join(line for line in lines if line is not None)
                shown += [Message("user", f"Request: {example.request}\n{_ASK}"), Message("assistant", text)]
        return [
            system(asked.crew, sheet.tools, _RULES),
            *shown,
            *asked.history,
            Message("user", said),
        ]

    def _read(self, sheet: Sheet, text: str) -> tuple[Sequence[Task], list[Finding]]:
        """The tasks that the text speaks of, and what is wrong with them."""
        start = first_number(sheet.kept)
        items, findings = calls_in(text, sheet.asked.crew, sheet.kept, start, sheet.longest)
        if findings:
            return (), findings
        return sheet.tasks(items)
