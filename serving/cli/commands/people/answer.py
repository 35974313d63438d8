"""Owns `crewgraph answer`: what a person says to a question of a run, and the run going on with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.events import Answer
    from .....runtime.history import RunSummary
    from .....runtime.questions import Question
    from .....runtime.store import RunRecord
    from ....house import Outcome


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`).")],
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]", help="Which question (its key or the beginning), where there are several."
        ),
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Yes, go on.")] = False,
    edit: Annotated[
        str | None, typer.Option("--edit", metavar="JSON", help="Go on with this instead (all arguments).")
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            "--answer", metavar="JSON", help="This is the answer, or the result (JSON, or plain words)."
        ),
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="No.")] = False,
    happened: Annotated[
        bool, typer.Option("--happened", help="Of a step in doubt: it happened (--answer: and gave this).")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Of a step in doubt: it did not happen, run it.")
    ] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so (default: your login).")] = None,
    crew: Annotated[
        str | None, typer.Option(metavar="FILE", help="The crew's file, where it is not where it was.")
    ] = None,
    later: Annotated[bool, typer.Option("--later", help="Keep the answer and do not go on yet.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Answer a question of a run; then the run goes on with it."""
    from ...pictures.report import kept_for_json, print_json, report

    session: Session = ctx.obj
    said = Said.read(approve, edit, answer, reject, happened, again, note, by)
    with kept_for_json(as_json):
        answered = block_on(_answer(session, run, key, said, crew, later, as_json=as_json))
    if answered.ran is not None:
        report(*answered.ran, as_json=as_json)
    elif as_json:
        from ....telling import question_json

        question = question_json(answered.question, answered.record.id)
        print_json(
            {"run_id": answered.record.id, "question": question, "answer": answered.answer.model_dump()}
        )
    else:
        run_id = answered.record.id
        how = (
            "it is being carried out, and takes the answer when nothing else is left to do"
            if answered.record.status == "running"
            else f"go on with crewgraph resume {run_id}"
        )
        print(f"Answered {answered.question.key[:8]} of run {run_id}: {how}.")
    return 0


@dataclass(frozen=True)
class Said:
    """What the command line says. `doubt` is "happened" or "again", and empty where it is about no step in doubt."""

    answer: Answer
    doubt: str = ""

    @classmethod
    def read(
        cls,
        approve: bool,
        edit: str | None,
        answer: str | None,
        reject: bool,
        happened: bool,
        again: bool,
        note: str,
        by: str | None,
    ) -> Said:
        """The one thing that is said.

        Raises:
            InvalidInput: it is nothing or several things, or a value is not JSON.
        """
        from .....runtime.errors import InvalidInput
        from .....runtime.events import Answer
        from ..asking.going_on import login_name

        who = login_name() if by is None else by
        given = {
            "--approve": approve,
            "--edit": edit is not None,
            "--answer": answer is not None and not happened,
            "--reject": reject,
            "--happened": happened,
            "--again": again,
        }
        chosen = [option for option, there in given.items() if there]
        if len(chosen) != 1:
            raise InvalidInput(
                f"Say one thing{f', not {len(chosen)}' if chosen else ''}: --approve, --edit JSON, --answer JSON or "
                "--reject; of a step in doubt --happened or --again."
            )
        match chosen[0]:
            case "--approve":
                return cls(Answer(decision="approve", note=note, by=who))
            case "--edit":
                return cls(Answer(decision="edit", value=_json("--edit", edit or ""), note=note, by=who))
            case "--reject":
                return cls(Answer(decision="reject", note=note, by=who))
            case "--again":
                return cls(Answer(decision="reject", note=note, by=who), "again")
            case option:
                value = None if answer is None else _words("--answer", answer)
                doubt = "happened" if option == "--happened" else ""
                return cls(Answer(decision="answer", value=value, note=note, by=who), doubt)

    def check(self, question: Question) -> None:
        """Refuse what is said of a step in doubt where none is, and the other way round: `no` is not `run it`.

        Raises:
            InvalidRequest: it fits no question of this kind.
        """
        from .....runtime.errors import InvalidRequest

        if question.in_doubt and not self.doubt:
            raise InvalidRequest(
                f"Step {question.name!r} of task {question.task_id!r} is in doubt: say --happened (and what it gave, "
                "with --answer JSON), or --again to run it."
            )
        if self.doubt and not question.in_doubt:
            raise InvalidRequest(
                f"--{self.doubt} is about a step in doubt, and this is a question ({question.question}): "
                f"choose one of {', '.join(f'--{choice}' for choice in question.choices)}."
            )


@dataclass(frozen=True)
class Answered:
    """Which question was answered how, and what the run came to where it went on."""

    record: RunRecord
    question: Question
    answer: Answer
    ran: tuple[Outcome, RunSummary] | None = None


async def _answer(
    session: Session,
    which: str,
    key: str | None,
    said: Said,
    crew_file: str | None,
    later: bool,
    *,
    as_json: bool,
) -> Answered:
    from ..asking.going_on import crew_of, open_sight

    async with open_sight(session, as_json=as_json) as sight:
        house = sight.house
        record = await house.store.find_run(which)
        question = _chosen(await house.questions(record.id), key, record)
        said.check(question)
        stays = later or record.status == "running"
        crew = None if stays else crew_of(record, crew_file)
        await house.answer(record.id, question.key, said.answer)
        if crew is None:
            return Answered(record, question, said.answer)
        outcome = await sight.resume(record.id, crew)
        return Answered(record, question, said.answer, (outcome, await sight.summary(outcome)))


def _chosen(questions: list[Question], key: str | None, record: RunRecord) -> Question:
    """The question that is meant; without a key the only one there is."""
    from .....runtime.errors import InvalidRequest
    from .....runtime.questions import find_question
    from ....telling import short_keys

    if key is not None:
        return find_question(questions, key, record.id)
    if not questions:
        raise InvalidRequest(f"Run {record.id} waits for no answer (it is {record.status}).")
    if len(questions) > 1:
        keys = ", ".join(short_keys(questions).values())
        raise InvalidRequest(
            f"Run {record.id} waits for {len(questions)} answers: name one of {keys} (crewgraph questions {record.id})."
        )
    return questions[0]


def _json(option: str, text: str) -> Any:
    from .....runtime.errors import InvalidInput

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{option} {text[:60]!r} is not JSON ({error}): put text in double quotes."
        ) from None


def _words(option: str, text: str) -> Any:
    """JSON, or plain words; what begins like JSON has to be JSON, for an answer cannot be taken back."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _json(option, text) if text[:1] in tuple('{["') else text
