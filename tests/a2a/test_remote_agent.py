"""A remote agent in a crew: asked once, shown as it writes, asked through, cancelled with its run, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crewgraph import Agent, Crew
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import CrewgraphError
from crewgraph.runtime.events import Answer
from crewgraph.runtime.graph import Task
from crewgraph.serving.a2a.remote import remote_agent
from crewgraph.serving.api.app import make_app
from crewgraph.serving.house import House
from crewgraph.serving.settings import Settings

from ..api.conftest import Listen, Till
from .remote import Remote, remotely


@pytest.fixture
async def near(tmp_path: Path) -> AsyncIterator[House]:
    """A house of our own: the remote crew lives in another one."""
    async with House.open(Settings(home=tmp_path / "near", model_url=None), engine=False) as house:
        yield house


async def test_what_the_remote_crew_asks_is_asked_here_and_its_answer_and_evidence_are_ours(
    near: House, served: str, till: Till, house: House
) -> None:
    remote = Remote(near, remotely(served))
    run_id = await remote.waits("pay the bill")
    (question,) = await near.questions(run_id)
    assert question.choices == ("approve", "edit", "reject")
    assert "pay" in question.question
    assert till.paid == []
    assert "paid 7 to Ann" in await remote.answered(run_id, decision="approve")
    assert till.paid == ["Ann=7"]
    (theirs,) = await house.store.list_runs()
    outcome = await near.outcome(run_id)
    assert all(
        any(line in mine for mine in outcome.evidence) for line in (await house.outcome(theirs.id)).evidence
    )


async def test_an_edit_and_a_no_go_through_too(near: House, served: str, till: Till) -> None:
    remote = Remote(near, remotely(served))
    edited = await remote.waits("pay the bill")
    (question,) = await near.questions(edited)
    await near.answer(edited, question.key, Answer(decision="edit", value={"amount": 3, "to": "Bob"}))
    assert "paid 3 to Bob" in (await near.resume(edited, remote.crew)).answer
    refused = await remote.waits("pay the other bill")
    with pytest.raises(CrewgraphError):
        await remote.answered(refused, decision="reject")
    assert till.paid == ["Bob=3"]


async def test_a_replay_calls_nobody(near: House, served: str, till: Till) -> None:
    remote = Remote(near, remotely(served))
    run_id = await remote.waits("pay the bill")
    answer = await remote.answered(run_id, decision="approve")
    gone = remotely("http://127.0.0.1:9")
    assert (await near.replay(run_id, remote.crew)).answer == answer
    with pytest.raises(CrewgraphError, match=r"replay|journal|step"):
        await near.replay(run_id, gone)
    assert till.paid == ["Ann=7"]


async def test_cancelling_the_run_cancels_the_remote_task_and_its_resume_asks_anew(
    near: House, served: str, till: Till, house: House
) -> None:
    till.gate.clear()
    remote = Remote(near, remotely(served))
    going = asyncio.create_task(remote.ask("pay the bill"))
    await till.reached.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    (theirs,) = await house.store.list_runs()
    assert theirs.status == "cancelled"
    till.gate.set()
    run_id = (await near.store.find_run("last")).id
    with pytest.raises(CrewgraphError):
        await near.resume(run_id, remote.crew)
    assert "paid 7 to Ann" in await remote.answered(run_id, decision="approve")
    assert [run.status for run in await house.store.list_runs()] == ["finished", "cancelled"]
    assert till.paid == ["Ann=7"]


async def test_a_run_that_lost_its_connection_goes_on_with_the_task_it_began(
    near: House, house: House, till: Till, listen: Listen
) -> None:
    """The server ends in the middle, and another one over the same database takes its place."""
    till.gate.clear()
    app = make_app(house, till.crew)
    async with listen(app) as url:
        remote = Remote(near, remotely(url.removesuffix("/v1")))
        going = asyncio.create_task(remote.waits("pay the bill"))
        await till.reached.wait()
        app.state.gate.close()
        await app.state.errands.aclose()
        till.gate.set()
        again = make_app(house, till.crew)
        app.router.routes[:] = again.router.routes  # the same address, a server begun anew
        run_id = await asyncio.wait_for(going, 30)
        assert "paid 7 to Ann" in await remote.answered(run_id, decision="approve")
        await again.state.errands.aclose()
    assert [run.status for run in await house.store.list_runs()] == ["finished"]


async def test_text_is_shown_while_the_remote_model_writes(
    near: House, tmp_path: Path, listen: Listen
) -> None:
    crew = Crew(
        [Agent("writer", "Write.")], tasks=[Task(id="write", description="write a note", agent="writer")]
    )
    model = ScriptedModel(
        lambda request: request.choices[0] if request.choices else "Dear Ann, the tea has come."
    )
    async with (
        House.open(Settings(home=tmp_path / "far", model_url=None), client=model) as far,
        listen(make_app(far, crew)) as url,
    ):
        remote = Remote(near, remotely(url.removesuffix("/v1")))
        answer = await remote.ask("write a note to Ann")
    assert "the tea has come" in answer
    assert answer.strip() in remote.shown


@pytest.mark.parametrize("path", ["/nothing", "/v1/models", "/v1/models.json"])
async def test_a_url_that_is_no_agents_is_said_to_be_so(near: House, served: str, path: str) -> None:
    with pytest.raises(CrewgraphError, match="There is no agent card at"):
        await Remote(near, remotely(served + path)).ask("pay")


async def test_an_agent_that_is_not_there_is_said_to_be_so(near: House) -> None:
    with pytest.raises(CrewgraphError, match=r"No agent answers at http://127\.0\.0\.1:9"):
        await Remote(near, remotely("http://127.0.0.1:9")).ask("pay")


def test_a_key_is_never_shown() -> None:
    assert "secret" not in repr(remote_agent("http://127.0.0.1:9", key="secret"))
