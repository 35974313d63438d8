"""Labels: what is written on a drawing of a plan, the same in all of its forms."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

from ...runtime.graph import ITEM, Task
from ...runtime.policy import Condition
from ..plan import Estimate, TaskEstimate

_VALUE = 40
_TEXT = 200
_ALONE = ("empty", "not_empty")
_SPACE = re.compile(r"\s+")


def plain(text: str, limit: int = _TEXT) -> str:
    """The text on one line, without what would drive a terminal or turn the text round; cut at so many characters."""
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * limit])
    line = _SPACE.sub(" ", shown).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def wide(text: str) -> int:
    """How many columns of a terminal the text takes: signs of East Asia take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def who(task: Task) -> str:
    """Whose task it is; "" where nobody was named."""
    return plain(task.agent or "", _VALUE)


def what(task: Task) -> str:
    """What is to be done, in the planner's words."""
    return plain(task.description)


def call(task: Task) -> str:
    """The call that a task binds: ``price(item="pen")``; "" where it binds none."""
    if task.tool is None:
        return ""
    given = ", ".join(f"{plain(name, _VALUE)}={_json(value)}" for name, value in task.args.items())
    return f"{plain(task.tool, _VALUE)}({given})"


def marks(task: Task) -> list[str]:
    """What is special about a task, each in a few words."""
    said: list[str] = []
    if isinstance(task.each, list):
        said.append(f"once for each of {len(task.each)} entries")
    elif task.each is not None:
        said.append(f"once for each of {_json(task.each)}".replace('"', ""))
    if task.when is not None:
        said.append(f"only if {condition(task.when)}")
    if task.approval:
        said.append("asks a person first")
    if task.optional:
        said.append("may be left out")
    return said


def condition(when: Condition) -> str:
    """A condition in words: ``$t1.value above 5``."""
    value, test = _json(when.value).strip('"'), when.test.replace("_", " ")
    return f"{value} is {test}" if when.test in _ALONE else f"{value} {test} {_json(when.to)}"


def waits_for(task: Task, tasks: Sequence[Task]) -> list[str]:
    """The tasks of this plan that it waits for."""
    known = {other.id for other in tasks}
    return [need for need in task.needs if need in known]


def cost(taken: TaskEstimate | None) -> str:
    """What a task is thought to take: ``0.2 s, 400 tokens``; with a question mark where that is a guess."""
    if taken is None:
        return ""
    parts = [seconds(taken.seconds)]
    parts += [amount(taken.tokens, "token")] if taken.tokens else []
    parts += [money(taken.money)] if taken.money else []
    return ", ".join(parts) + ("" if taken.measured else " ?")


def total(estimate: Estimate) -> str:
    """What the whole plan is thought to take, on one line."""
    parts = [seconds(estimate.critical_seconds)]
    if estimate.seconds > estimate.critical_seconds:
        parts[0] += f" ({seconds(estimate.seconds)} of work)"
    parts.append(amount(estimate.tokens, "token"))
    parts += [amount(estimate.tool_calls, "tool call")] if estimate.tool_calls else []
    parts += [money(estimate.money)] if estimate.money else []
    return ", ".join(parts)


def rests_on(estimate: Estimate) -> str:
    """What an estimate rests on, for people."""
    known = sum(1 for taken in estimate.tasks.values() if taken.measured)
    if known == len(estimate.tasks):
        return "all measured in past runs"
    return f"{known} of {len(estimate.tasks)} tasks measured in past runs; ? is a guess"


def seconds(value: float) -> str:
    """Seconds as people read them: ``20 ms``, ``4.1 s``, ``2 min 05 s``."""
    if value < 0.095:
        return f"{value * 1000:.2g} ms" if value >= 0.00005 else "0 s"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def amount(count: int, word: str) -> str:
    """So many of something: ``1 token``, ``1,200 tokens``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def money(value: float) -> str:
    """An amount in the currency of the price list."""
    return f"cost {value:,.2f}" if value >= 1 else f"cost {value:.2g}"


def _json(value: object) -> str:
    if isinstance(value, str) and value.startswith(f"${ITEM}"):
        return value
    return plain(json.dumps(value, ensure_ascii=False, default=str), _VALUE)
