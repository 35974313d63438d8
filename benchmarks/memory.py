"""Long-term memory: what is found again when it is asked for in other words, in English and Chinese, and what it costs.

Forty-eight things are remembered among seeded others, and each is asked for in a sentence that shares few words with it or none
(`recall_at_5`, and `first` where it comes first), by words alone and by words and meaning (all-MiniLM, where it has
been pulled). `misled` is the share of questions about nothing that was ever said for which something is recalled all
the same. `recall_ms` and `remember_ms` are medians among all memories, `forget_ms` writes the file anew.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _report import Figures, finish, parser, table

from crewgraph.agents.memory.memory import Memory
from crewgraph.serving.planmemory import local_embedding
from crewgraph.serving.remembering import meaning_of
from crewgraph.serving.settings import Settings

ENGLISH = (
    ("My physician told me to avoid peanuts", "Which food did the doctor forbid?"),
    ("I parked the car next to the library", "Where did I leave my vehicle?"),
    ("The quarterly figures are due on the fifth", "When must the financial report be handed in?"),
    ("Bob is on paternity leave until May", "Why is Bob away from work?"),
    ("The spare keys hang behind the pantry door", "Where can I find the extra keys?"),
    ("I prefer short answers without lists", "How should replies be written for me?"),
    ("Our supplier for paper is Northwood Mills", "Who sells us paper?"),
    ("I have two daughters, Mia and Lena", "What are my children called?"),
    (
        "The server room code changes every Monday",
        "How often is the door of the data centre given a new code?",
    ),
    ("I am vegetarian", "Can I be served a steak?"),
    ("The kick-off with Acme was moved to Thursday", "On which day is the first meeting with Acme?"),
    ("My flight to Lisbon leaves at six in the morning", "When does my plane take off?"),
    ("The old printer jams with thick paper", "What is wrong with the printing machine?"),
    ("I play the cello in an orchestra", "Which instrument do I make music with?"),
    (
        "We agreed to ship the release without the dark theme",
        "Was the dark theme part of the version that went out?",
    ),
    ("Ann's contract ends in December", "Until when is Ann employed?"),
    ("The dog is afraid of thunder", "What frightens our pet?"),
    ("I moved from Berlin to Vienna last year", "In which city do I live now?"),
    ("The budget for travel is 4,000 euros", "How much money may be spent on trips?"),
    ("Invoices have to be approved by Carla", "Who signs off bills?"),
    ("The cafe on the corner closes on Sundays", "Which day is the coffee shop shut?"),
    ("I cannot read small print without my glasses", "Why do I need large letters?"),
    ("Our wifi guest network is called Heron", "What is the name of the wireless for visitors?"),
    ("The test database is wiped every night", "How long does data stay on the staging system?"),
    ("My sister is getting married in June", "Which family celebration is coming in summer?"),
    ("The heating in room 12 is broken", "Where is it cold?"),
    ("I learned to drive at forty", "At what age did I get my licence?"),
    ("Deliveries arrive at the back entrance", "Where are parcels brought in?"),
    ("Tom handles complaints from customers", "Who talks to unhappy clients?"),
    ("The backup runs at two at night", "At what hour is the data saved?"),
    ("I dislike phone calls before ten", "When should nobody ring me?"),
    ("The museum is free on the first Sunday", "When does it cost nothing to see the exhibition?"),
)
CHINESE = (
    ("我对花生过敏", "哪些食物我不能吃？花生可以吗"),
    ("车停在图书馆旁边", "我的车停在什么地方？"),
    ("季度报告五号要交", "季度报告什么时候交？"),
    ("备用钥匙挂在厨房门后", "备用的钥匙在哪里？"),
    ("我喜欢简短的回答", "回答应该写得长还是简短？"),
    ("纸张的供应商是北林纸业", "纸张是哪家供应商的？"),
    ("我有两个女儿，米亚和莉娜", "我的女儿叫什么？"),
    ("和客户的启动会改到星期四了", "启动会是星期几？"),
    ("去里斯本的飞机早上六点起飞", "我的飞机几点起飞？"),
    ("旧打印机遇到厚纸会卡住", "打印机有什么毛病？"),
    ("我在乐团里拉大提琴", "我会拉什么琴？"),
    ("安娜的合同十二月到期", "安娜的合同到什么时候？"),
    ("差旅预算是四千欧元", "差旅可以花多少预算？"),
    ("发票要由卡拉批准", "发票谁来批准？"),
    ("十二号房间的暖气坏了", "哪个房间的暖气不热？"),
    ("备份在夜里两点运行", "备份几点运行？"),
)
NOTHING = (
    "How high is the Matterhorn?", "Who painted the ceiling of the chapel?", "What is the boiling point of neon?",
    "Translate good night into Spanish", "Which team won the cup in 1998?", "Convert three miles to kilometres",
    "谁画了这幅画？", "珠穆朗玛峰有多高？", "把三英里换算成公里", "氖的沸点是多少？",
)  # fmt: skip
_THINGS = "lamp chair ladder kettle blanket hammer bucket vase mirror carpet bicycle telescope umbrella suitcase".split()
_PLACES = "attic cellar garage hallway garden shed office balcony kitchen corridor studio basement".split()
_STATES = "new broken borrowed clean dusty repaired missing painted sold heavy".split()


def others(count: int, rng: random.Random) -> list[str]:
    """Memories of other things, no two alike."""
    found: dict[str, None] = {}
    while len(found) < count:
        thing, place, state = rng.choice(_THINGS), rng.choice(_PLACES), rng.choice(_STATES)
        found[f"The {state} {thing} number {rng.randrange(9_000)} is in the {place}"] = None
    return list(found)


async def measure(memory: Memory, count: int, seed: int) -> Figures:
    """One memory filled, asked, and made to forget."""
    rng = random.Random(seed)
    every = [text for text, _ in (*ENGLISH, *CHINESE)] + others(count, rng)
    rng.shuffle(every)
    keeping: list[float] = []
    asking: list[float] = []
    for text in every:
        begun = time.perf_counter()
        await memory.remember(text)
        keeping.append(time.perf_counter() - begun)
    figures: Figures = {}
    for name, pairs in (("en", ENGLISH), ("zh", CHINESE)):
        five = one = 0
        for text, question in pairs:
            begun = time.perf_counter()
            found = [entry.text for entry in (await memory.recall(question, limit=5)).entries]
            asking.append(time.perf_counter() - begun)
            five += text in found
            one += found[:1] == [text]
        figures[f"recall_at_5_{name}"] = five / len(pairs)
        figures[f"first_{name}"] = one / len(pairs)
    misled = [bool((await memory.recall(question)).found) for question in NOTHING]
    figures["misled"] = sum(misled) / len(misled)
    entries = await memory.entries()
    begun = time.perf_counter()
    await memory.forget(entries[0].id)
    figures["forget_ms"] = (time.perf_counter() - begun) * 1e3
    figures["recall_ms"] = statistics.median(asking) * 1e3
    figures["remember_ms"] = statistics.median(keeping) * 1e3
    figures["memories"] = float(len(entries))
    return figures


async def measured(count: int) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    async with local_embedding(Settings()) as embedding:
        ways = {"words": None, "words and meaning": meaning_of(embedding) if await embedding() else None}
        for name, meaning in ways.items():
            if name != "words" and meaning is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                memory = Memory(Path(folder), meaning)
                found[name] = await measure(memory, count, seed=6)
                await memory.aclose()
    return found


_ROWS = {
    "recall_at_5_en": "recall@5, English", "first_en": "comes first, English",
    "recall_at_5_zh": "recall@5, Chinese", "first_zh": "comes first, Chinese",
    "misled": "recalled for nothing", "recall_ms": "recall, ms", "remember_ms": "remember, ms", "forget_ms": "forget, ms",
}  # fmt: skip


def main() -> int:
    """Measure, print, end."""
    options = parser(__doc__ or "", quick="among 100 other memories in place of 1,000").parse_args()
    found = asyncio.run(measured(100 if options.quick else 1_000))
    count = int(found["words"]["memories"])
    rows = [[said, *(found[way][name] for way in found)] for name, said in _ROWS.items()]
    table(f"Recall among {count:,} memories, asked for in other words", ["", *found], rows)
    if len(found) == 1:
        print("The embedding model has not been pulled: words alone were measured.")
    last = found.get("words and meaning", found["words"])
    figures = dict(last) | {f"words_{name}": value for name, value in found["words"].items()}
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
