"""An A2A agent made with the official Python SDK, for our client to talk to. Prints its URL; serves until it is killed.

"echo WORDS" is streamed back, "ask" asks for a colour first, "slow" works until it is cancelled, "fail" fails.
"""

import asyncio
import socket
import sys

import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette


class Executor(AgentExecutor):
    async def execute(self, context, event_queue):
        task = context.current_task
        if task is None:
            task = new_task_from_user_message(context.message)
            task.id, task.context_id = context.task_id, context.context_id
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.start_work()
        said = context.get_user_input()
        if "slow" in said:
            print(f"slow {context.task_id}", flush=True)
            await asyncio.sleep(60)
        elif "fail" in said:
            await updater.failed(new_text_message("it was told to"))
        elif "ask me" in said:
            await updater.requires_input(new_text_message("Which colour?"))
        else:
            for n, word in enumerate(["You", " said: ", said]):
                await updater.add_artifact(
                    [new_text_part(word)], artifact_id="a", append=n > 0, last_chunk=n == 2
                )
            await updater.complete()

    async def cancel(self, context, event_queue):
        print(f"cancelled {context.task_id}", flush=True)
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


with socket.create_server(("127.0.0.1", 0)) as listener:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    card = AgentCard(
        name="peer",
        description="An agent to talk to.",
        version="1",
        supported_interfaces=[
            AgentInterface(url=url + "/rpc", protocol_binding="JSONRPC", protocol_version="1.0")
        ],
        capabilities=AgentCapabilities(streaming="still" not in sys.argv),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="echo", name="echo", description="Says it again.", tags=["echo"])],
    )
    handler = DefaultRequestHandler(Executor(), InMemoryTaskStore(), card)
    app = Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/rpc")])
    print(url, flush=True)
    asyncio.run(uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error")).serve([listener]))
