"""The official SDKs, as clients of a served crew and as agents in a crew: Python `a2a-sdk` and npm `@a2a-js/sdk`.

They live in environments of their own (`.ci/a2a.sh`), named by CREWGRAPH_TEST_A2A_PYTHON (an interpreter that has
`a2a-sdk[http-server]` and uvicorn) and CREWGRAPH_TEST_A2A_NODE (a folder with the npm packages).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.errors import CrewgraphError
from crewgraph.serving.house import House

from .remote import Remote, remotely

PEERS = Path(__file__).parent / "peers"


@pytest.fixture(params=["python", "node"])
def sdk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """How a script of an SDK is started: its name, without ending, and its arguments."""
    variable = f"CREWGRAPH_TEST_A2A_{request.param.upper()}"
    where = os.environ.get(variable)
    if not where:
        pytest.skip(f"the official {request.param} SDK is not there: run .ci/a2a.sh, or set {variable}")
    if request.param == "python":
        yield lambda name, *given: (where, str(PEERS / f"{name}.py"), *given)
        return
    for script in PEERS.glob("*.mjs"):  # node looks for packages beside the script
        shutil.copy(script, tmp_path)
    (tmp_path / "node_modules").symlink_to(Path(where).resolve() / "node_modules")
    yield lambda name, *given: ("node", str(tmp_path / f"{name}.mjs"), *given)


async def test_their_client_talks_to_our_server_over_both_bindings(sdk: Any, served: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *sdk("client", served), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    seen = json.loads(out)
    assert {binding.split()[0] for binding in seen} == {"JSONRPC", "HTTP+JSON"}
    for binding, told in seen.items():
        asked, done, answer, streamed, first, cancelled, unknown, again = told
        assert (asked, done) == ("TASK_STATE_INPUT_REQUIRED", "TASK_STATE_COMPLETED"), binding
        assert answer == streamed == "paid 7 to Ann."
        assert (first, cancelled) == ("task", "TASK_STATE_CANCELED")
        assert "TaskNotFoundError" in unknown
        assert "TaskNotCancelableError" in again


@asynccontextmanager
async def started(command: tuple[str, ...]) -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        yield url, process.stdout
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("streaming", [True, False])
async def test_our_crew_talks_to_their_server(sdk: Any, house: House, streaming: bool) -> None:
    async with started(sdk("server", *([] if streaming else ["still"]))) as (url, _):
        remote = Remote(house, remotely(url))
        answer = await remote.ask("echo good morning")
        assert answer.startswith("You said: ")
        assert "good morning" in answer
        assert remote.shown == answer
        run_id = await remote.waits("ask me")
        (question,) = await house.questions(run_id)
        assert (question.question, question.choices) == ("Which colour?", ("answer", "reject"))
        assert "You said: blue" in await remote.answered(run_id, "blue")
        with pytest.raises(CrewgraphError, match="it was told to"):
            await remote.ask("fail")


async def test_a_cancelled_run_cancels_the_task_at_their_server(sdk: Any, house: House) -> None:
    async with started(sdk("server")) as (url, said):
        going = asyncio.create_task(Remote(house, remotely(url)).ask("be slow"))
        begun = (await asyncio.wait_for(said.readline(), 60)).decode().split()
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        ended = (await asyncio.wait_for(said.readline(), 60)).decode().split()
    assert (begun[0], ended[0], begun[1]) == ("slow", "cancelled", ended[1])
