"""Over HTTP runs are looked into, answered, gone on with, replayed, forked and compared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx
import openai
import pytest
from fastapi import FastAPI

from crewgraph.serving.api.app import make_app
from crewgraph.serving.house import House

from .conftest import ASK, Till, begun, refused

Listen = Callable[[FastAPI], AbstractAsyncContextManager[str]]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_that_has_to_wait_for_a_person_says_for_what(
    http: httpx.AsyncClient, till: Till, stream: bool
) -> None:
    async with openai.AsyncOpenAI(base_url=str(http.base_url), api_key="none", max_retries=0) as client:
        text, waiting = "", None
        if stream:
            async for chunk in await client.chat.completions.create(
                model="buying", messages=ASK, stream=True
            ):
                text += chunk.choices[0].delta.content or ""
                waiting = waiting or (chunk.model_extra or {}).get("crewgraph")
                finish = chunk.choices[0].finish_reason
        else:
            answer = await client.chat.completions.create(model="buying", messages=ASK)
            text, finish = answer.choices[0].message.content or "", answer.choices[0].finish_reason
            waiting = (answer.model_extra or {})["crewgraph"]
    assert finish == "stop"
    assert "May clerk call the tool pay?" in text
    assert '"amount": 7' in text
    assert waiting is not None
    assert waiting["run_id"] in text
    assert [question["task_id"] for question in waiting["waiting"]] == ["pay"]
    assert (await http.get(f"/runs/{waiting['run_id']}")).json()["status"] == "waiting"
    assert till.paid == []


async def test_an_answer_lets_the_run_go_on_and_tells_what_it_came_to(
    http: httpx.AsyncClient, till: Till
) -> None:
    run_id = await begun(http)
    (question,) = (await http.get(f"/runs/{run_id}/questions")).json()["data"]
    assert question["about"]["arguments"] == {"amount": 7, "to": "Ann"}
    said = {"key": question["key"][:8], "decision": "approve", "by": "Eve", "note": "fine"}
    done = await http.post(f"/runs/{run_id}/answer", json=said)
    assert done.status_code == 200, done.text
    run = done.json()
    assert (run["run_id"], run["status"]) == (run_id, "finished")
    assert "paid 7 to Ann" in run["answer"]
    assert till.paid == ["Ann=7"]
    assert (await http.get(f"/runs/{run_id}/questions")).json()["data"] == []
    answered = [e for e in (await http.get(f"/runs/{run_id}/events")).json() if e["kind"] == "answered"]
    assert [e["answer"]["by"] for e in answered] == ["Eve"]


async def test_an_edit_is_carried_out_instead(http: httpx.AsyncClient, till: Till) -> None:
    run_id = await begun(http)
    said = {"decision": "edit", "value": {"amount": 3, "to": "Bob"}}
    assert (await http.post(f"/runs/{run_id}/answer", json=said)).status_code == 200
    assert till.paid == ["Bob=3"]


async def test_a_rejected_run_fails_with_403_and_says_which_it_was(
    http: httpx.AsyncClient, till: Till
) -> None:
    run_id = await begun(http)
    done = await http.post(f"/runs/{run_id}/answer", json={"decision": "reject", "note": "too dear"})
    refused(done, 403, "rejected", "too dear")
    assert done.json()["crewgraph"] == {"run_id": run_id}
    assert till.paid == []


async def test_an_answer_can_be_left_without_going_on_and_the_first_one_counts(
    http: httpx.AsyncClient, till: Till
) -> None:
    run_id = await begun(http)
    left = await http.post(f"/runs/{run_id}/answer", json={"decision": "approve", "resume": False})
    assert left.json()["object"] == "answer"
    assert till.paid == []
    twice = await http.post(f"/runs/{run_id}/answer", json={"decision": "reject"})
    refused(twice, 400, "invalid_request", "has been answered")
    assert (await http.post(f"/runs/{run_id}/resume")).json()["status"] == "finished"
    assert till.paid == ["Ann=7"]


async def test_a_step_in_doubt_is_settled_by_whoever_knows(http: httpx.AsyncClient, till: Till) -> None:
    run_id = await begun(http)
    till.lost = True
    waits = await http.post(f"/runs/{run_id}/answer", json={"decision": "approve"})
    assert waits.status_code == 202
    assert [question["in_doubt"] for question in waits.json()["questions"]] == [True]
    still = await http.post(f"/runs/{run_id}/resume")
    assert (still.status_code, still.json()["status"]) == (202, "waiting")
    for decision in ("approve", "answer", "reject"):
        no = await http.post(f"/runs/{run_id}/answer", json={"decision": decision})
        refused(no, 400, "invalid_request", "in doubt")
    done = await http.post(f"/runs/{run_id}/answer", json={"decision": "happened", "value": "paid by post"})
    assert "paid by post" in done.json()["answer"]
    assert till.paid == ["Ann=7"]


async def test_runs_are_listed_newest_first_by_state_and_number(http: httpx.AsyncClient) -> None:
    first, second = await begun(http), await begun(http)
    await http.post(f"/runs/{first}/answer", json={"decision": "approve"})
    listed = (await http.get("/runs")).json()
    assert listed["object"] == "list"
    assert [run["run_id"] for run in listed["data"]] == [second, first]
    assert [run["run_id"] for run in (await http.get("/runs?status=waiting")).json()["data"]] == [second]
    assert [run["run_id"] for run in (await http.get("/runs?limit=1")).json()["data"]] == [second]
    assert (await http.get("/runs/last")).json()["run_id"] == second
    for wrong, param in (("limit=0", "limit"), ("limit=many", "limit"), ("status=lost", "status")):
        answer = await http.get(f"/runs?{wrong}")
        refused(answer, 400, "invalid_request")
        assert answer.json()["error"]["param"] == param
    refused(await http.get("/diff?a=last"), 400, "invalid_request", "b:")


async def test_a_run_is_told_with_its_tasks_and_events_numbered_as_forks_want_them(
    http: httpx.AsyncClient,
) -> None:
    run_id = await begun(http)
    run = (await http.get(f"/runs/{run_id}")).json()
    assert {task["id"]: task["state"] for task in run["tasks"]} == {"look": "finished", "pay": "asking"}
    events = (await http.get(f"/runs/{run_id}/events")).json()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    intended = next(e for e in events if e["kind"] == "step_intended" and e["task_id"] == "look")
    forked = await http.post(f"/runs/{run_id}/fork", json={"at": f"#{intended['seq']}", "resume": False})
    assert forked.status_code == 201
    assert (forked.json()["forked_from"], forked.json()["forked_at"]) == (run_id, intended["seq"])


async def test_a_fork_goes_on_changed_and_is_compared_with_its_origin(
    http: httpx.AsyncClient, till: Till
) -> None:
    run_id = await begun(http)
    await http.post(f"/runs/{run_id}/answer", json={"decision": "approve"})
    forked = await http.post(
        f"/runs/{run_id}/fork", json={"at": "look:tool:price", "set": {"output.value": 50}, "model": "other"}
    )
    assert forked.status_code == 202
    other = forked.json()["run_id"]
    assert other != run_id
    assert forked.json()["model"] == "other"
    done = await http.post(f"/runs/{other}/answer", json={"decision": "approve"})
    assert "paid 50 to Ann" in done.json()["answer"]
    found = (await http.get("/diff", params={"a": run_id, "b": other})).json()
    assert (found["run_a"], found["run_b"], found["same"]) == (run_id, other, False)
    assert found["first"]["task_id"] == "look"
    assert "50" in found["answer"]
    assert "paid 7 to Ann" in (await http.get(f"/runs/{run_id}")).json()["answer"]


async def test_a_replay_gives_the_same_and_names_the_first_step_that_differs(
    http: httpx.AsyncClient, house: House, till: Till, listen: Listen
) -> None:
    run_id = await begun(http)
    await http.post(f"/runs/{run_id}/answer", json={"decision": "approve"})
    replayed = (await http.post(f"/runs/{run_id}/replay")).json()
    assert (replayed["run_id"], replayed["same"]) == (run_id, True)
    async with (
        listen(make_app(house, till.made("buying", item="coffee"))) as url,
        httpx.AsyncClient(base_url=url) as changed,
    ):
        diverged = await changed.post(f"/runs/{run_id}/replay")
    refused(diverged, 409, "replay_diverged", "'tea' → 'coffee'")
    assert till.paid == ["Ann=7"]


async def test_a_run_is_stopped_when_its_client_leaves_and_can_be_gone_on_with(
    http: httpx.AsyncClient, till: Till, house: House
) -> None:
    till.gate.clear()
    asking = asyncio.create_task(begun(http))
    await till.reached.wait()
    run_id = (await house.store.find_run("last")).id
    refused(await http.post(f"/runs/{run_id}/resume"), 409, "run_busy", "being carried out")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(5):
        while (await house.store.find_run(run_id)).status == "running":  # noqa: ASYNC110 (another task writes it)
            await asyncio.sleep(0.01)
    till.reached.clear()
    going = asyncio.create_task(http.post(f"/runs/{run_id}/resume"))
    await till.reached.wait()
    second = asyncio.create_task(http.post("/chat/completions", json={"model": "buying", "messages": ASK}))
    # One run goes on, one request waits: there is no room for a third, whatever it asks for.
    async with asyncio.timeout(5):
        while (third := await http.post("/runs/last/replay")).status_code != 503:
            assert third.status_code in (200, 404)
    refused(third, 503, "overloaded")
    till.gate.set()
    assert (await going).status_code == 202
    assert (await second).status_code == 200


async def test_a_budget_can_be_raised_to_go_on(house: House, till: Till, listen: Listen) -> None:
    from crewgraph.runtime.budget import Budget
    from crewgraph.runtime.errors import BudgetExceeded

    till.gate.clear()
    with pytest.raises(BudgetExceeded) as stopped:
        await house.ask(till.crew, "pay", budget=Budget(seconds=0.1))
    till.gate.set()
    run_id = stopped.value.run_id
    async with listen(make_app(house, till.crew)) as url, httpx.AsyncClient(base_url=url) as http:
        again = await http.post(f"/runs/{run_id}/resume")
        refused(again, 429, "budget_exceeded")
        assert again.json()["crewgraph"] == {"run_id": run_id}
        assert (await http.post(f"/runs/{run_id}/resume", json={"seconds": 60})).status_code == 202
