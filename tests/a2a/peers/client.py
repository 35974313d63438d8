"""Drives the served crew that asks before it pays with the official Python client; prints what it saw as JSON."""

import asyncio
import json
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import CancelTaskRequest, GetTaskRequest, Message, Part, Role, SendMessageRequest, TaskState


def say(text, **more):
    parts = [Part(text=text)]
    return SendMessageRequest(
        message=Message(message_id=uuid.uuid4().hex, role=Role.ROLE_USER, parts=parts, **more)
    )


def state(task):
    return TaskState.Name(task.status.state)


async def last_task(events):
    task, kinds, text = None, [], ""
    async for event in events:
        kinds.append(event.WhichOneof("payload"))
        if kinds[-1] == "task":
            task = event.task
        elif kinds[-1] == "artifact_update":
            text += event.artifact_update.artifact.parts[0].text
    return task, kinds, text


async def refusal(call):
    try:
        await call
    except Exception as error:
        return type(error).__name__
    return "none"


async def through(client, streaming):
    seen = []
    task, _, _ = await last_task(client.send_message(say("pay the bill")))
    seen.append(state(await client.get_task(GetTaskRequest(id=task.id))))
    answer = say("yes", task_id=task.id, context_id=task.context_id)
    _, kinds, text = await last_task(client.send_message(answer))
    done = await client.get_task(GetTaskRequest(id=task.id))
    seen += [
        state(done),
        done.artifacts[0].parts[0].text,
        text if streaming else done.artifacts[0].parts[0].text,
    ]
    seen.append(kinds[0])
    other, _, _ = await last_task(client.send_message(say("pay the bill")))
    seen.append(state(await client.cancel_task(CancelTaskRequest(id=other.id))))
    seen.append(await refusal(client.get_task(GetTaskRequest(id="nothing"))))
    seen.append(await refusal(client.cancel_task(CancelTaskRequest(id=other.id))))
    return seen


async def main(url):
    seen = {}
    async with httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        for binding in ("JSONRPC", "HTTP+JSON"):
            for streaming in (False, True):
                config = ClientConfig(
                    httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding]
                )
                seen[f"{binding} {streaming}"] = await through(ClientFactory(config).create(card), streaming)
    print(json.dumps(seen))


asyncio.run(main(sys.argv[1]))
