"""A conversation of 200 turns: what a turn adds to the disk, what is still known at its end, and what the model is sent.

In the first turns the user says things of themselves; then they chat about other things, which hold figures, names and
small facts as well. Behind the last turn each of the first things is asked for in other words. The scripted model knows
an answer only if it stands in its prompt, and counts each prompt: one that does not fit its window together with the reply
is an overflow (a real engine would refuse it). LangGraph runs the same conversation with its SQLite saver.

Figures: `bytes_last_over_first_turn` (bytes that the last 20 turns add, over those of the first 20; the database's pages),
`kb_per_turn` over all turns, `recalled` (share of the first things), `overflows` (calls), `longest_prompt` in tokens, `cpu_ms`
a turn in the last 20. The same with `langgraph_` before them.

    python benchmarks/long_thread.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from _report import Figures, finish, in_child, parser, table

TURNS, QUICK_TURNS, SEED, WINDOW, REPLY, EDGE = 200, 100, 11, 4096, 200, 20
NAMES = ("crewgraph", "langgraph")

FACTS = (
    (
        "My sister Clara works as a glassblower on Murano.",
        "What does my sister do for a living?",
        "glassblower",
    ),
    ("I am allergic to walnuts, and quite badly.", "Which food do I have to stay away from?", "walnuts"),
    ("Our project is called Bluefinch.", "What is the name of our project?", "Bluefinch"),
    ("We decided to move the launch to the 14th of May.", "On which day do we launch?", "14th of May"),
    ("My daughter started school in Ghent last year.", "Where does my daughter go to school?", "Ghent"),
    (
        "The booking reference of the ferry is QX7-4417.",
        "What was the reference for the ferry again?",
        "QX7-4417",
    ),
    ("I prefer trains to planes whenever I can choose.", "How do I like to travel best?", "trains"),
    ("My landlord is Mr. Okonkwo.", "Who is my landlord?", "Okonkwo"),
    ("The spare key lies under the third flowerpot.", "Where did I say the spare key is?", "flowerpot"),
    ("我叫林晓，住在厦门。", "我住在哪个城市？", "厦门"),
    ("Please remember that the alarm code is 5093.", "Which code does the alarm have?", "5093"),
    ("My dentist appointment is on Thursday at 9:40.", "When do I have to be at the dentist?", "9:40"),
)
TOPICS = "tides bridges bees glaciers violins paper salt clocks maps bread lighthouses kites rivers wool ink".split()
PEOPLE = "Hanna Tariq Mei Olu Pavel Rosa Jonas Aiko".split()
WORDS = (
    "slow light often carries a pattern through older places where people once measured what moved between shores and "
    "kept careful records of weather trade craft sound colour weight and distance for those who came later"
).split()


def conversation(turns: int) -> list[tuple[str, str]]:
    """What the user says and what is replied: the facts within the first turns, then chat with figures and names."""
    dice = random.Random(SEED)
    told = {3 + 2 * place: fact for place, (fact, _, _) in enumerate(FACTS)}
    made: list[tuple[str, str]] = []
    for turn in range(1, turns + 1):
        topic, who = dice.choice(TOPICS), dice.choice(PEOPLE)
        said = dice.choice(
            (
                f"Tell me something about {topic}.",
                f"{who} asked me about {topic} today. What should I say?",
                f"I read that {topic} were counted {dice.randint(100, 9999)} times. Is that many?",
                f"I like how {topic} look in the morning. Why is that?",
                f"My friend {who} has a book on {topic}. Is it worth reading?",
            )
        )
        body = " ".join(dice.choice(WORDS) for _ in range(70))
        figures = (
            f"There are some {dice.randint(100, 9999)} of them, as {who} noted in {dice.randint(1800, 2020)}."
        )
        reply = f"About {topic}: {body}. {figures}"
        made.append((told.get(turn, said), f"Noted. {reply}" if turn in told else reply))
    return made


def counted(messages: list[tuple[str, str]]) -> int:
    """Tokens as the scripted model counts them: words, signs and Chinese characters, and four around each message."""
    return sum(
        4 + len(re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]", text)) for _, text in messages
    )


class Scripted:
    """Replies from the script; to a question only with what stands in the prompt. Counts what it is sent."""

    def __init__(self, turns: int) -> None:
        self._replies = dict(conversation(turns))
        self._values = {question: value for _, question, value in FACTS}
        self.overflows = 0
        self.longest = 0

    def reply(self, messages: list[tuple[str, str]]) -> str:
        """The reply to a prompt, given as roles and texts."""
        size = counted(messages)
        self.longest = max(self.longest, size)
        self.overflows += size + REPLY > WINDOW
        asked = messages[-1][1]
        if (value := self._values.get(asked)) is not None:
            return value if any(value in text for _, text in messages[:-1]) else "I do not know."
        return self._replies.get(asked, "Yes.")


def pages(path: Path) -> int:
    """Bytes of the database, those in its log among them."""
    connection = sqlite3.connect(path)
    try:
        ((count,),) = connection.execute("PRAGMA page_count")
        ((size,),) = connection.execute("PRAGMA page_size")
    finally:
        connection.close()
    return int(count) * int(size)


async def held(ask: Callable[[str], Awaitable[str]], path: Path, script: Scripted, turns: int) -> Figures:
    """The whole conversation, then the questions, each in a turn of its own."""
    said = conversation(turns)
    sizes: list[int] = []
    cpu = 0.0
    for place, (text, _) in enumerate(said):
        if place in (0, EDGE, turns - EDGE):
            sizes.append(pages(path))
            cpu = time.process_time()
        await ask(text)
    cpu = time.process_time() - cpu
    sizes.append(pages(path))
    right = 0
    for _, question, value in FACTS:
        right += value in await ask(question)
    return {
        "bytes_last_over_first_turn": round((sizes[3] - sizes[2]) / max(1, sizes[1] - sizes[0]), 2),
        "kb_per_turn": round((sizes[3] - sizes[0]) / turns / 1024, 2),
        "recalled": round(right / len(FACTS), 3),
        "overflows": float(script.overflows),
        "longest_prompt": float(script.longest),
        "cpu_ms": round(cpu * 1000 / EDGE, 2),
    }


async def crewgraph(folder: Path, turns: int) -> Figures:
    from crewgraph import Agent, Crew, House, ModelRequest, Settings
    from crewgraph.agents.testing import ScriptedModel

    script = Scripted(turns)

    class Windowed(ScriptedModel):
        async def context_tokens(self, model: str | None = None) -> int | None:
            return WINDOW

    def reply(request: ModelRequest) -> str:
        if request.choices:
            return request.choices[0]  # it fails the quiz: nothing is left to its judgement
        return script.reply([(message.role, message.content) for message in request.messages])

    crew = Crew([Agent("companion", "Talk with the user.", max_tokens=REPLY)], name="talk")
    async with House.open(Settings(home=folder, model_url=None, model=None), client=Windowed(reply)) as house:
        thread = (await house.store.create_thread()).id

        async def ask(text: str) -> str:
            return (await house.ask(crew, text, thread_id=thread, planner="rules")).answer

        return await held(ask, folder / "crewgraph.db", script, turns)


async def langgraph(folder: Path, turns: int) -> Figures:
    from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.graph import START, StateGraph
    from langgraph.graph.message import add_messages
    from typing_extensions import TypedDict

    script = Scripted(turns)
    # Made by a call: LangGraph reads the hints of its state, and those of a local class would be looked up in vain.
    State: Any = TypedDict("State", {"messages": Annotated[list[AnyMessage], add_messages]})  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]

    async def speak(state: Any) -> dict[str, Any]:
        heard = [(one.type, str(one.content)) for one in state["messages"]]
        return {"messages": [AIMessage(script.reply([("system", "Talk with the user."), *heard]))]}

    builder = StateGraph(State)
    builder.add_node("speak", speak)
    builder.add_edge(START, "speak")
    path = folder / "langgraph.db"
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        await saver.setup()
        graph = builder.compile(checkpointer=saver)

        async def ask(text: str) -> str:
            config: Any = {"configurable": {"thread_id": "one"}}
            found = await graph.ainvoke({"messages": [HumanMessage(text)]}, config)
            return str(found["messages"][-1].content)

        return await held(ask, path, script, turns)


def child(name: str, turns: int) -> Figures:
    """One side, in this process."""
    sides: dict[str, Callable[[Path, int], Any]] = {"crewgraph": crewgraph, "langgraph": langgraph}
    with tempfile.TemporaryDirectory() as folder:
        found: Figures = asyncio.run(sides[name](Path(folder), turns))
    return found


def main() -> int:
    arguments = parser(__doc__ or "", quick=f"{QUICK_TURNS} turns").parse_args()
    turns = QUICK_TURNS if arguments.quick else TURNS
    if arguments.child:
        print(json.dumps(child(arguments.child, turns)))
        return 0
    flags = ["--quick"] if arguments.quick else []
    found = {name: in_child(__file__, name, *flags) for name in NAMES}
    names = list(found["crewgraph"])
    rows = [(name, *(found[side][name] for side in NAMES)) for name in names]
    table(f"A thread of {turns} turns, a window of {WINDOW} tokens", ("", *NAMES), rows)
    figures = {name: found["crewgraph"][name] for name in names}
    figures |= {f"langgraph_{name}": found["langgraph"][name] for name in names}
    return finish(arguments, figures)


if __name__ == "__main__":
    sys.exit(main())
