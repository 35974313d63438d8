"""Owns what CrewAI says of agents, tasks and crews: which of it is taken over, and why the rest is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AGENT = frozenset(
    "role goal backstory tools llm max_iter max_tokens max_execution_time allow_delegation guardrail "
    "guardrail_max_retries reasoning planning".split()
)
"""Fields of an agent that are taken over."""

TASK = frozenset(
    "name description expected_output agent context async_execution output_json output_pydantic response_model tools "
    "guardrail guardrails guardrail_max_retries human_input markdown".split()
)
"""Fields of a task that are taken over."""

CREW = frozenset("name agents tasks process manager_llm manager_agent".split())
"""Fields of a crew that are taken over."""

_INNER = frozenset(
    "id config crew agent_executor executor_class i18n security_config fingerprint tools_handler tools_results cache_handler "
    "entity_type output usage_metrics token_usage execution_logs used_tools tools_errors delegations prompt_context "
    "processed_by_agents retry_count start_time end_time task_execution_output_json_files type execution_context "
    "respect_context_window use_system_prompt max_retry_limit share_crew tracing date_format use_better_compaction "
    "create_directory knowledge".split()
)
"""What is about a run of theirs, or about how CrewAI works inside: nothing is lost without it."""

WHY: Mapping[str, str] = {
    "verbose": "every step of a run is journalled anyway: see crewgraph show",
    "memory": "agents remember here where they are given a memory of crewgraph's",
    "cache": "replies are cached by the model client (CREWGRAPH_CACHE), and a tool says itself what calling it twice does",
    "max_rpm": "requests a minute are limited for each model in models.toml",
    "knowledge_sources": "give the agent Documents over the same folder",
    "embedder": "documents are searched without one",
    "output_file": "the result is in the run: crewgraph show prints it",
    "callback": "listeners of a run are told of everything: run(…, listeners=[…])",
    "step_callback": "listeners of a run are told of everything: run(…, listeners=[…])",
    "task_callback": "listeners of a run are told of everything: run(…, listeners=[…])",
    "callbacks": "listeners of a run are told of everything: run(…, listeners=[…])",
    "before_kickoff_callbacks": "change the inputs before the import",
    "after_kickoff_callbacks": "change the answer after the run",
    "planning": "every run has a plan here",
    "planning_llm": "every run has a plan here, and the planner is the house's",
    "function_calling_llm": "tools are called by the agent's own model",
    "stream": "listeners get the text as it is written",
    "condition": "THE TASK WILL ALWAYS BE DONE; say the condition with Task(when=…)",
    "input_files": "give the agent read_file over their folder",
    "human_input": "a person is asked before the task, and not after it",
    "converter_cls": "outputs are filled under their schema",
    "inject_date": "give the agent a tool that tells the date",
    "allow_code_execution": "no agent runs code here",
    "output_log_file": "the journal holds everything: crewgraph runs export",
}
"""Why something is not taken over, and what to do instead."""


def told(owner: str, field: str) -> str:
    """The sentence for a field that is not taken over."""
    return f"{owner}: {field} is not taken over ({WHY.get(field, 'there is nothing like it here')})."


def given(obj: Any) -> dict[str, Any]:
    """What the author of one of CrewAI's objects said of it: fields that were set, and are not the default."""
    fields: Mapping[str, Any] = type(obj).model_fields
    said: dict[str, Any] = {}
    for name in fields:
        if name in _INNER or name not in obj.model_fields_set:
            continue
        value = vars(obj).get(name)  # and not by the attribute: some of them warn that they are old
        if value is None or value is False or (isinstance(value, list | tuple | dict | set) and not value):
            continue
        said[name] = value
    return said


def model_name(llm: Any) -> str | None:
    """What CrewAI calls the model, be it named or made."""
    if llm is None or isinstance(llm, str):
        return llm
    found = getattr(llm, "model", None)
    return str(found) if found else type(llm).__name__
