"""A served crew speaks A2A: a task is a run that goes on whoever listens, asks people, is told live and ended for good."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import httpx
import pytest

from crewgraph import Agent, Crew
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.graph import Task
from crewgraph.serving.api.app import make_app
from crewgraph.serving.house import House
from crewgraph.serving.settings import Settings

from ..api.conftest import Listen, Till
from .conftest import Peer, answer_of, message, state


async def test_the_card_says_who_this_is_and_where_and_how_it_is_talked_to(peer: Peer, served: str) -> None:
    card = (await peer.http.get("/.well-known/agent-card.json")).json()
    assert card["name"] == "buying"
    assert [skill["id"] for skill in card["skills"]] == ["clerk"]
    assert card["capabilities"]["streaming"] is True
    ways = {
        way["protocolBinding"]: (way["url"], way["protocolVersion"]) for way in card["supportedInterfaces"]
    }
    assert ways == {"JSONRPC": (f"{served}/a2a", "1.0"), "HTTP+JSON": (f"{served}/a2a", "1.0")}


async def test_what_a_task_asks_is_answered_in_words_and_its_answer_comes_with_evidence(
    peer: Peer, till: Till, house: House
) -> None:
    asked = await peer.send("pay the bill")
    assert state(asked) == "INPUT_REQUIRED"
    assert "pay" in asked["status"]["message"]["parts"][0]["text"]
    assert till.paid == []
    done = await peer.send("Yes.", taskId=asked["id"])
    assert state(done) == "COMPLETED"
    assert "paid 7 to Ann" in answer_of(done)
    assert done["artifacts"][0]["metadata"]["evidence"] == list((await house.outcome(asked["id"])).evidence)
    assert till.paid == ["Ann=7"]
    assert (await peer.result("GetTask", id=asked["id"])) == done


@pytest.mark.parametrize(
    ("part", "paid"),
    [
        ({"data": {"decision": "approve"}}, ["Ann=7"]),
        ({"data": {"decision": "edit", "value": {"amount": 3, "to": "Bob"}}}, ["Bob=3"]),
        ({"text": "同意"}, ["Ann=7"]),
        ({"data": {"decision": "reject", "note": "too dear"}}, []),
        ({"text": "no"}, []),
    ],
)
async def test_an_answer_may_be_data_too(
    peer: Peer, till: Till, part: dict[str, object], paid: list[str]
) -> None:
    asked = await peer.send("pay the bill")
    done = await peer.send("", parts=[part], taskId=asked["id"], contextId=asked["contextId"])
    assert state(done) in (("COMPLETED",) if paid else ("FAILED", "REJECTED", "COMPLETED"))
    assert till.paid == paid


async def test_the_same_message_sent_again_is_the_same_task_and_is_answered_once(
    peer: Peer, till: Till
) -> None:
    request = message("pay the bill")
    both = await asyncio.gather(*(peer.result("SendMessage", message=request) for _ in range(2)))
    assert both[0]["task"]["id"] == both[1]["task"]["id"]
    yes = message("yes", taskId=both[0]["task"]["id"])
    first = await peer.result("SendMessage", message=yes)
    assert await peer.result("SendMessage", message=yes) == first
    assert await peer.result("SendMessage", message=request) == first
    assert till.paid == ["Ann=7"]


async def test_a_task_is_told_live_to_all_who_follow_it_the_same_in_the_same_order(
    peer: Peer, till: Till
) -> None:
    till.gate.clear()
    stream = peer.stream("SendStreamingMessage", message=message("pay the bill"))
    task = (await anext(stream))["task"]
    await till.reached.wait()
    other = peer.stream("SubscribeToTask", id=task["id"])
    assert state((await anext(other))["task"]) == "WORKING"
    till.gate.set()
    first, second = [update async for update in stream], [update async for update in other]
    assert [state(u["statusUpdate"]) for u in first][-1] == "INPUT_REQUIRED"
    assert second
    assert second == first[-len(second) :]
    told = [u async for u in peer.stream("SendStreamingMessage", message=message("yes", taskId=task["id"]))]
    assert "task" in told[0]
    assert [next(iter(u)) for u in told[-2:]] == ["artifactUpdate", "statusUpdate"]
    assert state(told[-1]["statusUpdate"]) == "COMPLETED"


async def test_words_come_while_a_model_writes_them_and_are_the_answer(
    tmp_path: Path, listen: Listen
) -> None:
    crew = Crew(
        [Agent("writer", "Write.")], tasks=[Task(id="write", description="write a note", agent="writer")]
    )
    model = ScriptedModel(
        lambda request: "Dear Ann, the tea has come." if not request.choices else request.choices[0]
    )
    async with (
        House.open(Settings(home=tmp_path, model_url=None), client=model) as house,
        listen(make_app(house, crew)) as url,
        httpx.AsyncClient(base_url=url.removesuffix("/v1"), timeout=30) as http,
    ):
        told = [
            u async for u in Peer(http).stream("SendStreamingMessage", message=message("write a note to Ann"))
        ]
        pieces = [u["artifactUpdate"] for u in told if "artifactUpdate" in u]
        task = await Peer(http).result("GetTask", id=told[0]["task"]["id"])
    said = ""
    for piece in pieces:
        text = piece["artifact"]["parts"][0]["text"]
        said = said + text if piece["append"] else text
    assert said == answer_of(task)
    assert pieces[-1]["lastChunk"] is True


async def test_a_task_goes_on_when_its_client_leaves(peer: Peer, till: Till) -> None:
    till.gate.clear()
    asking = asyncio.create_task(peer.send("pay the bill"))
    await till.reached.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    (task,) = (await peer.result("ListTasks"))["tasks"]
    assert state(task) == "WORKING"
    following = peer.stream("SubscribeToTask", id=task["id"])
    await anext(following)
    till.gate.set()
    assert [state(u["statusUpdate"]) async for u in following] == ["INPUT_REQUIRED"]


async def test_a_task_may_be_returned_at_once_and_looked_at_later(peer: Peer, till: Till) -> None:
    till.gate.clear()
    task = await peer.send("pay the bill", configuration={"returnImmediately": True, "historyLength": 0})
    assert state(task) in ("SUBMITTED", "WORKING")
    assert "history" not in task
    await till.reached.wait()
    following = peer.stream("SubscribeToTask", id=task["id"])
    await anext(following)
    till.gate.set()
    assert [u async for u in following]
    assert state(await peer.result("GetTask", id=task["id"])) == "INPUT_REQUIRED"


async def test_cancelling_reaches_the_call_under_way_and_is_for_good(
    peer: Peer, till: Till, house: House
) -> None:
    till.gate.clear()
    stream = peer.stream("SendStreamingMessage", message=message("pay the bill"))
    task = (await anext(stream))["task"]
    await till.reached.wait()
    assert state(await peer.result("CancelTask", id=task["id"])) == "CANCELED"
    assert [state(u["statusUpdate"]) async for u in stream][-1] == "CANCELED"
    till.gate.set()
    assert (await house.store.find_run(task["id"])).status == "cancelled"
    assert state(await peer.result("GetTask", id=task["id"])) == "CANCELED"
    assert (await peer.call("CancelTask", id=task["id"]))["error"]["code"] == -32002
    waiting = await peer.send("pay the other bill")
    assert state(await peer.result("CancelTask", id=waiting["id"])) == "CANCELED"
    assert (await peer.call("SendMessage", message=message("yes", taskId=waiting["id"])))["error"][
        "code"
    ] == -32004
    assert till.paid == []


async def test_messages_of_one_context_are_one_conversation_in_order(tmp_path: Path, listen: Listen) -> None:
    heard: list[list[str]] = []

    def reply(request: object) -> str:
        heard.append([m.content for m in request.messages])  # type: ignore[attr-defined]  # a ModelRequest
        return "Noted."

    crew = Crew(
        [Agent("writer", "Write.")], tasks=[Task(id="write", description="write a note", agent="writer")]
    )
    async with (
        House.open(Settings(home=tmp_path, model_url=None), client=ScriptedModel(reply)) as house,
        listen(make_app(house, crew)) as url,
        httpx.AsyncClient(base_url=url.removesuffix("/v1"), timeout=30) as http,
    ):
        peer = Peer(http)
        first = await peer.send("Ann likes green tea")
        more = [
            peer.send(text, contextId=first["contextId"]) for text in ("Bob likes coffee", "Eve likes milk")
        ]
        tasks = await asyncio.gather(*more)
        kept = [m.content for m in await house.store.messages(first["contextId"]) if m.role == "user"]
    assert {task["contextId"] for task in tasks} == {first["contextId"]}
    assert sorted(kept) == ["Ann likes green tea", "Bob likes coffee", "Eve likes milk"]
    assert any("Ann likes green tea" in text for text in heard[-1])
    assert any(kept[1] in text for text in heard[-1])


async def test_a_task_that_its_servers_end_broke_off_goes_on_when_it_is_asked_for(
    tmp_path: Path, till: Till, listen: Listen
) -> None:
    till.gate.clear()
    async with House.open(Settings(home=tmp_path, model_url=None), engine=False) as house:
        app = make_app(house, till.crew)
        async with (
            listen(app) as url,
            httpx.AsyncClient(base_url=url.removesuffix("/v1"), timeout=30) as http,
        ):
            stream = Peer(http).stream("SendStreamingMessage", message=message("pay the bill"))
            task = (await anext(stream))["task"]
            await till.reached.wait()
            app.state.gate.close()
            with contextlib.suppress(httpx.HTTPError):
                assert all("CANCELED" not in str(update) for update in [u async for u in stream])
            await app.state.errands.aclose()
    till.gate.set()
    async with House.open(Settings(home=tmp_path, model_url=None), engine=False) as house:
        app = make_app(house, till.crew)
        async with (
            listen(app) as url,
            httpx.AsyncClient(base_url=url.removesuffix("/v1"), timeout=30) as http,
        ):
            peer = Peer(http)
            told = [u async for u in peer.stream("SubscribeToTask", id=task["id"])]
            assert state(told[-1]["statusUpdate"]) == "INPUT_REQUIRED"
            assert state(await peer.send("yes", taskId=task["id"])) == "COMPLETED"
    assert till.paid == ["Ann=7"]


async def test_each_tenant_sees_their_own_tasks_and_conversations_only(peer: Peer) -> None:
    acme, other = (
        Peer(peer.http, **{"X-Crewgraph-Tenant": "acme"}),
        Peer(peer.http, **{"X-Crewgraph-Tenant": "bell"}),
    )
    mine = await acme.send("pay the bill")
    for method in ("GetTask", "CancelTask", "SubscribeToTask"):
        assert (await other.call(method, id=mine["id"]))["error"]["code"] == -32001
    assert (await other.call("SendMessage", message=message("yes", taskId=mine["id"])))["error"][
        "code"
    ] == -32001
    stolen = await other.call("SendMessage", message=message("go on", contextId=mine["contextId"]))
    assert stolen["error"]["code"] == -32602
    assert (await other.result("ListTasks"))["tasks"] == []
    assert [task["id"] for task in (await acme.result("ListTasks"))["tasks"]] == [mine["id"]]
    assert (await peer.result("GetTask", id=mine["id"], tenant="acme"))["id"] == mine["id"]


async def test_tasks_are_listed_in_pages_by_context_and_state(peer: Peer) -> None:
    tasks = [await peer.send(f"pay bill {n}") for n in range(3)]
    await peer.send("yes", taskId=tasks[0]["id"])
    first = await peer.result("ListTasks", pageSize=2)
    second = await peer.result("ListTasks", pageSize=2, pageToken=first["nextPageToken"])
    assert {t["id"] for t in first["tasks"] + second["tasks"]} == {t["id"] for t in tasks}
    assert (len(first["tasks"]), second["nextPageToken"], first["totalSize"]) == (2, "", 3)
    assert all("artifacts" not in task for task in first["tasks"])
    done = await peer.result("ListTasks", status="TASK_STATE_COMPLETED", includeArtifacts=True)
    assert [(t["id"], bool(t["artifacts"])) for t in done["tasks"]] == [(tasks[0]["id"], True)]
    (only,) = (await peer.result("ListTasks", contextId=tasks[1]["contextId"]))["tasks"]
    assert only["id"] == tasks[1]["id"]
