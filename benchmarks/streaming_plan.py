"""Streaming plans: how much sooner tasks begin and runs end where a plan is carried out while it is being written.

A model writes 50 tokens a second (a stand-in that streams a fixed text at that pace, cut into pieces of at most six letters
or three signs, which is about how byte-pair tokenizers cut it). Searches take 300 to 1,500 ms, drawn from a seed, the same
for everybody; calculations take nothing. Ours is the real thing from the model's stream on: the schema is checked, the
plan is read and checked task by task, the scheduler carries it out, and all of it is journalled in SQLite.

- Eight tasks (four searches, two changes, two comparisons): when the first one begins, as a share of the time in which the
  plan is written; and the makespan against the same plan written whole first.
- The movie shape: eight searches side by side, then a choice. The plan is one task for each of a list of eight, which is
  short to write; the same as eight tasks is shown beside it.
- ParallelQA's shapes: a search and a change of what it found for each branch, then a comparison. Branch counts are those of
  the data (`--data`), without it 2 to 5 alike.

The peer is LangGraph's prebuilt ReAct agent, which keeps no journal. It makes the same calls, one at a time. What it writes
is written out below in the manner of the ReAct prompts that LLMCompiler (Kim et al., 2023) compares with: a sentence of
thought and the call, then an answer. It pays nothing for reading its prompt again in each turn, which real engines charge for;
nor do we. A row without thoughts tells what is left of the gain where the model calls tools without a word.

Times are taken on a clock that only waiting moves, so that computing takes nothing; and once in real time, where it does.

Figures: `first_start_share`, `speedup`, `movie_speedup`, `parallelqa_speedup`; `movie_eight_tasks_speedup`; without thoughts
`movie_wordless_speedup`, `parallelqa_wordless_speedup`; with
`real_` before them, those of the one run in real time (ParallelQA with 3 branches), which other work on the machine disturbs.

    python benchmarks/streaming_plan.py [--quick] [--data DIR] [--json -]
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _report as report
from _patient import run_while_threads_work
from plans.shapes import PACE, Shape, compact, eight, movies, parallelqa, said, tokens

from crewgraph import Agent, Crew, Task, TaskGraph, TaskResult, tool
from crewgraph.agents.calls import ask_model
from crewgraph.agents.model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from crewgraph.planner.asked import Asked
from crewgraph.planner.strategies.model import ModelStrategy
from crewgraph.planner.strategies.streaming import StreamingStrategy
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import RunFinished, RunStarted
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import open_store
from crewgraph.serving.client.answers import Checked


async def decode(text: str) -> AsyncGenerator[str, None]:
    """The text as it is written. Late wake-ups do not add up."""
    clock = asyncio.get_running_loop().time
    began = clock()
    for number, piece in enumerate(tokens(text), 1):
        await asyncio.sleep(max(0.0, began + number / PACE - clock()))
        yield piece


class Writer(ModelClient):
    """A model that writes these replies, one a call, at its pace."""

    def __init__(self, *replies: str) -> None:
        self._left = list(replies)

    async def complete(self, request: ModelRequest) -> ModelReply:
        reply = ModelReply("")
        async for delta in self.stream(request):
            reply = delta.reply or reply
        return reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        text = self._left.pop(0)
        async for piece in decode(text):
            yield ModelDelta(piece)
        yield ModelDelta("", ModelReply(text, "stop", Usage(0, len(tokens(text))), "writer"))

    async def models(self) -> list[str]:
        return ["writer"]

    async def aclose(self) -> None:
        """Nothing to give back."""


def crew_of(shape: Shape) -> Crew:
    @tool
    async def search(query: str) -> float:
        """Search for a fact."""
        await asyncio.sleep(shape.latency(query))
        return 8849.0

    @tool
    def scale(value: float, by: float) -> float:
        """Change a figure by a factor."""
        return value * by

    return Crew([Agent("researcher", "Find facts.", tools=[search, scale]), Agent("speaker", "Answer.")])


@dataclass
class Took:
    """Seconds: until all was done, until the first task began, and how long the plan was written."""

    makespan: float
    first: float
    writing: float


class _Unseen:
    async def settled(self) -> Any:
        raise AssertionError("a streamed plan does not look")


async def ours(shape: Shape, *, streamed: bool) -> Took:
    """One run of ours, from its first event to its last one being safe."""
    crew, text = crew_of(shape), compact({"tasks": list(shape.plan)})
    client = Checked(Writer(text, shape.answer))
    clock = asyncio.get_running_loop().time
    begun: list[float] = []

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        begun.append(clock())
        if task.tool is None:
            reply = await ask_model(ctx, client, ModelRequest((Message("user", task.description),)))
            return TaskResult(value=reply.text, text=reply.text)
        value = await crew.toolset.call(task.tool, task.args, ctx, agent=task.agent or "")
        return TaskResult(value=value, text=str(value))

    with tempfile.TemporaryDirectory(prefix="streaming-") as folder:
        async with (
            open_store(Path(folder) / "runs.db") as store,
            await store.create_run("bench", shape.request) as journal,
        ):
            began = clock()
            ctx = RunContext(journal)
            await ctx.emit(RunStarted(crew="bench", request=shape.request))
            asked = Asked(crew, shape.request, trusted=True)
            if streamed:
                tasks = StreamingStrategy(client).stream(asked, ctx, _Unseen())
                results = await execute(TaskGraph([]), worker, ctx, limit=64, growth=tasks)
            else:
                plan = await ModelStrategy(client).plan(asked, ctx)
                results = await execute(TaskGraph(plan.tasks), worker, ctx, limit=64)
            await ctx.emit(RunFinished(answer=results["answer"].text))
            assert len(results) == len(shape.plan) + 1
            return Took(clock() - began, begun[0] - began, len(tokens(text)) / PACE)


async def react(shape: Shape, *, thoughts: bool) -> Took:
    """The same calls by LangGraph's prebuilt ReAct agent."""
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.tools import StructuredTool

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langgraph.prebuilt import create_react_agent

    turns = list(shape.turns)

    class Thinking(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "writer"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            raise AssertionError("the graph is only asked from coroutines")

        async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
            turn = turns.pop(0) if turns else None
            async for _piece in decode(said(turn, shape, thoughts=thoughts)):
                pass
            if turn is None:
                reply = AIMessage(content=shape.answer)
            else:
                calls = [{"name": turn.name, "args": turn.args, "id": f"c{len(turns)}"}]
                reply = AIMessage(content=turn.thought if thoughts else "", tool_calls=calls)
            return ChatResult(generations=[ChatGeneration(message=reply)])

        def bind_tools(self, *_: Any, **__: Any) -> Any:
            return self

    async def search(query: str) -> str:
        """Search for a fact."""
        await asyncio.sleep(shape.latency(query))
        return "8849"

    async def scale(value: float, by: float) -> str:
        """Change a figure by a factor."""
        return str(value * by)

    async def compare(facts: list[float]) -> str:
        """Compare figures."""
        return str(max(facts))

    tools = [StructuredTool.from_function(coroutine=one) for one in (search, scale, compare)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent = create_react_agent(Thinking(), tools)
    clock = asyncio.get_running_loop().time
    began = clock()
    found = await agent.ainvoke({"messages": [("user", shape.request)]}, {"recursion_limit": 99})
    assert found["messages"][-1].content == shape.answer
    assert not turns
    written = sum(len(tokens(said(turn, shape, thoughts=thoughts))) for turn in [*shape.turns, None])
    return Took(clock() - began, 0.0, written / PACE)


def total(took: Sequence[Took]) -> float:
    return sum(one.makespan for one in took)


Run = Callable[[], Awaitable[Took]]


def counts_of(data: Path) -> Counter[int]:
    """How many questions of ParallelQA have so many branches; one of each where the data is missing."""
    rows = data / "plans" / "parallelqa.jsonl"
    if not rows.is_file():
        print(f"{rows} is missing: branch counts 2 to 5 count alike. Give its folder with --data.")
        return Counter((2, 3, 4, 5))
    return Counter(json.loads(line)["branch"] for line in rows.read_text(encoding="utf-8").splitlines())


async def measured(counts: Counter[int], rounds: int) -> tuple[report.Figures, list[list[object]]]:
    """The figures, and the rows of the table."""
    figures: report.Figures = {}
    rows: list[list[object]] = []
    seeds = range(rounds)
    whole = [await ours(eight(seed), streamed=False) for seed in seeds]
    streams = [await ours(eight(seed), streamed=True) for seed in seeds]
    figures["first_start_share"] = max(one.first / one.writing for one in streams)
    figures["speedup"] = total(whole) / total(streams)
    rows.append(_row("eight tasks, written whole first", whole, total(whole)))
    rows.append(_row("eight tasks, streamed", streams, total(whole)))

    async def compared_with_react(
        name: str, words: str, shapes: Sequence[Shape], weights: Sequence[float]
    ) -> None:
        def over(took: Sequence[Took]) -> float:
            return sum(one.makespan * weight for one, weight in zip(took, weights, strict=True))

        chain = [await react(shape, thoughts=True) for shape in shapes]
        wordless = [await react(shape, thoughts=False) for shape in shapes]
        first = [await ours(shape, streamed=False) for shape in shapes]
        streamed = [await ours(shape, streamed=True) for shape in shapes]
        rows.append(_row(f"{words}: LangGraph ReAct", chain, over(chain), weights))
        rows.append(_row(f"{words}: the same without thoughts", wordless, over(chain), weights))
        rows.append(_row(f"{words}: crewgraph, written whole first", first, over(chain), weights))
        rows.append(_row(f"{words}: crewgraph, streamed", streamed, over(chain), weights))
        figures[f"{name}_speedup"] = over(chain) / over(streamed)
        figures[f"{name}_wordless_speedup"] = over(wordless) / over(streamed)

    films = [movies(seed) for seed in seeds]
    await compared_with_react("movie", "movies", films, [1.0] * rounds)
    apart = [await ours(movies(seed, apart=True), streamed=True) for seed in seeds]
    chain = figures["movie_speedup"] * total([await ours(film, streamed=True) for film in films])
    figures["movie_eight_tasks_speedup"] = chain / total(apart)
    rows.append(_row("movies: crewgraph, streamed as eight tasks", apart, chain))
    shapes = [parallelqa(branches, seed) for branches in sorted(counts) for seed in seeds]
    weights = [counts[branches] / rounds for branches in sorted(counts) for _ in seeds]
    await compared_with_react("parallelqa", "ParallelQA", shapes, weights)
    return figures, rows


def _row(
    words: str, took: Sequence[Took], beside: float, weights: Sequence[float] | None = None
) -> list[object]:
    by = weights or [1.0] * len(took)
    every = sum(by)
    mean = sum(one.makespan * weight for one, weight in zip(took, by, strict=True)) / every
    writing = sum(one.writing * weight for one, weight in zip(took, by, strict=True)) / every
    return [words, round(writing * PACE), writing, mean - writing, mean, beside / (mean * every)]


async def in_real_time() -> report.Figures:
    """One run of each: ours one after the other, the peer's beside them, for it hardly does anything but wait."""
    film, peaks = movies(0), parallelqa(3, 0)

    async def own() -> list[Took]:
        jobs = ((eight(0), False), (eight(0), True), (film, True), (peaks, True))
        return [await ours(shape, streamed=streamed) for shape, streamed in jobs]

    (whole, streamed, *others), *chains = await asyncio.gather(
        own(), *(peer([shape]) for shape in (film, peaks))
    )
    return {
        "real_first_start_share": streamed.first / streamed.writing,
        "real_speedup": whole.makespan / streamed.makespan,
        "real_movie_speedup": total(chains[0]) / others[0].makespan,
        "real_parallelqa_speedup": total(chains[1]) / others[1].makespan,
    }


async def peer(shapes: Sequence[Shape]) -> list[Took]:
    return [await react(shape, thoughts=True) for shape in shapes]


def main() -> int:
    flags = report.parser(__doc__ or "", quick="1 seed for each shape instead of 10")
    flags.add_argument("--data", type=Path, default=Path("../shared/data"), help="where plans/ lies")
    options = flags.parse_args()
    counts = counts_of(options.data)
    figures, rows = run_while_threads_work(measured(counts, 1 if options.quick else 10))
    report.table(
        f"Seconds at {PACE:g} tokens a second (× against the first row of each shape)",
        ("", "tokens", "writing", "beside it", "makespan", "×"),
        rows,
    )
    figures |= asyncio.run(in_real_time())
    bars = {
        "first_start_share": "< 0.35",
        "speedup": "≥ 1.3",
        "movie_speedup": "≥ 4",
        "parallelqa_speedup": "≥ 2.3",
    }
    report.table(
        "Figures",
        ("", "", "bar"),
        [[n, f, bars.get(n.removeprefix("real_"), "")] for n, f in figures.items()],
    )
    return report.finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
