"""References: what a run keeps of the conversation that it was begun in, in place of the messages themselves.

In a run's options, `history` is a list of messages, ``{"role": ..., "content": ...}``. In a conversation an entry may stand
for what the store has already. ``{"messages": [3, 40]}``: those numbered so, from the first to the last. ``{"role": ...,
"parts": [...]}``: one that is put together, of texts and of

- ``{"message": [3, 0, 80]}``: a piece of a message,
- ``{"lines": [[3, 0, 80], ...], "as": ["user", "assistant"]}``: pieces, a line each, with who said it,
- ``{"summary": 2}``: a summary.

So a run costs the same however long its conversation is, and still has the history that it had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from ...errors import StoreError
from ..record import ThreadMessage, ThreadSummary

HISTORY = "history"
RANGE = "messages"
PARTS = "parts"

Wanted = tuple[set[int], list[tuple[int, int]], set[int]]
"""Numbers of messages, ranges of such numbers, numbers of summaries."""


def refers(options: Mapping[str, JsonValue]) -> bool:
    """Whether a run's options stand for messages that are kept elsewhere."""
    return any(RANGE in entry or PARTS in entry for entry in _entries(options))


def wanted(options: Mapping[str, JsonValue]) -> Wanted:
    """What has to be read so that the options can be filled."""
    singles: set[int] = set()
    ranges: list[tuple[int, int]] = []
    summaries: set[int] = set()
    for entry in _entries(options):
        if RANGE in entry:
            first, last = entry[RANGE]
            ranges.append((int(first), int(last)))
        for part in entry.get(PARTS, ()):
            if isinstance(part, dict) and "message" in part:
                singles.add(int(part["message"][0]))
            elif isinstance(part, dict) and "lines" in part:
                singles.update(int(number) for number, _, _ in part["lines"])
            elif isinstance(part, dict):
                summaries.add(int(part["summary"]))
    return singles, ranges, summaries


def filled(
    options: Mapping[str, JsonValue],
    messages: Mapping[int, ThreadMessage],
    summaries: Mapping[int, ThreadSummary],
) -> dict[str, JsonValue]:
    """The options with the messages themselves. Raises `StoreError`: something that they stand for is gone."""
    history: list[JsonValue] = []
    for entry in _entries(options):
        if RANGE in entry:
            first, last = entry[RANGE]
            found = [messages[number] for number in sorted(messages) if first <= number <= last]
            if not found or found[0].number != first or found[-1].number != last:
                raise _gone(f"messages {first} to {last}")
            history.extend({"role": one.role, "content": one.content} for one in found)
        elif PARTS in entry:
            said = "".join(_part(part, messages, summaries) for part in entry[PARTS])
            history.append({"role": entry["role"], "content": said})
        else:
            history.append(entry)
    return {**options, HISTORY: history}


def _part(part: Any, messages: Mapping[int, ThreadMessage], summaries: Mapping[int, ThreadSummary]) -> str:
    if isinstance(part, str):
        return part
    if "message" in part:
        return _piece(part["message"], messages)[1]
    if "lines" in part:
        user, assistant = part["as"]
        pieces = [_piece(place, messages) for place in part["lines"]]
        return "\n".join(f"- {user if role == 'user' else assistant}: {text}" for role, text in pieces)
    if (summary := summaries.get(part["summary"])) is None:
        raise _gone(f"summary {part['summary']}")
    return summary.content


def _piece(place: Sequence[int], messages: Mapping[int, ThreadMessage]) -> tuple[str, str]:
    number, begin, end = place
    if (message := messages.get(number)) is None:
        raise _gone(f"message {number}")
    return message.role, message.content[begin:end]


def _entries(options: Mapping[str, JsonValue]) -> Sequence[dict[str, Any]]:
    history = options.get(HISTORY)
    return [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else ()


def _gone(what: str) -> StoreError:
    return StoreError(
        f"What a run was begun with is gone from its conversation ({what}): the database was changed by hand; "
        "restore it from a copy."
    )
