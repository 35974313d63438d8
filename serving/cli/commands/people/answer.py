"""Owns `crewgraph answer`: what a person says to a question of a run, and the run going on with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.events import Answer
    from .....runtime.reading.history import RunSummary
    from .....runtime.reading.questions import Question
    from .....runtime.store import RunRecord
    from ....house import Outcome
    from .said import Said


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`).")],
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY", help="Which question (its key or the beginning), where there are several."
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
    from .said import read_said

    session: Session = ctx.obj
    said = read_said(
        approve=approve,
        edit=edit,
        answer=answer,
        reject=reject,
        happened=happened,
        again=again,
        note=note,
        by=by,
    )
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
    from ....answering import answer_to, meant
    from ..asking.going_on import crew_of, open_sight

    async with open_sight(session, as_json=as_json) as sight:
        house = sight.house
        record = await house.store.find_run(which)
        question = meant(await house.questions(record.id), key or "", record)
        answer = answer_to(question, said.word, said.value, note=said.note, by=said.by)
        stays = later or record.status == "running"
        crew = None if stays else crew_of(record, crew_file)
        await house.answer(record.id, question.key, answer)
        if crew is None:
            return Answered(record, question, answer)
        outcome = await sight.resume(record.id, crew)
        return Answered(record, question, answer, (outcome, await sight.summary(outcome)))
