"""Writes `pairs.jsonl`: which of two countries has more people, and by how many percent, for 20 pairs drawn at random.

python benchmarks/questions/make_pairs.py
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from make_dev import TABLE, fraction

HERE = Path(__file__).resolve().parent
PAIRS, SEED = 20, 20261122


def main() -> None:
    """Draw the pairs and write the questions."""
    draw = random.Random(SEED)
    lines = []
    for number in range(1, PAIRS + 1):
        one, other = draw.sample(sorted(TABLE), 2)
        high, low = sorted((TABLE[one]["population"], TABLE[other]["population"]), reverse=True)
        winner = max(one, other, key=lambda name: TABLE[name]["population"])
        question = {
            "id": f"pairs-{number:02}",
            "kind": "compare",
            "lang": "en",
            "crew": "countries",
            "question": f"Which has more people, {one} or {other}, and by how many percent?",
            "tools": ["lookup", "compare"],
            "expect": [f"{winner} has the higher population", fraction((high - low) / low * 100)],
            "evidence": [str(high), str(low)],
        }
        lines.append(json.dumps(question, ensure_ascii=False))
    (HERE / "pairs.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    print(f"pairs.jsonl: {len(lines)} questions")


if __name__ == "__main__":
    main()
