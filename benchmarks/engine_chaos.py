"""Two real engines, one killed in the middle of its streams and one frozen for a while, and an endpoint that answers 500.

    python benchmarks/engine_chaos.py [--quick] [--json -]

200 streams at once go through one router over the three. What is right is known without asking a model: each counts on
from a number of its own (every character is a token, so `--quick` wants exactly the first 12 characters), or has to fill
a schema that only one text fits. Two in five are decoded greedily (a broken stream is asked for again, and what was
shown is skipped), two are sampled (the engine goes on with the text that was shown), one is constrained. The numbers are
those at which the embedded model, undisturbed, counted right in five samples of five at temperature 0.3: from 24 it says
"25" every fifth time even at 0.05, whatever the router does. The full run first asks all of them undisturbed, and
`undisturbed_wrong` says how many answers were wrong then.

Figures: `requests`; `unanswered`, those with neither a right answer nor a typed error; `repeated` and `lost`, those whose
text has a part twice or lacks one, errors' texts included; `late`, those that ended more than half a second after their
deadline. Besides: `errors`, the typed ones; `deviated`, wrong in another way; `broken`, streams that broke off after some
text and were gone on with; seconds, wall time.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from _chaos_engines import Engine, answers_500, engines
from _report import Figures, finish, parser, percentile, table

from crewgraph.agents.model import Message, ModelClient, ModelRequest
from crewgraph.runtime.errors import CrewgraphError
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.client.routing import Deadline, Patience, Replica, Routed
from crewgraph.serving.engines import pull_model
from crewgraph.serving.engines.bar import progress_bar
from crewgraph.serving.engines.models.catalog import DEFAULT_MODEL
from crewgraph.serving.settings import Settings

STREAMS = 200
STARTS = sorted({*range(11, 50), 70, 71, 72, 73, 74, 76, 77, 79} - {20, 24, 28, 32, 48})
BEGINNING = (Message("user", "Count from 5 to 9."), Message("assistant", "5, 6, 7, 8, 9"))
LATE_S = 0.5
SILENCE_S, PROBE_S = 3.0, 2.0


@dataclass(frozen=True)
class Question:
    """A request and its one right answer, of which `beyond` says how it would go on."""

    request: ModelRequest
    answer: str
    beyond: str = ""


@dataclass
class Outcome:
    """How one request ended: the text that its reader got, and the error, if one came."""

    question: Question
    text: str = ""
    error: BaseException | None = None
    whole: bool = False
    seconds: float = 0.0

    @property
    def kind(self) -> str:
        answer, text = self.question.answer, self.text
        if self.whole and text == answer:
            return "right"
        if self.error is not None and answer.startswith(text):
            return "error" if isinstance(self.error, CrewgraphError) else "unanswered"
        return misfit(text, answer + self.question.beyond, len(answer))


def misfit(text: str, answer: str, length: int) -> str:
    """In which way a text is not the answer: where they part, does it go back in the answer, or ahead?"""
    same = next(
        (n for n, pair in enumerate(zip(text, answer, strict=False)) if pair[0] != pair[1]), len(text)
    )
    if same == len(text):
        return "lost" if same < length else "deviated"
    after = text[same : same + 4]
    if answer.find(after, same) >= 0:
        return "lost"
    return "repeated" if answer.find(after) >= 0 else "deviated"


def counting(start: int, tokens: int, timeout_s: float, *, sampled: bool) -> Question:
    text = ", ".join(str(number) for number in range(start, start + 41))
    messages = (*BEGINNING, Message("user", f"Count from {start} to {start + 40}."))
    temperature, seed = (0.05, None) if sampled else (0.0, 0)
    request = ModelRequest(
        messages, max_tokens=tokens, temperature=temperature, seed=seed, timeout_s=timeout_s
    )
    return Question(request, text[:tokens], text[tokens:])


def filling(number: int, timeout_s: float) -> Question:
    only = f"n{number}-{number * 7}"
    schema = {"type": "object", "properties": {"n": {"const": only}}, "required": ["n"]}
    schema["additionalProperties"] = False
    messages = (*BEGINNING, Message("user", "Go on."))
    request = ModelRequest(messages, max_tokens=64, schema=schema, timeout_s=timeout_s)
    return Question(request, f'{{"n":"{only}"}}')


def questions(count: int, tokens: int, timeout_s: float) -> list[Question]:
    made = []
    for number in range(count):
        start = STARTS[number // 2 % len(STARTS)]
        if number % 5 == 4:
            made.append(filling(number, timeout_s))
        else:
            made.append(counting(start, tokens, timeout_s, sampled=number % 2 == 1))
    return made


async def ask(client: ModelClient, question: Question) -> Outcome:
    outcome, began = Outcome(question), time.perf_counter()
    try:
        async for delta in client.stream(question.request):
            outcome.text += delta.text
            outcome.whole = delta.reply is not None
    except Exception as error:  # whatever it is, it is judged
        outcome.error = error
    outcome.seconds = time.perf_counter() - began
    if question.request.schema is not None:
        outcome.text = "".join(outcome.text.split())  # JSON leaves a model the choice of its space
    return outcome


@dataclass
class Trouble:
    """What is done to the engines while they write."""

    one: Engine
    two: Engine
    frozen_s: float
    done: list[str] = field(default_factory=list)

    async def make(self) -> None:
        await self.one.reached(self.one.counted.pieces + 60, begun=4)
        self.done.append(f"one killed with {self.one.counted.begun} streams begun")
        self.one.signal(signal.SIGKILL)
        await self.two.reached(self.two.counted.pieces + 60, begun=4)
        self.done.append(f"two frozen with {self.two.counted.begun} streams begun")
        self.two.signal(signal.SIGSTOP)
        await asyncio.sleep(self.frozen_s)
        self.two.signal(signal.SIGCONT)


def over(one: Engine, two: Engine, broken_url: str) -> ModelClient:
    """The client: a deadline over a router over all three."""
    replicas = [
        Replica("one", one.client(), probe_s=PROBE_S),
        Replica("two", two.client(), probe_s=PROBE_S),
        Replica("500", HttpModelClient(broken_url, attempts=1), probe_s=PROBE_S),
    ]
    patience = Patience(attempts=20, wait_s=600)  # the deadline is what bounds a call
    return Deadline(Routed(replicas, policy="least-loaded", patience=patience, silence_s=SILENCE_S))


async def measured(quick: bool, models: Path) -> Figures:
    tokens, timeout_s, rounds = (12, 45.0, 1) if quick else (18, 240.0, 3)
    outcomes: list[Outcome] = []
    undisturbed_wrong = 0
    done: list[str] = []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="crewgraph-chaos-") as name:
        async with engines(Path(name), models) as (one, two), answers_500(DEFAULT_MODEL.name) as url:
            asked = questions(STREAMS, tokens, timeout_s)
            if not quick:
                client = over(one, two, url)
                calm = await asyncio.gather(*(ask(client, question) for question in asked))
                undisturbed_wrong = sum(outcome.kind != "right" for outcome in calm)
                await client.aclose()
            began = time.perf_counter()
            for _ in range(rounds):
                client = over(one, two, url)
                trouble = Trouble(one, two, frozen_s=6.0)
                making = asyncio.create_task(trouble.make())
                outcomes += await asyncio.gather(*(ask(client, question) for question in asked))
                if trouble.done[1:]:
                    await making
                making.cancel()
                await asyncio.gather(making, return_exceptions=True)
                done += trouble.done
                await client.aclose()
            seconds = time.perf_counter() - began
            broken = one.counted.broken + two.counted.broken
    kinds = Counter(outcome.kind for outcome in outcomes)
    show(outcomes, done)
    return {
        "requests": len(outcomes),
        "unanswered": kinds["unanswered"],
        "repeated": kinds["repeated"],
        "lost": kinds["lost"],
        "late": sum(o.seconds > timeout_s + LATE_S for o in outcomes),
        "right": kinds["right"],
        "errors": kinds["error"],
        "deviated": kinds["deviated"],
        "undisturbed_wrong": undisturbed_wrong,
        "broken": broken,
        "p50_s": percentile([o.seconds for o in outcomes], 0.5),
        "p95_s": percentile([o.seconds for o in outcomes], 0.95),
        "seconds": seconds,
    }


def show(outcomes: list[Outcome], done: list[str]) -> None:
    print("\n".join(["", *done]))
    for outcome in [o for o in outcomes if o.kind not in ("right", "error")][:8]:
        print(f"{outcome.kind}: {outcome.text!r} is not {outcome.question.answer!r} ({outcome.error})")
    errors = Counter(f"{type(o.error).__name__}: {o.error}" for o in outcomes if o.error is not None)
    for error, count in errors.most_common(4):
        print(f"{count} × {error}")


def main() -> int:
    options = parser(
        __doc__ or "", quick="one round of shorter replies, and not undisturbed before"
    ).parse_args()
    settings = Settings()
    with progress_bar() as progress:
        asyncio.run(pull_model(settings, on_progress=progress))
    figures = asyncio.run(measured(options.quick, settings.models_dir))
    table("engine chaos", ("figure", "value"), figures.items())
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
