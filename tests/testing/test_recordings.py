"""A recorded model asks the live one once, and gives the same ever after; what it does not know it says, with the difference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from crewgraph import Crew, Message, ModelClient, ModelRequest
from crewgraph.runtime.errors import EngineBusy, EngineError, InvalidRequest
from crewgraph.testing import CrewHouse, RecordedModel, ScriptedModel

FIRST = ModelRequest((Message("system", "Be brief.\nBe kind."), Message("user", "hello")))


class Live:
    """A live model, and how often it was opened and closed."""

    def __init__(self, *replies: object) -> None:
        self.model = ScriptedModel(list(replies))  # type: ignore[arg-type]  # what a test scripts
        self.opened = self.closed = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[ModelClient]:
        self.opened += 1
        try:
            yield self.model
        finally:
            self.closed += 1


async def test_a_reply_is_recorded_once_and_given_ever_after(tmp_path: Path) -> None:
    live, file = Live("hi", "hi again"), tmp_path / "recordings" / "one.jsonl"
    recorder = RecordedModel(file, live)
    first = await recorder.complete(FIRST)
    second = await recorder.complete(FIRST)
    names = await recorder.models()
    tokens = await recorder.count_tokens(FIRST)
    with pytest.raises(EngineError, match="makes no embeddings"):
        await recorder.embed(("a",))
    await recorder.aclose()
    assert (live.opened, live.closed) == (1, 1)

    kept = RecordedModel(file, live)
    assert not kept.recording
    assert await kept.complete(FIRST) == first
    assert "".join([d.text async for d in kept.stream(FIRST)]) == second.text
    assert await kept.complete(FIRST) == second, "the last one, from then on"
    assert (await kept.models(), await kept.count_tokens(FIRST)) == (names, tokens)
    with pytest.raises(EngineError, match="makes no embeddings"):
        await kept.embed(("a",))
    assert live.opened == 1, "the live model was not asked again"


async def test_an_unknown_request_shows_how_it_differs_from_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    recorder = RecordedModel(file, Live("hi", "no"))
    await recorder.complete(FIRST)
    await recorder.complete(ModelRequest((Message("user", "something else entirely, of no likeness"),)))
    changed = ModelRequest((Message("system", "Be brief.\nBe stern."), Message("user", "hello")))
    with pytest.raises(AssertionError) as caught:
        await RecordedModel(file).complete(changed)
    said = str(caught.value)
    assert f"{file} has no reply to this call (complete)" in said
    removed = [line for line in said.split("\n") if line.startswith("-") and "recorded" not in line]
    added = [line for line in said.split("\n") if line.startswith("+") and "asked" not in line]
    assert len(removed) == len(added) == 1
    assert "Be kind." in removed[0]
    assert "Be stern." in added[0]


async def test_hints_and_time_limits_are_no_part_of_a_request(tmp_path: Path) -> None:
    await RecordedModel(tmp_path / "one.jsonl", Live("hi")).complete(FIRST)
    assert (await RecordedModel(tmp_path / "one.jsonl").complete(replace(FIRST, timeout_s=3.0))).text == "hi"


async def test_a_missing_recording_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"there is no recording .*one\.jsonl.*--live-models"):
        await RecordedModel(tmp_path / "one.jsonl").complete(FIRST)


async def test_a_failed_reply_is_not_recorded(tmp_path: Path) -> None:
    recorder = RecordedModel(tmp_path / "one.jsonl", Live(EngineBusy("later"), "hi"))
    with pytest.raises(EngineBusy):
        await recorder.complete(FIRST)
    assert not (tmp_path / "one.jsonl").exists()


async def test_secrets_are_not_written(tmp_path: Path) -> None:
    key = "sk-" + "a1" * 12
    request = ModelRequest((Message("user", f"my key is {key}"),))
    await RecordedModel(tmp_path / "one.jsonl", Live("hi")).complete(request)
    assert key not in (tmp_path / "one.jsonl").read_text("utf-8")
    assert (await RecordedModel(tmp_path / "one.jsonl").complete(request)).text == "hi"


def test_a_file_that_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(InvalidRequest, match="not a recording"):
        RecordedModel(tmp_path / "one.jsonl")


async def test_a_whole_run_is_recorded_and_comes_to_the_same_answer(tmp_path: Path, writers: Crew) -> None:
    live, file = Live("The land.", "The sea.", "The sea."), tmp_path / "run.jsonl"
    answers = []
    for n in range(2):
        told = await CrewHouse(tmp_path / str(n)).ask(
            writers, "Write about water.", RecordedModel(file, live)
        )
        answers.append(told.answer)
    assert answers[0] == answers[1]
    assert (live.opened, live.closed) == (1, 1)
