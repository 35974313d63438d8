"""Alternatives: tools that tell the same as another one, from elsewhere, and agents that can do another's work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from ...agents.crew import Crew
from ...runtime.graph import Task
from ...tools.text import tokens
from ...tools.tool import Tool
from ..checking.checker import fits

_ASKING = frozenset(
    "get find fetch look lookup search read query show load ask retrieve request call check calculate compute api "
    "查询 获取 查找 搜索 读取".split()
)
_KINDS_OF_SOURCE = frozenset(
    "backup fallback alternative alternate mirror mirrored spare reserve cached copy server service source provider via "
    "v1 v2 v3 备用 备份 镜像".split()
)
"""Only words that never say *what* is told of: first, old, local or secondary may."""


def same_tools(tool: Tool, crew: Crew) -> Iterator[Tool]:
    """Tools that take the same arguments, give the same type and tell of the same, in the order of the crew.

    Two tools of one type may tell of quite different things: a price and a weight are both figures. So they count as the
    same only where both say in equal words what they give (`Traits.gives`), or where their names or descriptions differ in
    nothing but words for a source (``price`` and ``backup_price``). What is not certain is no alternative.
    """
    for other in crew.toolset.values():
        if other is tool or other.combines or other.effect != tool.effect:
            continue
        if not (fits(other.returns, tool.returns) and fits(tool.returns, other.returns)):
            continue
        if set(other.args.model_fields) == set(tool.args.model_fields) and _tell_the_same(tool, other):
            yield other


def doer(task: Task, tool: Tool, crew: Crew) -> str | None:
    """The role that makes this call in the place of that task: the same one where it may, else who holds the tool."""
    may = [agent.role for agent in crew.holders(tool)]
    return task.agent if task.agent in may else next(iter(may), None)


def other_agents(task: Task, crew: Crew) -> Iterator[str]:
    """Roles that could do an agent's own work with another model: they have its tools, and give the same form."""
    mine = crew.agent(task.agent)
    needed = set(crew.tools_of(mine))
    for agent in crew.agents:
        if agent.role == mine.role or (agent.model, agent.adapter) == (mine.model, mine.adapter):
            continue
        if agent.output_type is mine.output_type and needed <= set(crew.tools_of(agent)):
            yield agent.role


def singular(tool: Tool, many: str, crew: Crew) -> Iterator[tuple[Tool, str]]:
    """Tools that do for one thing what this tool does for a list of them (its parameter `many`), and their parameter."""
    for other in crew.toolset.values():
        if other is tool or other.combines or other.effect != tool.effect:
            continue
        rest = set(tool.args.model_fields) - {many}
        own = [name for name in other.args.model_fields if name not in rest]
        if len(own) != 1 or set(other.args.model_fields) - set(own) != rest:
            continue
        named = set(tokens(own[0].replace("_", " "))) == set(tokens(many.replace("_", " ")))
        if named and _is_one_of(other.returns, tool.returns) and _tell_the_same(tool, other):
            yield other, own[0]


def _is_one_of(one: Any, many: Any) -> bool:
    """Whether a list of results of one type is what the other type is."""
    return get_origin(many) is list and bool(get_args(many)) and fits(one, get_args(many)[0])


def _tell_the_same(one: Tool, other: Tool) -> bool:
    mine, theirs = _stems(one.traits.gives), _stems(other.traits.gives)
    if mine or theirs:
        return mine == theirs
    named, called = _core(one.name), _core(other.name)
    if named and named == called:
        return True
    about = _core(one.description)
    return bool(about) and about == _core(other.description)


def _stems(text: str) -> frozenset[str]:
    return frozenset(tokens(text))


def _core(text: str) -> frozenset[str]:
    """The words that are left without those for asking and for where the answer comes from."""
    words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    said = " ".join(word for word in words if word.lower() not in _ASKING | _KINDS_OF_SOURCE)
    return frozenset(tokens(said))
