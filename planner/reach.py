"""Reach: whether a request asks for a deed that no tool of the crew can do, which no model should claim to have done."""

from __future__ import annotations

from collections.abc import Iterable

from ..runtime.errors import Unreachable
from ..tools.tool import Tool
from .asked import Asked
from .intent.form.signs import Signs
from .reading.reading import Reading
from .reading.shortlist import shortlist

_DEEDS = frozenset(
    "send email book reserve buy purchase cancel delete remove erase schedule pay transfer refund deploy install ship "
    "publish upload invite hire rent subscribe unsubscribe withdraw deposit reboot restart".split()
)
_DEEDS_ZH = (
    "发邮件 发送 发给 发短信 发消息 预订 预约 订 下单 购买 买 取消 删除 支付 付款 转账 退款 部署 安装 发货 发布 上传 邀请"
).split()
_NEAREST = 3


def unreachable(asked: Asked) -> Unreachable | None:
    """What to say of a request for a deed, for which the rules found no tool; None where it asks for none.

    Only verbs that change something outside count: what a model can write or say by itself is within reach.
    """
    tools = [tool for tool in asked.crew.toolset.values() if not tool.combines]
    if not tools:
        return None
    wishes = Signs(Reading(asked.request)).wishes
    verb = next((verb for wish, verb in wishes if wish == "act" and _deed(verb)), "")
    if not verb:
        return None
    return Unreachable(
        f"Cannot: no tool of this crew can {verb} (“{_short(asked.request)}”); the nearest are {_named(asked, tools)}. "
        "Ask for what they give, or add a tool that does it."
    )


def _deed(verb: str) -> bool:
    return verb in _DEEDS or verb.startswith(tuple(_DEEDS_ZH))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _named(asked: Asked, tools: Iterable[Tool]) -> str:
    near = [tool.name for tool in shortlist(asked.request, tools, _NEAREST) if not tool.combines]
    return ", ".join((near or [tool.name for tool in tools])[:_NEAREST])
