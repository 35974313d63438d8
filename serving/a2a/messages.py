"""Messages as A2A clients send them, checked, and what they say to a crew or to a task that waits."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from ...runtime.errors import InvalidRequest
from ...runtime.events import Answer
from ...runtime.reading.questions import Question
from ..answering import WORDS, Word, answer_to
from ..api.body import invalid
from .errors import A2AError, Kind

P = TypeVar("P", bound=BaseModel)

_YES = frozenset(
    {"approve", "approved", "yes", "y", "ok", "okay", "go on", "同意", "批准", "是", "好", "可以"}
)
_NO = frozenset({"reject", "rejected", "no", "n", "deny", "拒绝", "不同意", "否", "不", "不行"})


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Part(_Wire):
    """One piece of a message: text, or data; files are refused."""

    text: str | None = None
    data: JsonValue = None
    raw: str | None = None
    url: str | None = None


class Incoming(_Wire):
    """A message to the crew."""

    message_id: str = Field(min_length=1)
    role: str = ""
    parts: list[Part] = Field(min_length=1)
    context_id: str | None = None
    task_id: str | None = None


class Configuration(_Wire):
    """How a client wants to be answered."""

    accepted_output_modes: list[str] | None = None
    task_push_notification_config: Any = None
    history_length: int | None = Field(default=None, ge=0)
    return_immediately: bool | None = None


class SendParams(_Wire):
    """A message, sent."""

    message: Incoming
    configuration: Configuration | None = None
    tenant: str | None = None


class TaskParams(_Wire):
    """Which task."""

    id: str = Field(min_length=1)
    history_length: int | None = Field(default=None, ge=0)
    tenant: str | None = None


class ListParams(_Wire):
    """Which tasks, and which page of them."""

    context_id: str | None = None
    status: str | None = None
    page_size: int | None = Field(default=None, ge=1, le=100)
    page_token: str | None = None
    history_length: int | None = Field(default=None, ge=0)
    include_artifacts: bool | None = None
    tenant: str | None = None


def params_of(kind: type[P], value: object) -> P:
    """The parameters of a call. Raises `A2AError`: they are not what the operation takes."""
    if not isinstance(value, dict):
        raise A2AError(Kind.INVALID_PARAMS, "The parameters must be a JSON object.")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise A2AError(Kind.INVALID_PARAMS, str(invalid(error.errors(include_url=False)[0]))) from None


def refuse_unsupported(params: SendParams) -> None:
    """Say no to what a crew cannot read or give. Raises `A2AError`."""
    if params.message.role not in ("", "ROLE_USER", "ROLE_UNSPECIFIED"):
        said = (
            f"message.role is {params.message.role[:40]!r}: what is sent to an agent has the role ROLE_USER."
        )
        raise A2AError(Kind.INVALID_PARAMS, said)
    for place, part in enumerate(params.message.parts):
        if part.raw is not None or part.url is not None:
            said = f"message.parts[{place}] is a file: a crew reads text parts only."
            raise A2AError(Kind.CONTENT_TYPE_NOT_SUPPORTED, said)
    wanted = params.configuration
    if wanted is None:
        return
    if wanted.task_push_notification_config is not None:
        raise no_push()
    modes = [mode.partition(";")[0].strip().lower() for mode in wanted.accepted_output_modes or ()]
    if modes and not any(mode in ("text", "text/plain", "text/*", "*/*", "*") for mode in modes):
        said = f"The crew answers in text/plain, and acceptedOutputModes names {', '.join(modes)[:200]} only."
        raise A2AError(Kind.CONTENT_TYPE_NOT_SUPPORTED, said)


def no_push() -> A2AError:
    """What is said to every wish for push notifications."""
    return A2AError(
        Kind.PUSH_NOTIFICATION_NOT_SUPPORTED,
        "There are no push notifications here: stream the task, or subscribe to it.",
    )


def request_in(message: Incoming) -> str:
    """What a new task is asked to do. Raises `A2AError`: it is not said in text."""
    for place, part in enumerate(message.parts):
        if part.text is None:
            said = f"message.parts[{place}] is no text: say in text parts what is to be done."
            raise A2AError(Kind.CONTENT_TYPE_NOT_SUPPORTED, said)
    return text_of(message)


def text_of(message: Incoming) -> str:
    """All text of a message. Raises `A2AError`: it is not text that can be kept."""
    text = "\n".join(part.text for part in message.parts if part.text is not None)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise A2AError(
            Kind.INVALID_PARAMS, "message.parts holds half a surrogate pair, which is not text."
        ) from None
    return text


def id_of(crew: str, tenant: str, message: Incoming) -> str:
    """The id of the task that a message begins: the same message, sent again, means the same task."""
    same = [crew, tenant, message.message_id, message.context_id or "", text_of(message)]
    return f"a2a-{hashlib.sha256(json.dumps(same).encode()).hexdigest()[:32]}"


def signature_of(message: Incoming) -> str:
    """Who an answer is by, so that the same message, sent again, is known again."""
    return f"a2a:{message.message_id}"


def named_question(message: Incoming) -> str:
    """The key of the question that a message answers, where it names one in a data part."""
    return str(_said(message).get("question", ""))


def answer_in(message: Incoming, question: Question) -> Answer:
    """What a message says to a question: in words, or as a data part ``{"decision": …, "value": …}``.

    Raises:
        A2AError: it says nothing that can be said to this question.
    """
    said, text = _said(message), text_of(message).strip()
    by = signature_of(message)
    try:
        if said:
            decision = cast(Word, said.get("decision", "answer"))
            if decision not in WORDS:
                raise InvalidRequest(f"decision is {decision!r:.60}: it is one of {', '.join(WORDS)}.")
            return answer_to(question, decision, said.get("value"), note=str(said.get("note", text)), by=by)
        return answer_to(question, *_in_words(text, question), by=by)
    except InvalidRequest as error:
        raise A2AError(Kind.INVALID_PARAMS, str(error)) from None


def _said(message: Incoming) -> dict[str, JsonValue]:
    return next((part.data for part in message.parts if isinstance(part.data, dict)), {})


def _in_words(text: str, question: Question) -> tuple[Word, JsonValue]:
    word = text.rstrip(" .!。！").lower()
    if question.in_doubt:
        if word in ("again", "happened"):
            return ("again", None) if word == "again" else ("happened", None)
    elif word in _YES and "approve" in question.choices:
        return "approve", None
    elif word in _NO and "reject" in question.choices:
        return "reject", None
    elif text and "answer" in question.choices:
        return "answer", text
    may = (
        ("happened", "again")
        if question.in_doubt
        else tuple(c for c in get_args(Word) if c in question.choices)
    )
    raise InvalidRequest(
        f"The task asks: {question.question} Say one of {', '.join(may)}; "
        'or send a data part such as {"decision": "edit", "value": …}.'
    )
