"""Answering: which of a run's open questions is meant, and the answer that a person's words are to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..runtime.errors import InvalidRequest
from ..runtime.events import Answer
from ..runtime.reading.questions import Question, find_question
from .telling import short_keys

if TYPE_CHECKING:
    from ..runtime.store import RunRecord

Word = Literal["approve", "edit", "answer", "reject", "happened", "again"]
"""What a person says: to a question a decision, of a step in doubt that it happened or is to run again."""

WORDS: tuple[str, ...] = get_args(Word)


def meant(questions: Sequence[Question], key: str, record: RunRecord) -> Question:
    """The question with this key or unique beginning of one; without a key the only one there is.

    Raises:
        InvalidRequest: there is no such question, none at all, or several.
    """
    if not questions and record.status == "waiting":
        raise InvalidRequest(f"All that run {record.id} asks has been answered: resume it to go on.")
    if not questions:
        raise InvalidRequest(f"Run {record.id} waits for no answer (it is {record.status}).")
    if key:
        return find_question(questions, key, record.id)
    if len(questions) > 1:
        keys = ", ".join(short_keys(questions).values())
        raise InvalidRequest(f"Run {record.id} waits for {len(questions)} answers: name one of {keys}.")
    return questions[0]


def answer_to(question: Question, word: Word, value: Any = None, *, note: str = "", by: str = "") -> Answer:
    """The answer that this word is. `no` to a question is not `it did not happen` of a step in doubt.

    Raises:
        InvalidRequest: it cannot be said to this question.
    """
    if question.in_doubt and word not in ("happened", "again"):
        raise InvalidRequest(
            f"Step {question.name!r} of task {question.task_id!r} is in doubt: say happened (and what it gave), "
            "or again (it did not happen: run it)."
        )
    if not question.in_doubt and word in ("happened", "again"):
        raise InvalidRequest(
            f"{word!r} is said of a step in doubt, and this is a question ({question.question}): "
            f"choose one of {', '.join(question.choices)}."
        )
    if word == "happened":
        answer = Answer(decision="answer", value=value, note=note, by=by)
    elif word == "again":
        answer = Answer(decision="reject", note=note, by=by)
    else:
        answer = Answer(decision=word, value=value, note=note, by=by)
    question.check(answer)
    return answer
