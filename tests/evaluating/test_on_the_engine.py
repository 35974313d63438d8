"""The example's crew over the example's cases, on the embedded engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import Settings
from crewgraph.serving.crewfile import load_crew
from crewgraph.serving.evaluating.dataset import read_dataset
from crewgraph.serving.evaluating.reporting.comparison import compare
from crewgraph.serving.evaluating.reporting.summary import summarise
from crewgraph.serving.evaluating.sitting import Sitting

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.engine
async def test_the_example_is_evaluated_and_does_not_differ_from_itself(
    home: Settings, tmp_path: Path
) -> None:
    file = EXAMPLES / "countries.py"
    dataset = read_dataset(EXAMPLES / "data" / "countries_cases.jsonl")
    sitting = Sitting(home, dataset, parallel=4, out=tmp_path / "one")
    crew = load_crew(file)
    old, trials = await sitting.evaluate(crew, str(file))
    found = summarise(trials)
    assert found.ended == {"finished": len(dataset.cases)}
    assert (found.mean_of("contains") or 0) >= 0.8
    assert (found.mean_of("trajectory") or 0) >= 0.8
    assert found.tokens.total > 0
    judged = next(figure for figure in found.figures if figure.name == "judge")
    assert judged.silent == 1, "the embedded model fails the quiz, and is not believed"
    again = Sitting(home, dataset, limit=6, out=tmp_path / "two")
    new, _ = await again.evaluate(crew, str(file))
    same = compare(old, new)
    assert same.pairs == 6
    assert all(change.verdict == "no difference shown" for change in same.scores)
