"""How well crews answer on the embedded engine: valid plans, right tools, right answers, right evidence.

Each question is put to its crew as a user would put it. Figures (0 to 1): `valid` (plans that the independent
checker passes), `tools_right`, `answers_right`, `evidence_right`; `seconds` is the median of a question. Small talk
counts as right when it gets an answer without a tool.

    python benchmarks/embedded_quality.py [--quick] [--set dev|pairs|unseen|second|third|fresh|all] [--json -]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from questions.rows import holds

from crewgraph.planner.checking.checker import check
from crewgraph.runtime.events import PlanMade, StepFinished
from crewgraph.serving.crewfile import load_crew
from crewgraph.serving.house import House
from crewgraph.serving.settings import Settings

HERE = Path(__file__).resolve().parent
CREWS = {
    "countries": HERE.parent / "examples" / "countries.py",
    "manual": HERE.parent / "examples" / "manual.py",
    "unseen": HERE / "unseen" / "crew.py",
}
SETS = {
    "dev": HERE / "questions" / "dev.jsonl",
    "unseen": HERE / "unseen" / "questions.jsonl",
    "pairs": HERE / "questions" / "pairs.jsonl",
    "second": HERE / "questions" / "second.jsonl",
    "third": HERE / "questions" / "third.jsonl",
    "fresh": HERE / "questions" / "fresh.jsonl",
}
MEASURES = ("valid", "tools_right", "answers_right", "evidence_right")


async def put(house: House, crew: Any, question: dict[str, Any]) -> dict[str, Any]:
    """One question, asked and scored."""
    seen: list[Any] = []
    began = time.monotonic()
    try:
        outcome = await house.ask(crew, question["question"], listeners=[seen.append])
        answer, evidence = outcome.answer, "\n".join(outcome.evidence)
    except Exception as error:  # a failed question is a result of this measurement
        answer, evidence = f"{type(error).__name__}: {error}", ""
    plan = next((e for e in seen if isinstance(e, PlanMade)), None)
    used = {
        e.name.removeprefix("tool:")
        for e in seen
        if isinstance(e, StepFinished) and e.name.startswith("tool:")
    }
    wanted = question["tools"]
    tools_right = (
        all(bool(used & set(w)) if isinstance(w, list) else w in used for w in wanted) if wanted else not used
    )
    return {
        "valid": plan is not None and not check(plan.tasks, crew),
        "tools_right": tools_right,
        "answers_right": bool(answer.strip()) and all(holds(answer, w) for w in question["expect"]),
        "evidence_right": all(holds(evidence, w) for w in question["evidence"]),
        "seconds": time.monotonic() - began,
        "answer": answer,
        "used": sorted(used),
    }


async def measure(questions: list[dict[str, Any]], settings: Settings, *, show: bool) -> dict[str, Any]:
    """All questions, one after another, as one user would ask them."""
    crews = {
        name: load_crew(str(path))
        for name, path in CREWS.items()
        if any(q["crew"] == name for q in questions)
    }
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    async with House.open(settings) as house:
        await house.ask(next(iter(crews.values())), "Hello!")  # the engine's start is not a question's
        for question in questions:
            result = await put(house, crews[question["crew"]], question)
            rows[question["set"], question["kind"]].append(result)
            right = all(result[m] for m in MEASURES)
            if show and not right:
                wrong = ", ".join(m for m in MEASURES if not result[m])
                print(
                    f"  {question['id']}: {question['question']}\n    wrong: {wrong}; used {result['used']}; "
                    f"answer: {result['answer'][:300]!r}"
                )
    table = {f"{name}/{kind}": _figures(found) for (name, kind), found in rows.items()}
    for name in dict.fromkeys(name for name, _ in rows):
        table[name] = _figures([r for (n, _), found in rows.items() if n == name for r in found])
    return {**_figures([r for found in rows.values() for r in found]), "by_kind": table}


def _figures(results: list[dict[str, Any]]) -> dict[str, float]:
    found = {m: round(sum(r[m] for r in results) / len(results), 4) for m in MEASURES}
    return {
        **found,
        "seconds": round(statistics.median(r["seconds"] for r in results), 2),
        "questions": len(results),
    }


def main() -> int:
    """Print the table; exit 0 whatever the figures are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two questions of each kind")
    parser.add_argument("--set", choices=[*SETS, "all"], default="all")
    parser.add_argument("--show", action="store_true", help="show what went wrong, question by question")
    parser.add_argument("--json", metavar="-", help="also print one JSON object as the last line")
    options = parser.parse_args()
    questions: list[dict[str, Any]] = []
    for name, path in SETS.items():
        if options.set in (name, "all") and path.exists():
            found = [
                {**json.loads(line), "set": name} for line in path.read_text("utf-8").splitlines() if line
            ]
            if options.quick:
                found = [
                    q
                    for kind in dict.fromkeys(q["kind"] for q in found)
                    for q in [q for q in found if q["kind"] == kind][:2]
                ]
            questions += found
    with tempfile.TemporaryDirectory() as home:
        usual = Settings()
        settings = Settings(home=Path(home)) if usual.model_url else usual
        figures = asyncio.run(measure(questions, settings, show=options.show))
    print(f"{'set / kind':<24}{'questions':>10}" + "".join(f"{m:>16}" for m in MEASURES) + f"{'seconds':>10}")
    for name, row in [*figures["by_kind"].items(), ("all", figures)]:
        print(
            f"{name:<24}{row['questions']:>10}"
            + "".join(f"{row[m]:>16.2f}" for m in MEASURES)
            + f"{row['seconds']:>10.2f}"
        )
    if options.json:
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
