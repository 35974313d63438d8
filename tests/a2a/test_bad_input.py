"""Bad input over A2A: one clear error each, with the protocol's code, and nothing done."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Peer, message

NOTHING = "a2a-" + "0" * 32


def send(**changed: Any) -> dict[str, Any]:
    return {"message": {**message("pay"), **changed}}


@pytest.mark.parametrize(
    ("method", "params", "code", "words"),
    [
        ("Send", {}, -32601, "'Send'"),
        ("message/send", send(), -32601, "SendMessage"),
        ("SendMessage", [], -32602, "JSON object"),
        ("SendMessage", {}, -32602, "message"),
        ("SendMessage", send(parts=[]), -32602, "message.parts"),
        ("SendMessage", send(parts=[{"text": "  "}]), -32602, "empty"),
        ("SendMessage", send(parts=[{}]), -32005, "message.parts[0]"),
        ("SendMessage", send(parts=[{"text": "x"}, {"raw": "eA=="}]), -32005, "message.parts[1] is a file"),
        ("SendMessage", send(parts=[{"url": "http://127.0.0.1/x"}]), -32005, "is a file"),
        ("SendMessage", send(parts=[{"data": {"a": 1}}]), -32005, "is no text"),
        ("SendMessage", send(parts=[{"text": "x" * 200_000}]), -32602, "characters"),
        ("SendMessage", send(messageId=""), -32602, "message.messageId"),
        ("SendMessage", send(role="ROLE_AGENT"), -32602, "ROLE_USER"),
        ("SendMessage", send(taskId=NOTHING), -32001, NOTHING),
        ("SendMessage", send(contextId="t-nothing"), -32602, "t-nothing"),
        ("SendStreamingMessage", send(taskId=NOTHING), -32001, NOTHING),
        (
            "SendMessage",
            {**send(), "configuration": {"acceptedOutputModes": ["image/png"]}},
            -32005,
            "image/png",
        ),
        (
            "SendMessage",
            {**send(), "configuration": {"taskPushNotificationConfig": {"url": "x"}}},
            -32003,
            "push",
        ),
        ("GetTask", {"id": NOTHING}, -32001, NOTHING),
        ("GetTask", {"id": "a2a-"}, -32001, "'a2a-'"),
        ("GetTask", {"id": "last"}, -32001, "'last'"),
        ("GetTask", {}, -32602, "id"),
        ("CancelTask", {"id": NOTHING}, -32001, NOTHING),
        ("SubscribeToTask", {"id": NOTHING}, -32001, NOTHING),
        ("ListTasks", {"pageSize": 0}, -32602, "pageSize"),
        ("ListTasks", {"pageToken": "nothing"}, -32602, "pageToken"),
        ("CreateTaskPushNotificationConfig", {}, -32003, "push"),
        ("ListTaskPushNotificationConfigs", {}, -32003, "push"),
        ("GetExtendedAgentCard", {}, -32004, "extended"),
    ],
)
async def test_a_wrong_call_is_refused_in_one_sentence(
    peer: Peer, method: str, params: Any, code: int, words: str
) -> None:
    call = {"jsonrpc": "2.0", "id": "x", "method": method, "params": params}
    told = (await peer.http.post("/a2a", json=call, headers=peer.headers)).json()
    assert (told["id"], told["error"]["code"]) == ("x", code), told
    assert words in told["error"]["message"]
    assert "\n" not in told["error"]["message"]
    assert told["error"]["data"][0]["@type"].endswith("google.rpc.ErrorInfo")
    assert (await peer.result("ListTasks"))["tasks"] == []


async def test_what_is_no_answer_to_a_question_is_refused_and_the_task_still_asks(peer: Peer) -> None:
    task = await peer.send("pay the bill")
    for parts, words in (
        ([{"text": "perhaps"}], "approve, edit, reject"),
        ([{"data": {"decision": "maybe"}}], "'maybe'"),
        ([{"data": {"decision": "edit"}}], "value"),
        ([{"data": {"question": "nokey", "decision": "approve"}}], "nokey"),
    ):
        told = await peer.call("SendMessage", message=message("", parts=parts, taskId=task["id"]))
        assert told["error"]["code"] == -32602, told
        assert words in told["error"]["message"]
    wrong = await peer.call("SendMessage", message=message("yes", taskId=task["id"], contextId="t-other"))
    assert "contextId" in wrong["error"]["message"]
    assert (await peer.result("GetTask", id=task["id"])) == task


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"id": 1, "method": "GetTask"}', -32600),
        (b'{"jsonrpc": "2.0", "method": "GetTask"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "GetTask"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 3}', -32600),
        (b" " * 1_000_001, -32602),
    ],
)
async def test_what_is_no_call_is_refused(peer: Peer, body: bytes, code: int) -> None:
    told = (await peer.http.post("/a2a", content=body, headers=peer.headers)).json()
    assert told["error"]["code"] == code, told


@pytest.mark.parametrize("version", ["0.3", "2.0", "", "one"])
async def test_another_version_is_not_spoken_and_told_so(peer: Peer, version: str) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": NOTHING}}
    told = (await peer.http.post("/a2a", json=call, headers={"A2A-Version": version})).json()
    assert told["error"]["code"] == -32009
    assert "A2A-Version: 1.0" in told["error"]["message"]
    named = await peer.http.post("/a2a?A2A-Version=1.0", json=call)
    assert named.json()["error"]["code"] == -32001


async def test_over_http_json_the_status_says_it_too(peer: Peer) -> None:
    for address, status, reason in (
        (f"/a2a/tasks/{NOTHING}", 404, "TASK_NOT_FOUND"),
        ("/a2a/tasks?pageSize=x", 400, "INVALID_PARAMS"),
        ("/a2a/extendedAgentCard", 400, "UNSUPPORTED_OPERATION"),
        (f"/a2a/tasks/{NOTHING}/pushNotificationConfigs", 400, "PUSH_NOTIFICATION_NOT_SUPPORTED"),
    ):
        answer = await peer.http.get(address, headers=peer.headers)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["details"][0]["reason"] == reason
    answer = await peer.http.post("/a2a/message:send", json={"message": 3}, headers=peer.headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_web_pages_of_other_origins_are_refused(peer: Peer) -> None:
    other = {**peer.headers, "origin": "http://elsewhere.example"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {}}
    assert (
        "other web pages"
        in (await peer.http.post("/a2a", json=call, headers=other)).json()["error"]["message"]
    )
    assert (await peer.http.get("/a2a/tasks", headers=other)).status_code == 403
