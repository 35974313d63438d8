"""What agents write on the board is typed, says who wrote it, is there once, and is the same in a replay."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from crewgraph import Agent, Crew, ModelRequest, Task, TaskGraph
from crewgraph.agents.desk import Desk, tools_at
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.working.blackboard import Blackboard
from crewgraph.agents.writing import Brief
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError
from crewgraph.runtime.graph import TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store import open_store

Run = Callable[..., Awaitable[Any]]
FINISH = json.dumps({"tool": "finish"})


class Place(BaseModel):
    city: str
    rank: int = 1


def act(name: str, **args: Any) -> str:
    return json.dumps({"tool": name, "args": args})


def role(request: ModelRequest) -> str:
    return request.messages[0].content.split("You are the ", 1)[1].split(".", 1)[0]


def all_told(request: ModelRequest) -> str:
    return "\n".join(message.content for message in request.messages)


def desk_for(board: Blackboard, ctx: RunContext, who: str = "ann", task: str = "t") -> Desk:
    agents = [Agent("ann", "Find."), Agent("ben", "Check.")]
    crew = Crew(agents, board=board)
    agent = crew.agent(who)
    work = Task(id=task, description="Work.")
    return Desk(
        agent, crew, ScriptedModel(), ctx.for_task(task), work, Brief("Go.", "en"), tools_at(agent, crew)
    )


async def test_an_entry_says_who_wrote_it_where_and_when(ctx: RunContext) -> None:
    board = Blackboard()
    desk = desk_for(board, ctx)
    assert await desk.call("post", {"key": "place", "value": {"city": "Oslo"}}) == "place is on the board."
    (entry,) = await board.look(desk)
    assert (entry.who, entry.task, entry.key, entry.value) == ("ann", "t", "place", {"city": "Oslo"})
    assert entry.nth == 1
    assert await desk_for(board, ctx, "ben", "u").call("look", {}) == [
        {"who": "ann", "key": "place", "value": {"city": "Oslo"}}
    ]


async def test_entries_are_added_and_never_lost(ctx: RunContext) -> None:
    board = Blackboard()
    ann, ben = desk_for(board, ctx), desk_for(board, ctx, "ben", "u")
    for desk, value in ((ann, 1), (ben, 2), (ann, 1)):
        await desk.call("post", {"key": "n", "value": value})
    await ann.call("post", {"key": "other", "value": None})
    assert [(e.who, e.value) for e in await board.look(ben, "n")] == [("ann", 1), ("ben", 2), ("ann", 1)]


async def test_secrets_do_not_stand_on_it(ctx: RunContext) -> None:
    board = Blackboard()
    secret = "sk-" + "a1B2" * 12
    entry = await board.post(desk_for(board, ctx), "key", f"use {secret}")
    assert secret not in str(entry.value)
    assert board.entries(ctx) == [entry]


async def test_values_are_of_the_keys_type(ctx: RunContext) -> None:
    board = Blackboard(keys={"place": Place, "count": int})
    desk = desk_for(board, ctx)
    await desk.call("post", {"key": "place", "value": {"city": "Oslo"}})
    assert board.entries(ctx)[0].value == {"city": "Oslo", "rank": 1}
    with pytest.raises(
        ToolArgumentError, match="post: the value for 'place' does not fit: city: Field required"
    ):
        await desk.call("post", {"key": "place", "value": {"rank": 2}})
    with pytest.raises(ToolArgumentError, match=r"post: .*place"):
        await desk.call("post", {"key": "places", "value": 1})
    with pytest.raises(ToolArgumentError, match="has no key 'x'; it has: place, count"):
        await board.post(desk, "x", 1)
    assert len(board.entries(ctx)) == 1


def test_a_board_of_nonsense_is_refused() -> None:
    with pytest.raises(InvalidCrew, match="A key of the blackboard has no type that pydantic knows"):
        Blackboard(keys={"x": object()})
    with pytest.raises(
        InvalidCrew, match=r"The blackboard of the crew 'crew' is for 'anne', .* did you mean 'ann'"
    ):
        Crew([Agent("ann", "Find.")], board=Blackboard(agents=["anne"]))


def test_only_those_it_is_for_may_use_it() -> None:
    crew = Crew([Agent("ann", "Find."), Agent("ben", "Check.")], board=Blackboard(agents=["ben"]))
    assert "post" not in tools_at(crew.agents[0], crew)
    assert {"post", "look"} <= set(tools_at(crew.agents[1], crew))


async def test_two_runs_have_two_boards_and_a_reopened_run_has_its_own(tmp_path: Any) -> None:
    board = Blackboard()
    async with open_store(tmp_path / "runs.db") as store:
        async with await store.create_run("crew", "?") as journal:
            await desk_for(board, RunContext(journal)).call("post", {"key": "a", "value": 1})
            run_id = journal.run_id
        async with await store.create_run("crew", "?") as journal:
            assert board.entries(RunContext(journal)) == []
        async with await store.open_run(run_id) as journal:
            ctx = RunContext(journal)
            desk = desk_for(board, ctx)
            await desk.call(
                "post", {"key": "a", "value": 1}
            )  # the task begins again, and it is there already
            await desk.call("post", {"key": "a", "value": 1})
            assert [e.value for e in board.entries(ctx)] == [1, 1]


async def test_a_task_that_is_tried_again_writes_nothing_twice(ctx: RunContext) -> None:
    from crewgraph import Retry
    from crewgraph.runtime.scheduler import execute

    board, tries = Blackboard(), []

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        desk = desk_for(board, ctx, task=task.id)
        await desk.call("post", {"key": "a", "value": 1})
        await desk.call("post", {"key": "a", "value": 1})
        tries.append(task.id)
        if len(tries) == 1:
            raise ConnectionError("no")
        return TaskResult(text="done")

    task = Task(id="u", description="-", retry=Retry(attempts=2, wait=0))
    run = RunContext(Journal("run"))
    await execute(TaskGraph([task]), worker, run)
    assert len(tries) == 2
    assert [e.value for e in board.entries(run)] == [1, 1]


def crew(effects: list[str]) -> Crew:
    agents = [Agent("ann", "Find.", max_turns=3), Agent("ben", "Check."), Agent("cid", "Write.")]
    tasks = [
        Task(id="a", description="Find a city.", agent="ann"),
        Task(id="b", description="Find another.", agent="ben"),
        Task(id="c", description="Write.", agent="cid", depends_on=("a", "b")),
    ]
    return Crew(agents, tasks=tasks, board=Blackboard(keys={"place": Place}))


def script(request: ModelRequest) -> str:
    told, who = all_told(request), role(request)
    if request.schema is None:
        return f"{who} has seen {told.count('Oslo')}"
    if who == "cid":
        return FINISH if "Result:" in told else act("look")
    return FINISH if "Result:" in told else act("post", key="place", value={"city": f"Oslo {who}"})


async def test_concurrent_tasks_write_and_a_replay_sees_the_same(exact: Run) -> None:
    ran = await exact(crew, script)
    seen = next(r for r in reversed(ran.requests) if role(r) == "cid" and "Result:" in all_told(r))
    assert "Oslo ann" in all_told(seen)
    assert "Oslo ben" in all_told(seen)
    assert ran.steps.count("board:post") == 2
    assert ran.steps.count("board:look") == 1
