"""Owns CrewAI's tools and guardrails as ours."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ....agents.guarding.guardrail import Guardrail
from ....agents.guarding.judge import Judge
from ....runtime.errors import InvalidCrew, ToolError
from ....runtime.events import Effect
from ....runtime.graph import TaskResult
from ....tools.options import options_of
from ....tools.tool import Tool
from ....tools.toolset import as_tool


def taken_tool(theirs: Any, effects: Mapping[str, Effect]) -> Tool:
    """A tool of CrewAI's as one of ours; one of ours, or of langchain's, as it is.

    Its effect is what `effects` says of its name, else `once`, for CrewAI's tools do not say.

    Raises:
        InvalidCrew: it is none.
    """
    if isinstance(theirs, Tool):
        return theirs
    schema = getattr(theirs, "args_schema", None)
    if not (isinstance(schema, type) and issubclass(schema, BaseModel) and hasattr(theirs, "_run")):
        return as_tool(theirs)
    if hasattr(theirs, "tool_call_schema"):  # langchain's has a `_run` too
        return as_tool(theirs)
    name = usable(str(theirs.name))

    async def run(**values: Any) -> Any:
        found = await asyncio.to_thread(_carried_out, theirs, values)
        return to_jsonable_python(found, fallback=str)

    effect = effects.get(str(theirs.name), effects.get(name, "once"))
    about = _about(str(theirs.description))
    return Tool(name, about, schema, Any, run, effect, options_of(schema), origin=theirs)


def usable(name: str) -> str:
    """A name that a tool or a task may have, made of one that people read."""
    return re.sub(r"[^A-Za-z0-9_\-]+", "_", name).strip("_")[:64] or "tool"


def taken_guardrail(theirs: Any, task: str, agent: str) -> Guardrail:
    """A guardrail of CrewAI's: a text becomes a judge, a function gets what CrewAI would give it.

    Raises:
        InvalidCrew: it is neither.
    """
    if isinstance(theirs, str):
        return Judge(theirs)
    described = getattr(theirs, "description", None)
    if isinstance(described, str) and not inspect.isroutine(theirs) and hasattr(theirs, "llm"):
        return Judge(described)  # their LLMGuardrail
    if not callable(theirs):
        raise InvalidCrew(f"The guardrail {theirs!r} of the task {task!r} is neither a text nor a function.")
    function: Callable[[Any], Any] = theirs

    def guardrail(result: TaskResult) -> Any:
        said = function(_output(result, task, agent))
        if hasattr(said, "success"):  # their GuardrailResult
            said = (said.success, said.result if said.success else said.error)
        if isinstance(said, tuple) and len(said) == 2 and said[0] and hasattr(said[1], "raw"):
            said = (True, said[1].raw)
        return said

    guardrail.__name__ = str(getattr(function, "__name__", type(function).__name__))
    return guardrail


def _output(result: TaskResult, task: str, agent: str) -> Any:
    """What CrewAI's guardrails read; its own class where CrewAI is installed."""
    value = result.value if isinstance(result.value, dict) else None
    said = {"description": task, "raw": result.text, "json_dict": value, "agent": agent}
    try:
        from crewai.tasks.task_output import TaskOutput  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        return SimpleNamespace(**said, pydantic=None, name=task, expected_output=None, summary=task)
    return TaskOutput(**said)


def _carried_out(theirs: Any, values: dict[str, Any]) -> Any:
    found = theirs._run(**values)
    try:
        return asyncio.run(found) if inspect.iscoroutine(found) else found
    except NotImplementedError as error:
        raise ToolError(f"The tool {theirs.name} can only be called by CrewAI: {error}") from error


def _about(description: str) -> str:
    """The author's words, where CrewAI has put its own notes for models around them."""
    found = re.search(r"Tool Description:\s*(.*)", description, re.DOTALL)
    return (found[1] if found else description).strip()
