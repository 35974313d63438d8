"""Keys: a hash of all that a task is given, so that an old result never answers a changed input.

The hashes are those of release 0.1.0 for everything a task could say then, so that its runs resume: policies
(`when`, `retry`, limits, approval) decide whether and how a task is done, not what it is, and stay outside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from ..graph import Task, TaskResult
from ..journalling.row import without_half_characters


def task_key(
    task: Task,
    needs: Sequence[str],
    args: dict[str, JsonValue],
    digests: Iterable[bytes],
    entries: list[JsonValue] | None = None,
) -> str:
    """The key of a task with these resolved `args`, given results with these `digests`; of a whole map with
    these `entries`."""
    said: dict[str, object] = {
        "id": task.id,
        "description": task.description,
        "expected_output": task.expected_output,
        "agent": task.agent,
        "depends_on": needs,
        "tool": task.tool,
        "args": args,
    }
    if entries is not None:
        said["each"] = entries
    found = hashlib.sha256(_json(said))
    for digest in digests:
        found.update(digest.hex().encode())
    return found.hexdigest()[:32]


def result_digest(result: TaskResult) -> bytes:
    """A hash of a result, the same after it has been in a journal."""
    return hashlib.sha256(result_json(result)).digest()


def result_json(result: TaskResult) -> bytes:
    """What `result_digest` is a hash of."""
    try:
        text: bytes = result.__pydantic_serializer__.to_json(result)
    except PydanticSerializationError:
        text = _json(result.model_dump())
    return text


def _json(value: object) -> bytes:
    try:
        return to_json(value, inf_nan_mode="null")
    except PydanticSerializationError:  # half a character, which UTF-8 has no form for
        return to_json(without_half_characters(value), inf_nan_mode="null")
