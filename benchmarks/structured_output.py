"""What a form costs: milliseconds a token and whether it was kept, for free text, schemas, choices and patterns.

Many streams at once ask one engine for the same kind of reply, first straight over the HTTP client, each request once,
as it goes over the wire; then through `Checked`, which asks again where a reply is not what was asked for. The strings
with maxLength go three ways: as given, with their bounds left off the wire, and as a grammar without whitespace. A star
marks what `shape_of` takes for this kind of engine.

Figures, for each form: `FORM_ms_per_token` (between the first and the last piece, median), `FORM_tokens` and
`FORM_seconds` of a reply, `FORM_kept` (share that had the form at once), `FORM_right` (share that came through `Checked`)
and `FORM_calls` (how often it asked for one reply). A form that the engine does not have has no figures.

    python benchmarks/structured_output.py [--url http://HOST:PORT/v1 --kind vllm] [--streams 32] [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import _report as report

from crewgraph.agents.model import Message, ModelReply, ModelRequest
from crewgraph.agents.wrapping import Wrapping
from crewgraph.runtime.errors import CrewgraphError, InvalidRequest, ReplyTruncated
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.client.answers import PLAIN, Checked, Forms, Shape, shape_of
from crewgraph.serving.client.answers.trying import Try

MOST_TOKENS = 160
COLUMNS = ("ms_per_token", "tokens", "seconds", "kept", "right", "calls")
CITIES = ("Paris", "Rome", "Oslo", "Cairo", "Lima", "Kyoto", "Quito", "Delhi")


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


KIND = {"enum": ["capital", "port", "resort", "market town"]}
TEXT = {"type": "string", "maxLength": 60}
ENUMS = an_object(
    kind=KIND, size={"enum": ["small", "middling", "large"]}, old={"type": "boolean"}, coast=KIND
)
LENGTHS = an_object(name=TEXT, kind=KIND, sight=TEXT, dish={"type": "string", "maxLength": 30})
WITHOUT_LENGTHS = Shape(inline=True, remarks=False, longest=0)
AS_GRAMMAR = Shape(inline=True, remarks=False, compact="always")


@dataclass(frozen=True)
class Form:
    """One kind of reply; `shape` is how its schema goes over the wire."""

    said: str
    asks: dict[str, Any]
    shape: Shape = PLAIN


FORMS = {
    "free": Form("free text", {}),
    "enums": Form("schema of choices", {"schema": ENUMS}),
    "enums_grammar": Form("the same as a grammar", {"schema": ENUMS}, AS_GRAMMAR),
    "lengths": Form("strings with maxLength", {"schema": LENGTHS}),
    "lengths_shaped": Form("the same, bounds held afterwards", {"schema": LENGTHS}, WITHOUT_LENGTHS),
    "lengths_grammar": Form("the same as a grammar", {"schema": LENGTHS}, AS_GRAMMAR),
    "choices": Form("choices", {"choices": CITIES}),
    "regex": Form("a pattern", {"regex": "[A-Z][a-z]{2,12}, [a-z ]{4,40}"}),
}


class Counting(Wrapping):
    """The client, and how often it was asked."""

    calls = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.calls += 1
        return await super().complete(request)


def request_of(form: Form, number: int, most: int) -> ModelRequest:
    asked = f"Tell me about {CITIES[number % len(CITIES)]}, the {number}th city of my journey."
    return ModelRequest((Message("user", asked),), max_tokens=most, **form.asks)


async def straight(
    client: HttpModelClient, form: Form, number: int, most: int
) -> tuple[float | None, float, int, bool]:
    """One reply as it goes over the wire: ms a token, seconds, tokens, and whether it had the form."""
    request = request_of(form, number, most)
    began = time.perf_counter()
    first, last, pieces, reply = 0.0, 0.0, 0, None
    try:
        async for delta in client.stream(Try.first(request, form.shape).request):
            reply = delta.reply or reply
            if delta.text:
                last = time.perf_counter()
                first, pieces = first or last, pieces + 1
    except ReplyTruncated as error:
        reply = error.reply if isinstance(error.reply, ModelReply) else reply
    except InvalidRequest:
        raise
    except CrewgraphError:  # a reply of another form is a result of this measurement
        reply = None
    seconds = time.perf_counter() - began
    if reply is None:
        return None, seconds, pieces, False
    tokens = reply.usage.completion_tokens
    kept = Forms().cut_off(request, reply) is None and Forms().fault(request, reply.text) is None
    between = (
        (last - first) * 1e3 / (tokens - 1) if pieces > 1 and tokens > 1 else seconds * 1e3 / max(tokens, 1)
    )
    return between, seconds, tokens, kept


async def checked(client: Counting, form: Form, number: int, most: int) -> bool:
    """Whether a reply came through `Checked`; it then has its form."""
    try:
        await Checked(client, shape=form.shape).complete(request_of(form, number, most))
    except CrewgraphError:
        return False
    return True


async def offered(client: HttpModelClient) -> list[str]:
    """The forms that the engine has; asking for each once also compiles what it compiles once."""
    found = []
    for name, form in FORMS.items():
        try:
            await straight(client, form, 0, most=4)
        except InvalidRequest as error:
            print(f"{form.said}: {error}")
        else:
            found.append(name)
    return found


async def measured(
    client: HttpModelClient, streams: int, rounds: int, most: int
) -> dict[str, report.Figures]:
    """The figures of every form. They take turns, so that whatever else the machine does befalls all alike."""
    names = await offered(client)
    told: dict[str, list[tuple[float | None, float, int, bool]]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names:
            numbers = range(turn * streams, (turn + 1) * streams)
            told[name] += await asyncio.gather(
                *(straight(client, FORMS[name], number, most) for number in numbers)
            )
    return {name: figures_of(name, told[name]) | await rights(client, name, streams, most) for name in names}


def figures_of(name: str, told: list[tuple[float | None, float, int, bool]]) -> report.Figures:
    paces = [pace for pace, *_ in told if pace is not None]
    return {
        **({f"{name}_ms_per_token": statistics.median(paces)} if paces else {}),
        f"{name}_tokens": statistics.mean(tokens for _, _, tokens, _ in told),
        f"{name}_seconds": statistics.median(seconds for _, seconds, _, _ in told),
        f"{name}_kept": statistics.mean(kept for *_, kept in told),
    }


async def rights(client: HttpModelClient, name: str, streams: int, most: int) -> report.Figures:
    """How many replies come through `Checked`, and how often it asks for one. Free text has no form to be right in."""
    if not FORMS[name].asks:
        return {}
    counting = Counting(client)
    right = await asyncio.gather(*(checked(counting, FORMS[name], number, most) for number in range(streams)))
    return {f"{name}_right": statistics.mean(right), f"{name}_calls": counting.calls / len(right)}


@asynccontextmanager
async def opened(url: str | None, key: str | None) -> AsyncIterator[HttpModelClient]:
    """The engine at `url`, or the embedded one in a home of its own, with the user's models."""
    if url is not None:
        async with HttpModelClient(url, api_key=key) as client:
            yield client
        return
    from crewgraph.serving.engines import engine_client, pull_model, stop_engine
    from crewgraph.serving.settings import Settings

    mine = Settings(model_url=None, model=None)
    await pull_model(mine)
    with tempfile.TemporaryDirectory(prefix="crewgraph-structured-") as folder:
        (Path(folder) / "models").symlink_to(mine.models_dir)
        settings = Settings(home=Path(folder), model_url=None, model=None)
        try:
            async with engine_client(settings) as embedded:
                yield embedded
        finally:
            await stop_engine(settings)


def is_own(form: Form, kind: str) -> bool:
    """Whether schemas go to this kind of engine in this shape."""
    own = shape_of(kind)
    compact = own.compact == "always"
    if "schema" not in form.asks or compact != (form.shape.compact == "always"):
        return False
    return compact or replace(own, compact="never") == form.shape


async def compare(
    url: str | None, key: str | None, kind: str, streams: int, rounds: int, most: int
) -> report.Figures:
    figures: report.Figures = {}
    rows = []
    async with opened(url, key) as client:
        for name, found in (await measured(client, streams, rounds, most)).items():
            form = FORMS[name]
            figures |= found
            cells = [found.get(f"{name}_{what}", "-") for what in COLUMNS]
            rows.append((form.said + (" *" if is_own(form, kind) else ""), *cells))
    head = ("form", "ms/token", "tokens", "s a reply", "kept at once", "right, checked", "calls")
    report.table(f"{streams} streams at once over {url or 'the embedded engine'}", head, rows)
    return figures


def main() -> int:
    made = report.parser(__doc__ or "", quick="few streams, short replies, once")
    made.add_argument("--url", help="an engine that runs already; without it the embedded one is started")
    made.add_argument(
        "--kind", default=None, help="what it is: vllm, sglang, llamacpp, openai (with --url: vllm)"
    )
    made.add_argument(
        "--streams", type=int, default=None, help="how many at once (32; the embedded engine: 8)"
    )
    options = made.parse_args()
    streams = options.streams or (32 if options.url else 8)
    kind = options.kind or ("vllm" if options.url else "llamacpp")
    if options.quick:
        streams = min(streams, 8 if options.url else 2)
    rounds, most = (1, MOST_TOKENS // 2) if options.quick else (3, MOST_TOKENS)
    key = os.environ.get("CREWGRAPH_MODEL_KEY")
    figures = asyncio.run(compare(options.url, key, kind, streams, rounds, most))
    return report.finish(options, {"streams": streams, **figures})


if __name__ == "__main__":
    sys.exit(main())
