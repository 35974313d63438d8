"""Questions: what a run waits for a person to say, read from its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from ..errors import InvalidRequest
from ..events import Answer, Answered, Asked, Decision, Event, StepErred, StepFinished, StepIntended

DOUBT_CHOICES: tuple[Decision, ...] = ("answer", "reject")
"""To a step in doubt: it happened and gave this value; it did not happen, run it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One open question of a run. `in_doubt`: a `once` step was begun and nobody knows whether it happened.

    `since` is when it was asked, in seconds since the epoch.
    """

    key: str
    task_id: str
    name: str
    question: str
    about: JsonValue
    choices: tuple[Decision, ...]
    since: float
    in_doubt: bool = False

    def check(self, answer: Answer) -> None:
        """Refuse an answer that is none to this question.

        Raises:
            InvalidRequest: the decision is not one of the choices, or an edit gives no value.
        """
        if answer.decision not in self.choices:
            raise InvalidRequest(
                f"{answer.decision!r} is no answer to question {self.key}: choose one of {', '.join(self.choices)}."
            )
        if answer.decision == "edit" and answer.value is None:
            raise InvalidRequest(f"An edit says what to do instead: give question {self.key} a value.")


def open_questions(events: Iterable[Event], *, running: bool = False) -> list[Question]:
    """The questions that wait for an answer, the oldest first.

    `running` says that a process carries the run out just now: then a `once` step without a result is at work and
    not in doubt.
    """
    found: dict[str, Question] = {}
    for event in events:
        match event:
            case Asked():
                found[event.key] = Question(
                    event.key, event.task_id, event.name, event.question, event.about, event.choices, event.at
                )
            case StepIntended(effect="once") if not running:
                found[event.key] = Question(
                    event.key,
                    event.task_id,
                    event.name,
                    f"Step {event.name!r} of task {event.task_id!r} was begun and the run broke off: did it happen?",
                    event.inputs,
                    DOUBT_CHOICES,
                    event.at,
                    in_doubt=True,
                )
            case StepErred(code="outcome_unknown"):
                pass
            case Answered() | StepFinished() | StepErred():
                found.pop(event.key, None)
            case _:
                pass
    return list(found.values())


def find_question(questions: Iterable[Question], key: str, run_id: str) -> Question:
    """The open question with this key, or this unique beginning of one.

    Raises:
        InvalidRequest: no open question begins so, or several do.
    """
    known = list(questions)
    matching = [q for q in known if q.key == key] or [q for q in known if key and q.key.startswith(key)]
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(q.key for q in known) or "none"
    raise InvalidRequest(f"Run {run_id} has no open question {key!r}; open are: {listed}.")
