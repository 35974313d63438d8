"""How good plans are against the reference plans of public benchmarks: nodes, edges and arguments.

Planners: `rules` (rules and the shortlist: nothing but the request and the tools), `memory` (the same with plans that
worked for other requests: reference plans of other rows), `model` (a language model under the plan's schema), `both` (the
rules lay out tools and values, the model chooses among them).

Figures, for each planner and source (`rules_bfcl_node_f1`): `valid` (share of plans made that the checker passes), `made`
(share of requests for which a plan left the planner), `node_f1`, `edge_f1`, `args_exact` (of calls of the right tool, the
share whose arguments are all right), `exact` (share of plans that are right in everything), and `median_ms`. `edge_f1` is
missing for bfcl, whose calls are independent; for ultratool it is the share of edges that agree with the calling order,
for its references say the order and no need. `valid`, `node_f1`, `edge_f1` and `args_exact` alone are the best planner's.
Half of the rows (by a hash of their ids) were never held against the rules while these were written: `held_out`.

    python benchmarks/plan_quality.py [--data DIR] [--limit N] [--seed N] [--model none|embedded|URL/NAME] [--quick] [--json -]

A model of your own: ``--model http://localhost:8000/v1/my-model`` (any OpenAI-compatible engine; a key in
CREWGRAPH_MODEL_KEY). The data are third-party and not part of this repository; without them the script says so.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from _plan_quality.memory import Memory
from _plan_quality.planners import OnModel, Planner, rules, with_memory
from _plan_quality.published import PUBLISHED
from _plan_quality.rows import SOURCES, Row, load, sample
from _plan_quality.scoring import Score, of_calls
from _plan_quality.tools import Offer, in_words, offer
from _plan_quality.words import THRESHOLD, WORDS_THRESHOLD, of_words
from _report import Figures, finish, parser, table

from crewgraph.agents.model import ModelClient
from crewgraph.planner.likeness import WORDS, Embed
from crewgraph.runtime.store import open_store
from crewgraph.serving.endpoints.opening import open_models
from crewgraph.serving.engines.models.embedding import LocalEmbedder, embedder_folder
from crewgraph.serving.settings import Settings

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"
MEASURES = ("valid", "made", "node_f1", "edge_f1", "args_exact", "exact")
ASKED = ("valid", "node_f1", "edge_f1", "args_exact")
QUICK = 40
ON_MODEL = 30
QUICK_ON_MODEL = 2
QUICK_MEMORY = 200


class Scored(NamedTuple):
    """One row planned: its score, None where no plan left the planner."""

    row: Row
    score: Score | None
    seconds: float


def figures_of(found: Sequence[Scored]) -> Figures:
    """The mean of each measure over the rows that have it; a row without a plan has no node right."""
    scores = [one.score for one in found if one.score is not None]
    figures: Figures = {"made": len(scores) / len(found) if found else 0.0, "rows": len(found)}
    for name in MEASURES:
        values = [float(v) for s in scores if (v := getattr(s, name, None)) is not None]
        if name in ("node_f1", "exact") and values:
            values += [0.0] * (len(found) - len(scores))
        if values:
            figures[name] = statistics.fmean(values)
    if scores:
        figures["median_ms"] = 1000 * statistics.median(one.seconds for one in found if one.score is not None)
    return figures


async def measure(
    planner: Planner, rows: Sequence[Row], offers: dict[str, Offer], embed: Embed, threshold: float
) -> list[Scored]:
    """One planner on some rows, one after another."""
    found: list[Scored] = []
    for row in rows:
        offered = offers[_key(row)]
        made = await planner(row, offered)
        if made is None:
            found.append(Scored(row, None, 0.0))
            continue
        score = await of_words(row, made, embed, threshold) if offered.free else of_calls(row, made)
        found.append(Scored(row, score, made.seconds))
    return found


def _key(row: Row) -> str:
    return "words" if row.source == "worfbench" else str(row.raw.get("toolset") or row.id)


def offers_of(rows: Sequence[Row]) -> dict[str, Offer]:
    """The crew of each row; rows with the same tools share one."""
    found: dict[str, Offer] = {}
    for row in rows:
        if _key(row) not in found:
            found[_key(row)] = in_words() if row.source == "worfbench" else offer(row.tools)
    return found


async def run(options: argparse.Namespace) -> Figures:
    """All sources by all planners."""
    figures: Figures = {}
    settings = Settings()
    lines: list[tuple[object, ...]] = []
    async with AsyncExitStack() as stack:
        embed, threshold = _likeness(settings, stack, quick=options.quick)
        print(f"Steps in words are the same from a cosine of {threshold}.")
        client = await _client(options.model, settings, stack)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        store = await stack.enter_async_context(open_store(Path(folder) / "runs.db"))
        for source in options.source or SOURCES:
            every = load(options.data, source)
            rows = sample(every, options.limit, options.seed)
            offers = offers_of(every if source in ("ultratool", "worfbench", "nestful") else rows)
            kept = [row for row in every if not row.held_out]
            kept = sample(kept, QUICK_MEMORY, options.seed) if options.quick else kept
            memory = Memory(kept, [offers.get(_key(r), in_words()) for r in kept], embed)
            planners: dict[str, Planner] = {"rules": rules()}
            if source in ("ultratool", "worfbench"):
                planners["memory"] = with_memory(memory)
            groups = {name: (planner, rows) for name, planner in planners.items()}
            if client is not None:
                few = sample([r for r in rows if r.held_out], options.on_model, options.seed)
                remembered = memory if source in ("ultratool", "worfbench") else None
                groups["model"] = (OnModel(client, store), few)
                if source != "worfbench":
                    groups["both"] = (OnModel(client, store, guided=True, memory=remembered), few)
                groups["rules_same"] = (planners["rules"], few)
            for name, (planner, some) in groups.items():
                found = await measure(planner, some, offers, embed, threshold)
                parts = {"": found}
                if name in planners:
                    parts["held_out_"] = [one for one in found if one.row.held_out]
                for which, part in parts.items():
                    got = figures_of(part)
                    figures |= {f"{name}_{source}_{which}{measure}": value for measure, value in got.items()}
                    shown = [got.get(m, "-") for m in (*MEASURES, "median_ms")]
                    said = "held out" if which else "all" if name in planners else "held out, few"
                    lines.append((source, name, said, len(part), *shown))
                print(
                    f"  {source} {name}: {len(found)} rows, node F1 {figures[f'{name}_{source}_node_f1']:.3f}",
                    flush=True,
                )
    table("Plans against reference plans", ("source", "planner", "rows", "n", *MEASURES, "median ms"), lines)
    figures |= _best(figures)
    return figures


def _best(figures: Figures) -> Figures:
    """The mean over the sources, of that planner without a model which is the best on each."""
    found: dict[str, list[float]] = defaultdict(list)
    for source in SOURCES:
        planner = max(("rules", "memory"), key=lambda p: figures.get(f"{p}_{source}_node_f1", -1.0))
        for measure in ASKED:
            if (value := figures.get(f"{planner}_{source}_{measure}")) is not None:
                figures[f"{source}_{measure}"] = value
                found[measure].append(value)
    return {measure: statistics.fmean(values) for measure, values in found.items()}


def _likeness(settings: Settings, stack: AsyncExitStack, *, quick: bool) -> tuple[Embed, float]:
    """What tells whether two steps are the same: sentence vectors where they can be had, else (and
    for a first look) vectors of words."""
    if quick or not (embedder_folder(settings) / "model.safetensors").exists():
        return WORDS.embed, WORDS_THRESHOLD
    embedder = LocalEmbedder(settings)
    stack.push_async_callback(embedder.aclose)

    known: dict[str, Sequence[float]] = {}

    async def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        fresh = tuple(dict.fromkeys(text for text in texts if text not in known))
        if fresh:
            known.update(zip(fresh, (await embedder.embed(fresh)).vectors, strict=True))
        return [known[text] for text in texts]

    return embed, THRESHOLD


async def _client(model: str, settings: Settings, stack: AsyncExitStack) -> ModelClient | None:
    """The model that is asked for, or None."""
    if model == "none":
        return None
    if model != "embedded":
        url, _, name = model.rpartition("/")
        settings = Settings(home=settings.home, model_url=url, model=name)
    elif not settings.model_url and not any(settings.models_dir.glob("smollm2*/*.gguf")):
        print("The embedded model is not installed (`crewgraph engine pull`): rules only.")
        return None
    return await stack.enter_async_context(open_models(settings))


def main() -> int:
    """Print the tables; exit 0 whatever the figures are."""
    made = parser(__doc__ or "", quick=f"{QUICK} rows a source, no model unless --model names one")
    made.add_argument("--data", type=Path, default=DATA, help="folder of the data (default: ../shared/data)")
    made.add_argument("--limit", type=int, help="at most so many rows of each source")
    made.add_argument("--on-model", type=int, default=ON_MODEL, help="rows of each source that models plan")
    made.add_argument(
        "--source", action="append", choices=SOURCES, help="only this source (may be said again)"
    )
    made.add_argument("--seed", type=int, default=0, help="which rows, where not all")
    made.add_argument("--model", metavar="URL/NAME", help="none, embedded, or an engine's")
    options = made.parse_args()
    options.model = options.model or ("none" if options.quick else "embedded")
    if options.quick:
        options.limit = min(options.limit or QUICK, QUICK)
        options.on_model = min(options.on_model, QUICK_ON_MODEL)
    if not (options.data / "plans").is_dir():
        print(f"There are no plans in {options.data}: give the folder of the data with --data DIR.")
        return finish(options, {})
    figures = asyncio.run(run(options))
    table(
        "Published, on other samples and by other scores (see the notes)",
        ("source", "who", "figure", "where", "note"),
        [tuple(entry) for entry in PUBLISHED],
    )
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
