"""What users rely on of plans that worked: offered for requests like theirs, to nobody else, forgotten when they fail."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio

from crewgraph import Agent, Crew, Task, tool
from crewgraph.planner.likeness import WORDS, Likeness, by_words
from crewgraph.planner.memory.memory import PlanMemory
from crewgraph.runtime.errors import EngineUnreachable, StoreError

from .plans import plan

PEN = "What does a pen cost?"
INK = "What does an ink cost?"
WINE = "Look for letters about wine"


@pytest_asyncio.fixture(params=["memory", "folder"])
async def memory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PlanMemory]:
    made = PlanMemory(":memory:" if request.param == "memory" else tmp_path / "plans")
    yield made
    await made.aclose()


def price_of(item: str) -> tuple[Task, ...]:
    return plan(("price", {"item": item}))


def looking(text: str) -> tuple[Task, ...]:
    return plan(("search", {"query": text}))


async def keep(
    memory: PlanMemory, request: str, tasks: Sequence[Task], crew: Crew, run: str = "", **more: Any
) -> bool:
    return await memory.keep(
        request, tasks, crew, run_id=run or f"run of {request}", strategy="model", **more
    )


async def test_a_plan_that_worked_is_offered_for_a_request_like_its_own(
    memory: PlanMemory, office: Crew
) -> None:
    assert await memory.recall(PEN, office) == []
    assert await keep(memory, PEN, price_of("pen"), office)
    assert await keep(memory, WINE, looking("letters wine"), office)
    found = await memory.recall(INK, office)
    assert [example.request for example in found] == [PEN]
    assert found[0].tasks == price_of("pen")
    assert 0.2 < found[0].likeness < 1
    assert (await memory.recall(PEN, office))[0].likeness == pytest.approx(1, abs=1e-5)
    assert await memory.recall(PEN, office, at_least=1.01) == []
    assert memory.trouble == ""


async def test_the_likest_comes_first_and_no_more_than_are_wanted(memory: PlanMemory, office: Crew) -> None:
    for place in ("a shop", "a shop in town", "the old shop in town"):
        await keep(memory, f"Look for {place}", looking(place), office)
    found = await memory.recall("Look for the old shop in town", office, limit=2)
    assert [example.request for example in found] == [
        "Look for the old shop in town",
        "Look for a shop in town",
    ]


async def test_nobody_is_offered_another_tenants_plan(memory: PlanMemory, office: Crew) -> None:
    await keep(memory, PEN, price_of("pen"), office, tenant="acme")
    await keep(memory, PEN, price_of("pen"), office, tenant="other")
    await memory.failed(PEN, price_of("pen"), office, tenant="other")
    await memory.failed(PEN, price_of("pen"), office, tenant="other")
    assert await memory.recall(PEN, office) == []
    assert await memory.recall(PEN, office, tenant="other") == []
    assert len(await memory.recall(PEN, office, tenant="acme")) == 1
    assert [entry.tenant for entry in await memory.entries("acme")] == ["acme"]
    assert await memory.clear("nobody") == 0
    assert await memory.clear("acme") == 1
    assert await memory.entries() == []


async def test_nor_another_crews(memory: PlanMemory, office: Crew) -> None:
    other = Crew(name="other", agents=office.agents, tools=office.tools)
    await keep(memory, PEN, price_of("pen"), other)
    assert await memory.recall(PEN, office) == []


async def test_like_plans_for_like_requests_are_one(memory: PlanMemory, office: Crew) -> None:
    for n, weight in enumerate((5, 7, 12)):
        args = {"amount": weight, "from_unit": "kg", "to_unit": "lb"}
        await keep(memory, f"Convert {weight} kg to lb", plan(("convert_weight", args)), office, f"run {n}")
    await keep(memory, "Convert 12 kg to lb", looking("12 kg to lb"), office)
    entries = await memory.entries()
    assert sorted((entry.worked, entry.tasks[0].tool) for entry in entries) == [
        (1, "search"),
        (3, "convert_weight"),
    ]


async def test_a_run_that_is_taken_up_again_counts_once(memory: PlanMemory, office: Crew) -> None:
    for _ in range(3):
        await keep(memory, PEN, price_of("pen"), office, "one run")
    await memory.recall(PEN, office)
    assert [entry.worked for entry in await memory.entries()] == [1]


async def test_what_fails_more_often_than_it_worked_is_forgotten(memory: PlanMemory, office: Crew) -> None:
    await keep(memory, PEN, price_of("pen"), office)
    await memory.failed(PEN, price_of("pen"), office)
    await memory.failed(PEN, looking("pen"), office)  # another plan for it
    assert len(await memory.recall(PEN, office)) == 1
    await memory.failed(PEN, price_of("pen"), office)
    assert await memory.recall(PEN, office) == []
    assert await memory.entries() == []


async def test_a_tool_that_takes_other_parameters_now_makes_its_plans_forgotten(memory: PlanMemory) -> None:
    def crew(*items: str, unit: bool = False) -> Crew:
        async def with_unit(item: str, unit: str) -> str:
            """The price of an item."""
            return item

        async def without(item: str) -> str:
            """What an item costs, in other words."""
            return item

        without.__annotations__["item"] = Literal[items]
        return Crew(name="shop", agents=[Agent("clerk", "x"), Agent("host", "x")], tools=[
            tool(name="price")(with_unit if unit else without)
        ])  # fmt: skip

    await keep(memory, PEN, price_of("pen"), crew("pen", "ink"))
    assert (
        len(await memory.recall(PEN, crew("pen", "ink", "glue"))) == 1
    )  # another value: the plan is as good as before
    assert (
        await memory.recall(PEN, crew("ink", "glue")) == []
    )  # the checker refuses it as long as there are no pens
    assert len(await memory.recall(PEN, crew("pen", "ink"))) == 1
    assert await memory.recall(PEN, crew(unit=True)) == []
    assert await memory.recall(PEN, crew("pen", "ink")) == []
    assert await memory.entries() == []


async def test_a_crew_of_the_same_name_with_other_tools_takes_nothing_away(
    memory: PlanMemory, office: Crew
) -> None:
    namesake = Crew(name=office.name, agents=office.agents, tools=[office.toolset["search"]])
    await keep(memory, PEN, price_of("pen"), office)
    assert await memory.recall(PEN, namesake) == []
    assert len(await memory.recall(PEN, office)) == 1


async def test_what_is_no_plan_to_learn_from_is_not_kept(memory: PlanMemory, office: Crew) -> None:
    answer = price_of("pen")[-1].model_copy(update={"depends_on": ()})
    outlined = Crew(name="o", agents=office.agents, tools=office.tools, tasks=[Task(description="Look.")])
    assert not await keep(memory, "Hello!", (answer,), office)
    assert not await keep(memory, PEN, price_of("pen"), outlined)
    assert not await keep(memory, "pen " * 2000, price_of("pen"), office)
    assert await memory.recall("pen " * 25_000, office) == []
    assert not await keep(memory, "  ", price_of("pen"), office)
    assert await memory.entries() == []


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ("Mail sk-abcdefgh12345678XYZ to Ann", "the key"),
        ("Mail the key to Ann", "sk-abcdefgh12345678XYZ"),
        ("Mail [redacted] to Ann", "[redacted]"),
    ],
)
async def test_no_secret_is_kept(memory: PlanMemory, office: Crew, request_: str, text: str) -> None:
    assert not await keep(memory, request_, plan(("mail", {"to": "Ann", "text": text})), office)
    assert await memory.entries() == []


async def test_what_is_forgotten_or_cleared_is_gone_also_where_it_waits(
    memory: PlanMemory, office: Crew
) -> None:
    for n in range(29):
        word = "abcdefgh"[n % 8] * 3 + "ijkl"[n // 8] * 3
        await keep(memory, f"Look for {word}", looking(word), office)
    entries = await memory.entries()
    assert len(entries) == 29
    oldest, newest = entries[-1], entries[0]
    assert await memory.forget(oldest.id, newest.id, "no such id") == 2
    assert oldest.id not in {e.id for e in await memory.entries()}
    assert len(await memory.entries()) == 27
    assert await memory.clear() == 27
    assert await memory.entries() == []
    assert await memory.recall("Look for aaaiii", office) == []


async def test_of_too_many_those_of_least_use_give_way(office: Crew) -> None:
    memory = PlanMemory(most=10)
    await keep(memory, "Look for gold", looking("gold"), office, "one")
    await keep(memory, "Look for gold", looking("gold"), office, "two")
    for n in range(18):
        await keep(memory, f"Look for {'xyz'[n % 3] * 4} {chr(97 + n) * 3}", looking(str(n)), office)
    await memory.recall("Look for gold", office)
    entries = await memory.entries()
    assert len(entries) <= 10
    assert "Look for gold" in {entry.request for entry in entries}
    await memory.aclose()


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path, office: Crew) -> None:
    first = PlanMemory(tmp_path / "plans")
    await keep(first, PEN, price_of("pen"), office)
    await first.recall(PEN, office)
    await keep(first, WINE, looking("wine"), office)  # not put in yet
    await first.aclose()
    second = PlanMemory(tmp_path / "plans")
    assert [e.request for e in await second.recall(PEN, office)] == [PEN]
    assert [e.request for e in await second.recall(WINE, office)] == [WINE]
    await second.aclose()
    assert (tmp_path / "plans").stat().st_mode & 0o077 == 0, "what people asked is nobody else's business"


async def test_vectors_of_another_model_are_made_anew(tmp_path: Path, office: Crew) -> None:
    async def backwards(texts: Sequence[str]) -> list[list[float]]:
        return [[*reversed(vector), 0.0] for vector in await by_words(texts)]

    first = PlanMemory(tmp_path / "plans")
    await keep(first, PEN, price_of("pen"), office)
    assert len(await first.recall(PEN, office)) == 1
    await first.aclose()
    second = PlanMemory(tmp_path / "plans", Likeness("backwards", backwards, near=0.2, same=0.93))
    assert [e.request for e in await second.recall(PEN, office)] == [PEN]
    assert [entry.worked for entry in await second.entries()] == [1]
    await second.aclose()


async def test_a_model_that_does_not_answer_loses_nothing(tmp_path: Path, office: Crew) -> None:
    away = True

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        if away:
            raise EngineUnreachable("the embedder is away")
        return await by_words(texts)

    memory = PlanMemory(tmp_path / "plans", Likeness("shaky", embed, near=0.2, same=0.93))
    await keep(memory, PEN, price_of("pen"), office)
    assert await memory.recall(PEN, office) == []
    assert "away" in memory.trouble
    away = False
    assert len(await memory.recall(PEN, office)) == 1
    assert memory.trouble == ""
    await memory.aclose()


HOLDER = """
import asyncio, sys
from pathlib import Path
from crewgraph import Agent, Crew, Task, tool
from crewgraph.planner.memory.memory import PlanMemory

@tool
def search(query: str) -> str:
    "Look for texts."
    return query

crew = Crew(name="office", agents=[Agent("clerk", "x"), Agent("host", "x")], tools=[search])
tasks = (Task(id="t", description="d", agent="clerk", tool="search", args={"query": "held"}),)

async def main():
    memory = PlanMemory(Path(sys.argv[1]))
    await memory.keep("Look for what is held", tasks, crew, run_id="holder", strategy="model")
    print(len(await memory.recall("Look for what is held", crew)), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    found = await memory.recall("Look for letters about wine", crew, limit=1)
    print([example.request for example in found], flush=True)
    await memory.aclose()

asyncio.run(main())
"""


async def test_a_folder_in_use_elsewhere_is_not_read_and_what_is_kept_meanwhile_is_not_lost(
    tmp_path: Path, office: Crew
) -> None:
    folder = tmp_path / "plans"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    holder = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert (await holder.stdout.readline()).strip() == b"1"
    memory = PlanMemory(folder)
    assert await memory.recall(WINE, office) == []
    assert "in use by another process" in memory.trouble
    assert await keep(memory, WINE, looking("wine"), office)
    with pytest.raises(StoreError, match="in use by another process"):
        await memory.entries()
    with pytest.raises(StoreError, match="in use by another process"):
        await memory.clear()
    said, _ = await holder.communicate(b"\n")
    assert said.decode().strip() == f"['{WINE}']", (
        "the process that reads the folder puts in what another one kept"
    )
    assert holder.returncode == 0
    assert [e.request for e in await memory.recall(WINE, office, limit=1)] == [WINE]
    assert memory.trouble == ""
    await memory.aclose()


async def test_a_place_that_cannot_be_used_never_ends_a_run(tmp_path: Path, office: Crew) -> None:
    (tmp_path / "file").write_text("no folder")
    memory = PlanMemory(tmp_path / "file" / "plans")
    assert not await keep(memory, PEN, price_of("pen"), office)
    assert "CREWGRAPH_PLANS" in memory.trouble
    assert await memory.recall(PEN, office) == []
    await memory.aclose()
    nowhere = PlanMemory("http://127.0.0.1:9", inbox=tmp_path / "new.jsonl")
    assert await keep(nowhere, PEN, price_of("pen"), office)
    assert await nowhere.recall(PEN, office) == []
    assert "http://127.0.0.1:9" in nowhere.trouble
    assert "pen" in (tmp_path / "new.jsonl").read_text("utf-8"), "it is put in when the server is back"
    await nowhere.aclose()


async def test_many_at_once_keep_and_recall(memory: PlanMemory, office: Crew) -> None:
    async def one(n: int) -> int:
        await keep(memory, f"Look for {chr(97 + n) * 4}", looking(str(n)), office)
        return len(await memory.recall(f"Look for {chr(97 + n) * 4}", office, limit=1))

    found = await asyncio.gather(*(one(n) for n in range(12)))
    assert found == [1] * 12
    assert len(await memory.entries()) == 12


async def test_keeping_loads_no_index(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from crewgraph import Agent, Crew, Task, tool
from crewgraph.planner.memory.memory import PlanMemory

@tool
def search(query: str) -> str:
    "Look for texts."
    return query

async def main():
    crew = Crew(agents=[Agent("clerk", "x")], tools=[search])
    memory = PlanMemory(Path({str(tmp_path)!r}) / "plans")
    assert await memory.recall("Look", crew) == []
    tasks = (Task(id="t", description="d", agent="clerk", tool="search", args={{"query": "x"}}),)
    assert await memory.keep("Look", tasks, crew, run_id="r", strategy="model")
    assert await memory.failed("Look", tasks, crew)
    await memory.aclose()
    print(sorted({{"qdrant_client", "numpy"}} & set(sys.modules)))

asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_words_tell_requests_apart_in_both_languages() -> None:
    texts = [
        "What does a pen cost?",
        "What does a stamp cost?",
        "把5千克换算成磅",
        "把12盎司换算成千克",
        "今天天气怎么样",
        "?",
        "",
    ]
    vectors = await WORDS.embed(texts)
    assert all(sum(x * x for x in v) == pytest.approx(1) for v in vectors)

    def alike(one: int, other: int) -> float:
        return sum(a * b for a, b in zip(vectors[one], vectors[other], strict=True))

    assert alike(0, 1) >= WORDS.near > alike(0, 4)
    assert alike(2, 3) >= WORDS.near > alike(2, 4)
