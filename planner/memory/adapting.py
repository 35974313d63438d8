"""Adapting: a plan that worked for one request, made into the plan for another that differs from it in names and figures.

No model is asked and nothing is guessed. The two requests must have the same words around what differs, and each
argument of the plan must come from the words of the old request: then it has exactly one counterpart in the new one.
Whatever cannot be traced so makes the plan no template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...agents.crew import Crew
from ...runtime.graph import Reference, Task
from ...runtime.policy import Condition
from ...tools.text import tokens
from ...tools.tool import Tool
from ..reading.decompose import arguments_text
from ..reading.known.mentions import Key
from .wording import Slot, Wording, wording, words_in

_LONGEST = 4_000
_CUT = 200
"""Characters: of longer requests only the beginning stands in descriptions."""
_OUTSIDE = re.compile(
    r"\b(?:now|today|tonight|tomorrow|yesterday|current(?:ly)?|latest|recent(?:ly)?|last|next|this|ago|again|same|it|they|"
    r"them|there|that|he|she|him|her|his|my|our|me|we|us)\b|现在|今|明天|后天|昨|前天|本周|本月|上周|上个|下周|下个|最近|最新|刚才|又|再|它|他|她|那|我"
)
"""Words by which a request means something that it does not say."""


class NoTemplate(Exception):
    """A plan that worked cannot be made into one for another request without guessing; the message says why."""


def leans(request: str) -> bool:
    """Whether a request means something by words that do not say it: "tomorrow", "it", "the last one"."""
    return _OUTSIDE.search(request.lower()) is not None


def adapted(request: str, tasks: Sequence[Task], new: str, crew: Crew) -> tuple[Task, ...]:
    """The plan for the request `new`, of the `tasks` that worked for `request`. The checker has not seen it.

    Raises:
        NoTemplate: something in the plan cannot be told for the new request.
    """
    if len(new) > _LONGEST:
        raise NoTemplate("The request is too long to be told apart from others.")
    options = {
        (tool.name, parameter): values
        for tool in crew.toolset.values()
        for parameter, values in tool.options.items()
    }
    old_words, new_words = wording(request, options), wording(new, options)
    if old_words is None or new_words is None:
        raise NoTemplate("The request holds characters whose places cannot be told.")
    if old_words.frame != new_words.frame:
        raise NoTemplate(f"The request is worded otherwise than {_short(request)!r}.")
    change = _Change(old_words, new_words, crew)
    made = tuple(change.task(task) for task in tasks)
    change.check_all_used()
    return made


class _Change:
    """What differs between two requests of one wording, and the putting in of it."""

    def __init__(self, old: Wording, new: Wording, crew: Crew) -> None:
        self._old, self._new, self._crew = old, new, crew
        self._pairs = list(zip(old.slots, new.slots, strict=True))
        self._changed = {n for n, (was, now) in enumerate(self._pairs) if not was.like(now)}
        self._check_apart()
        self._used: set[int] = set()
        self._whole = False
        self._figures: dict[int, str] = {}  # which parameter a changed number went to
        vocabulary = old.reading.words_of
        stems = set(tokens(" ".join(old.words), stop=False)) | {
            extreme for extreme, _ in old.reading.extremes
        }
        self._said = stems | {kin for stem in stems for kin in vocabulary.relatives(stem)}

    def task(self, task: Task) -> Task:
        """The task with the new request's words in place of the old one's."""
        tool = self._crew.toolset.get(task.tool) if task.tool is not None else None
        args = {name: self._argument(value, name, tool) for name, value in task.args.items()}
        each = self._argument(task.each, "", tool) if task.each is not None else None
        description = self._text(task.description)
        if description is None:
            if tool is None:
                raise NoTemplate(f"What task {task.id} is to do speaks of the old request.")
            description = f"{tool.name.replace('_', ' ')}: {arguments_text(args)}"
        output = self._text(task.expected_output)
        if output is None:
            raise NoTemplate(f"What task {task.id} is to give speaks of the old request.")
        return task.model_copy(
            update={
                "args": args,
                "each": each,
                "description": description,
                "expected_output": output,
                "when": self._condition(task.when) if task.when is not None else None,
                "expects": tuple(self._condition(each_one) for each_one in task.expects),
            }
        )

    def check_all_used(self) -> None:
        """Raises `NoTemplate`: the requests differ in something that the plan does not speak of."""
        left = self._changed - self._used
        if left and not self._whole:
            said = self._pairs[min(left)][1].said
            raise NoTemplate(f"What {_short(said)!r} changes in the plan cannot be told.")

    def _check_apart(self) -> None:
        """Raises `NoTemplate`: two things have become one, for which another plan would be made."""
        things = [(was, now) for was, now in self._pairs if was.kind != "number"]
        for n, (was, now) in enumerate(things):
            for was_other, now_other in things[:n]:
                if now.like(now_other) and not was.like(was_other):
                    raise NoTemplate(f"{_short(now.said)!r} stands in two places that differed before.")

    def _condition(self, condition: Condition) -> Condition:
        value = self._argument(condition.value, "", None, constant=True)
        to = self._argument(condition.to, "", None, constant=True)
        return condition.model_copy(update={"value": value, "to": to})

    def _argument(self, value: Any, name: str, tool: Tool | None, *, constant: bool = False) -> Any:
        if isinstance(value, Mapping):
            return {n: self._argument(part, name, tool, constant=constant) for n, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._argument(part, name, tool, constant=constant) for part in value]
        if value is None or Reference.parse(value) is not None or (constant and isinstance(value, bool)):
            return value
        found = self._traced(value, name, tool)
        if found is not None:
            return found
        if tool is not None and name in tool.args.model_fields:
            default = tool.args.model_fields[name].default
            if type(default) is type(value) and default == value:
                return value
        if self._changed or leans(self._new.reading.request):
            raise NoTemplate(f"Where {name or 'a value'}={_short(str(value))!r} comes from cannot be told.")
        return value

    def _traced(self, value: Any, name: str, tool: Tool | None) -> Any:
        """The new value of an argument that comes from the old request; None where it does not."""
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return self._number(value, name)
        text = str(value)
        if tool is not None and name in tool.options:
            return self._one((tool.name, name), text) or self._meant(tool, name, text)
        if text.strip() in (self._old.reading.text, self._old.reading.request):
            self._whole = True
            return self._new.reading.request
        if self._old.reading.arithmetic is not None and text == self._old.reading.arithmetic:
            self._used |= {n for n, (was, _) in enumerate(self._pairs) if was.kind == "number"}
            return self._new.reading.arithmetic
        return (
            self._sole(text)
            or (self._one(None, text) if tool is None or not name else None)
            or self._spelt(text)
        )

    def _number(self, value: float, name: str) -> float | int | None:
        places = [n for n, (was, _) in enumerate(self._pairs) if was.number == value]
        found = {now.number for n, (_, now) in enumerate(self._pairs) if n in places}
        if not places:
            ordinal = self._old.reading.ordinal
            return value if ordinal is not None and ordinal[0] == value else None
        self._agree(found, value)
        for n in self._changed.intersection(places):
            if self._figures.setdefault(n, name) != name:
                raise NoTemplate(
                    f"Whether {value:g} is meant for {self._figures[n]} or {name} cannot be told."
                )
        self._used |= set(places)
        return found.pop()

    def _one(self, key: Key | None, value: str) -> str | None:
        """The counterpart of an enumerated value; without a key, of whichever parameter."""
        found: set[str | None] = set()
        for n, (was, now) in enumerate(self._pairs):
            for mine, meant in was.values.items():
                if meant == value and key in (None, mine):
                    found.add(now.values.get(mine))
                    self._used.add(n)
        if not found:
            return None
        self._agree(found, value)
        if (counterpart := found.pop()) is None:
            raise NoTemplate(f"What stands in place of {value!r} is no value of {key[1] if key else 'it'}.")
        return counterpart

    def _meant(self, tool: Tool, name: str, value: str) -> str | None:
        """A value that the words around the slots describe, which are the same in both requests."""
        option = next((o for o in tool.options[name] if o.value == value), None)
        if option is None:
            return None
        own = set(tokens(" ".join((value.replace("_", " "), *option.names, option.about))))
        return value if own & self._said else None

    def _sole(self, text: str) -> str | None:
        """The counterpart of a text that is what one slot says."""
        found: set[str] = set()
        for n, (was, now) in enumerate(self._pairs):
            if text == was.said or text == was.said.lower():
                found.add(now.said if text == was.said else now.said.lower())
                self._used.add(n)
        if not found:
            return None
        self._agree(found, text)
        return found.pop()

    def _spelt(self, text: str) -> str | None:
        """A text whose every word the old request says, with what its slots say replaced; None where one is not."""
        if not text.strip():
            return text
        made, used = self._replaced(text)
        rest = self._without(text)
        if not all(word in self._old.words for word in words_in(rest)):
            return None
        self._used |= used
        return made

    def _text(self, text: str) -> str | None:
        """A description for the new request; None where something of the old one would stay behind."""
        for mine, theirs in self._requests():
            if mine and mine in text:
                rest = [self._text(part) for part in text.split(mine)]
                return None if None in rest else theirs.join(part or "" for part in rest)
        made, _ = self._replaced(text)
        gone = {w for n in self._changed for w in tokens(self._pairs[n][0].said, stop=False)}
        gone -= set(tokens(self._new.reading.text, stop=False))
        return None if gone & set(tokens(self._without(text), stop=False)) else made

    def _requests(self) -> Sequence[tuple[str, str]]:
        old, new = self._old.reading.request, self._new.reading.request
        return (old, new), (old[:_CUT] if len(old) > _CUT else "", new[:_CUT])

    def _replaced(self, text: str) -> tuple[str, set[int]]:
        """The text with what changed slots say and mean in their places, and which slots it speaks of."""
        counterparts: dict[str, set[str]] = {}
        places: dict[str, set[int]] = {}
        for n, (was, now) in enumerate(self._pairs):
            for mine, theirs in _names(was, now):
                counterparts.setdefault(mine, set()).add(theirs)
                places.setdefault(mine, set()).add(n)
        used: set[int] = set()

        def put(match: re.Match[str]) -> str:
            said = match[0]
            self._agree(counterparts[said], said)
            used.update(places[said])
            return next(iter(counterparts[said]))

        pattern = _any_of(counterparts)
        return (pattern.sub(put, text) if pattern is not None else text), used

    def _without(self, text: str) -> str:
        pattern = _any_of({mine for was, now in self._pairs for mine, _ in _names(was, now)})
        return pattern.sub(" ", text) if pattern is not None else text

    def _agree(self, found: set[Any], value: object) -> None:
        if len(found) != 1:
            raise NoTemplate(f"{_short(str(value))!r} has more than one counterpart in the request.")


def _names(was: Slot, now: Slot) -> list[tuple[str, str]]:
    """What a slot says and means, each with its counterpart."""
    pairs = {was.said: now.said}
    for key, meant in was.values.items():
        if key in now.values:
            pairs.setdefault(meant, now.values[key])
    return list(pairs.items())


def _any_of(names: Any) -> re.Pattern[str] | None:
    """Any of these as whole words, the longest first."""
    if not names:
        return None
    parts = [
        rf"(?<![\w.]){re.escape(name)}(?!\w|\.\d)"
        if name[0].isascii() and name[-1].isascii()
        else re.escape(name)
        for name in sorted(names, key=len, reverse=True)
    ]
    return re.compile("|".join(parts))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
