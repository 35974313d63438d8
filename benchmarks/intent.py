"""What requests are taken for, held against what people say they are: per kind and language, with and without embeddings.

The requests of `intents/heldout.toml` are put to crews with and without tools and documents; nothing was fitted on them.
Figures: `accuracy`; `plan_when_simple` (of chatter, questions and questions for documents the share that is planned);
`missed_plan` (of requests for tools or a plan the share that is taken for something cheaper); `unsafe_missed`;
`safe_refused`; `ece` (expected calibration error over ten bins); `language` (share of languages told right). They are those with
the embedding model where it is on this machine, and `rules_…` those without one. `rules_ms` is CPU time a request without
looking at tools, `whole_ms` with it.

    python benchmarks/intent.py [--quick] [--show] [--fit] [--json -]

`--fit` prints a new `planner/intent/measured.toml`, made from `intents/calibration.toml`,
`intents/seen.toml` and the examples, each left out in turn.
"""

from __future__ import annotations

import asyncio
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from _report import finish, parser, table
from intents.crews import crews

from crewgraph import Crew
from crewgraph.planner.intent.case import Case
from crewgraph.planner.intent.examples import Meanings, blended, index
from crewgraph.planner.intent.form.language import language_of
from crewgraph.planner.intent.intents import ENOUGH, Intents
from crewgraph.planner.intent.judging import measured
from crewgraph.planner.intent.kinds import Intent, Kind
from crewgraph.planner.intent.unsafe import harm_in
from crewgraph.planner.likeness import Embed
from crewgraph.serving.engines.models.embedding import LocalEmbedder, embedder_folder
from crewgraph.serving.settings import Settings

HERE = Path(__file__).resolve().parent / "intents"
KINDS: tuple[Kind, ...] = get_args(Kind)
CHEAPER: Mapping[str, frozenset[str]] = {
    "tools": frozenset({"small_talk", "question", "documents"}),
    "plan": frozenset({"small_talk", "question", "documents", "tools"}),
}
SIMPLE = ("small_talk", "question", "documents")
_SORTS = {"chat": "small_talk", "ask": "question", "write": "question", "act": "question", "steps": "plan"}
_BINS = 10


class Row(NamedTuple):
    """One labelled request; of the kind "safe" it only must not be refused."""

    crew: str
    kind: str
    language: str
    text: str


def rows(name: str) -> list[Row]:
    """The labelled requests of a file."""
    raw = tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))
    return [
        Row(crew, kind, language, text)
        for crew, kinds in raw.items()
        if crew != "languages"
        for kind, languages in kinds.items()
        for language, texts in languages.items()
        for text in texts
    ]


async def asked(intents: Intents, found: Sequence[Row], every_crew: Mapping[str, Crew]) -> list[Intent]:
    """What each request is taken for."""
    return [await intents.of(row.text, every_crew[row.crew]) for row in found]


def figures(found: Sequence[Row], said: Sequence[Intent]) -> dict[str, float]:
    """The figures of the docstring."""
    both = list(zip(found, said, strict=True))

    def share(of: Iterable[tuple[Row, Intent]], wrong: Any) -> float:
        chosen = list(of)
        return sum(wrong(r, i) for r, i in chosen) / max(1, len(chosen))

    labelled = [(r, i) for r, i in both if r.kind != "safe"]
    return {
        "accuracy": share(labelled, lambda r, i: r.kind == i.kind),
        "plan_when_simple": share(
            ((r, i) for r, i in labelled if r.kind in SIMPLE), lambda _, i: i.kind == "plan"
        ),
        "missed_plan": share(
            ((r, i) for r, i in labelled if r.kind in CHEAPER), lambda r, i: i.kind in CHEAPER[r.kind]
        ),
        "unsafe_missed": share(
            ((r, i) for r, i in labelled if r.kind == "unsafe"), lambda _, i: i.kind != "unsafe"
        ),
        "safe_refused": share(
            ((r, i) for r, i in both if r.kind != "unsafe"), lambda _, i: i.kind == "unsafe"
        ),
        "ece": calibration([(i.confidence, r.kind == i.kind) for r, i in labelled])[0],
    }


def calibration(told: Sequence[tuple[float, bool]]) -> tuple[float, list[tuple[str, int, float, float]]]:
    """Expected calibration error, and for each bin its range, how many, how sure and how often right."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, right in told:
        bins[min(_BINS - 1, int(confidence * _BINS))].append((confidence, right))
    lines, error = [], 0.0
    for number in sorted(bins):
        own = bins[number]
        sure, right = sum(c for c, _ in own) / len(own), sum(r for _, r in own) / len(own)
        error += abs(sure - right) * len(own) / len(told)
        lines.append((f"{number / _BINS:.1f}–{(number + 1) / _BINS:.1f}", len(own), sure, right))
    return error, lines


def tables(title: str, found: Sequence[Row], said: Sequence[Intent]) -> None:
    """What was taken for what, and how sure that was."""
    counted: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row, intent in zip(found, said, strict=True):
        counted[row.kind, row.language][intent.kind] += 1
    lines: list[list[object]] = []
    for (kind, language), taken in sorted(
        counted.items(), key=lambda item: ([*KINDS, "safe"].index(item[0][0]), item[0][1])
    ):
        total = taken.total()
        right = total - taken["unsafe"] if kind == "safe" else taken[kind]
        lines.append([f"{kind} {language}", total, right / total, *(taken[k] or "" for k in KINDS)])
    table(f"{title}: what each kind was taken for", ["kind", "requests", "right", *KINDS], lines)
    told = [(i.confidence, r.kind == i.kind) for r, i in zip(found, said, strict=True) if r.kind != "safe"]
    table(
        f"{title}: how sure, and how often right",
        ["confidence", "requests", "said", "right"],
        calibration(told)[1],
    )


def cost(every_crew: Mapping[str, Crew], found: Sequence[Row]) -> dict[str, float]:
    """CPU milliseconds a request, without tools and whole."""
    spent = {}
    loop = asyncio.new_event_loop()
    for name, own in (("rules_ms", [r._replace(crew="talker") for r in found]), ("whole_ms", list(found))):
        loop.run_until_complete(asked(Intents(), own[:20], every_crew))
        began = time.process_time()
        loop.run_until_complete(asked(Intents(), own, every_crew))
        spent[name] = (time.process_time() - began) / len(own) * 1000
    loop.close()
    return spent


def languages(show: bool) -> float:
    """The share of texts whose language is told right."""
    raw = tomllib.loads((HERE / "heldout.toml").read_text("utf-8"))["languages"]
    told = [(language, language_of(text), text) for language, texts in raw.items() for text in texts]
    if show:
        print(*(f"  {text}: {said}, not {right}" for right, said, text in told if said != right), sep="\n")
    return sum(right == said for right, said, _ in told) / len(told)


async def fit(embed: Embed | None, every_crew: Mapping[str, Crew]) -> None:
    """Print how often each case of a guess is right."""
    right: dict[str, dict[str, list[int]]] = {"letters": {}, "meaning": {}}

    def note(way: str, case: str, hit: bool) -> None:
        counted = right[way].setdefault(case, [0, 0])
        counted[0] += hit
        counted[1] += 1

    meanings: dict[str, Meanings] = {}
    unsure: list[tuple[str, str, bool]] = []
    if embed is not None:
        import numpy

        for language in ("en", "zh"):
            own = index(language).examples
            meanings[language] = Meanings(
                own, numpy.asarray(await embed([e.text for e in own]), dtype="float32")
            )
            print(
                f"# {language}: the embedding model is {'asked' if meanings[language].useful else 'not asked'}"
            )
    todo: list[tuple[Row, int]] = [(row, -1) for row in (*rows("calibration"), *rows("seen"))]
    for language in ("en", "zh"):
        for number, example in enumerate(index(language).examples):
            kind = _SORTS[example.sort]
            todo.append((Row("talker", kind, language, example.text), number))
            reads = kind if example.sort not in ("ask",) else "documents"
            if example.sort != "act":
                todo.append((Row("library", reads, language, example.text), number))
    for row, number in todo:
        if harm_in(row.text):
            note("letters", "unsafe", hit=row.kind == "unsafe")
        if row.kind in ("unsafe", "safe") or harm_in(row.text):
            continue
        case = Case(row.text, every_crew[row.crew], (), row.language)
        letters = index("zh" if row.language == "zh" else "en").shares(case.signs.head, but=number)
        ways = {"letters": (letters, {})}
        known = meanings.get(row.language)
        if embed is not None and known is not None and known.useful:
            said = {t.name: f"{t.name.replace('_', ' ')}: {t.description}"[:300] for t in case.offer.tools}
            vector, *others = await embed([row.text, *said.values()])
            near = {
                n: sum(a * b for a, b in zip(vector, o, strict=True))
                for n, o in zip(said, others, strict=True)
            }
            ways["meaning"] = (
                blended(letters, {str(s): v for s, v in known.shares(vector, but=number).items()}),
                near,
            )
        for way, (shares, means) in ways.items():
            guess = case.guess(shares, means)
            if guess is None:
                note(way, "plan:unsure", hit=row.kind == "plan")
                continue
            note(way, guess.case, hit=guess.kind == row.kind)
            unsure.append((way, guess.case, row.kind == "plan"))
    for way, case, planned in unsure:
        own_right, of = right[way][case]
        if not case.startswith("plan") and (own_right + 1.5) / (of + 3) < ENOUGH:
            note(way, "plan:unsure", hit=planned)
    for way, cases in right.items():
        print(f"\n[{way}]")
        for case, (hits, of) in sorted(cases.items()):
            print(f'"{case}" = [{hits}, {of}]')


def main() -> int:
    """Print the tables; exit 0 whatever the figures are."""
    options = parser(__doc__ or "", quick="every third request")
    options.add_argument("--show", action="store_true", help="show what was taken for something else")
    options.add_argument("--fit", action="store_true", help="print a new table of measured confidences")
    given = options.parse_args()
    settings = Settings()
    local = LocalEmbedder(settings) if embedder_folder(settings).exists() else None

    kept: dict[str, Sequence[float]] = {}

    async def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        assert local is not None, "asked only where there is one"
        if fresh := tuple(dict.fromkeys(t for t in texts if t not in kept)):
            kept.update(zip(fresh, (await local.embed(fresh)).vectors, strict=True))
        return [kept[t] for t in texts]

    found = rows("heldout")[:: 3 if given.quick else 1]
    with crews() as every_crew:
        if given.fit:
            asyncio.run(fit(embed if local is not None else None, every_crew))
            return 0
        said = asyncio.run(asked(Intents(), found, every_crew))
        tables("Rules and letters alone", found, said)
        result = {f"rules_{name}": value for name, value in figures(found, said).items()}
        if local is not None:
            said = asyncio.run(asked(Intents(embed), found, every_crew))
            tables("With all-minilm-l6-v2", found, said)
        else:
            print("\nThe embedding model is not on this machine, so rules and letters decide alone.")
        result |= figures(found, said)
        for language in ("en", "zh"):
            own = [(r, i) for r, i in zip(found, said, strict=True) if r.language == language]
            part = figures([r for r, _ in own], [i for _, i in own])
            result |= {
                f"{language}_{name}": part[name] for name in ("accuracy", "plan_when_simple", "missed_plan")
            }
        result["language"] = languages(given.show)
        result |= cost(every_crew, found)
        if given.show:
            for row, intent in zip(found, said, strict=True):
                if intent.kind != row.kind and not (row.kind == "safe" and intent.kind != "unsafe"):
                    print(
                        f"  {row.crew}/{row.kind}: {row.text}\n    {intent.kind} {intent.confidence} {intent.why}"
                    )
    table("Figures", ["figure", "value"], [[name, float(value)] for name, value in result.items()])
    assert measured()["letters"].cases, "planner/intent/measured.toml is empty: run with --fit"
    return finish(given, result)


if __name__ == "__main__":
    sys.exit(main())
