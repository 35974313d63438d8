"""Reach: whether a request asks for a deed that no tool of the crew can do, which no model should claim to have done."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..agents.agent import Agent
from ..runtime.errors import Unreachable
from ..tools.text import tokens
from ..tools.tool import Tool
from .asked import Asked
from .intent.form.signs import Signs
from .plan import Plan
from .reading.filling.parameters import parameters, worded
from .reading.lexicon import lexicon
from .reading.reading import Reading
from .reading.shortlist import acts_of, shortlist

_DEEDS = frozenset(
    "send email book reserve buy purchase cancel delete remove erase schedule pay transfer refund deploy install ship "
    "publish upload invite hire rent subscribe unsubscribe withdraw deposit reboot restart".split()
)
_DEEDS_ZH = (
    "发邮件 发送 发给 发短信 发消息 预订 预约 订 下单 购买 买 取消 删除 支付 付款 转账 退款 部署 安装 发货 发布 上传 邀请"
).split()
_TOLD = re.compile(r"\bsend (?:(?:me|us)\b|.*\bto (?:me|us)\b)|发送?给(?:我|咱)")
"""Where what is to be sent is the answer itself."""
_LOOKING = "check list calculate compare recommend predict analyze track read"
"""A verb of each row of verbs by which nothing changes."""
_HANDS = frozenset(tokens("click type press tap navigate browse browser execute shell terminal", stop=False))
"""What a tool is named that does whatever a person could: many a deed is done with it."""
_NEAREST = 3


def unreachable(asked: Asked, plan: Plan | None = None) -> Unreachable | None:
    """What to say of a request for nothing but a deed that no tool does; None where it asks for more or there is a tool.

    `plan` is what was made of it: a plan without calls is believed in nothing, one whose calls only look is believed
    where a tool of the crew is named by the verb. Without a plan all tools count as called. Only verbs that change
    something outside count: what a model can write or say by itself is within reach.
    """
    crew = asked.crew
    tools = [tool for tool in crew.toolset.values() if not tool.combines]
    if not tools:
        return None
    signs = Signs(Reading(asked.request))
    verb = next((verb for wish, verb in signs.wishes if wish == "act" and _deed(verb)), "")
    if not verb or any(map(_foreign, crew.agents)):
        return None
    called = tools
    if plan is not None:
        called = [crew.toolset[task.tool] for task in plan.tasks if task.tool is not None]
    if called:
        others = [wish for wish, said in signs.wishes if not (wish == "act" and _deed(said))]
        if others or _TOLD.search(signs.head) or any(_named_by(verb, tool) for tool in tools):
            return None
        if any(map(_changes, called)):
            return None
    return Unreachable(
        f"Cannot: no tool of this crew can {verb} (“{_short(asked.request)}”); the nearest are {_named(asked, tools)}. "
        "Ask for what they give, or add a tool that does it."
    )


def _named_by(verb: str, tool: Tool) -> bool:
    """Whether a tool speaks of the verb, or has one that means the same in its name."""
    own = tokens(verb, stop=False)
    name = set(tokens(worded(tool.name), stop=False))
    about = " ".join([tool.description, *(worded(one.name) for one in parameters(tool))])
    return any(stem in tokens(about, stop=False) or name & lexicon().same_act(stem) for stem in own)


def _changes(tool: Tool) -> bool:
    """Whether a tool changes something, or by its name does anything but look."""
    if tool.effect != "read_only" or tool.traits.action is not None or tool.traits.writes:
        return True
    name = tokens(worded(tool.name), stop=False)
    return not _HANDS.isdisjoint(name) or bool(acts_of(name) - acts_of(tokens(_LOOKING, stop=False)))


def _foreign(agent: Agent) -> bool:
    """Whether it may have tools that nobody here sees."""
    by = agent.architecture
    return by is not None and not isinstance(by, str) and by.most_calls(agent) is None


def _deed(verb: str) -> bool:
    return verb in _DEEDS or verb.startswith(tuple(_DEEDS_ZH))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _named(asked: Asked, tools: Iterable[Tool]) -> str:
    near = [tool.name for tool in shortlist(asked.request, tools, _NEAREST) if not tool.combines]
    return ", ".join((near or [tool.name for tool in tools])[:_NEAREST])
