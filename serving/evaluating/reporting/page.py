"""Owns the page of an evaluation: one HTML file that needs nothing else, runs no script and loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ...cli.screens.text import clean
from ..record import Record, Trial
from ..score import Score
from .comparison import Comparison
from .resampling import Interval
from .summary import CaseResult, Summary
from .words import CHANGES, SCORES, change_rows, flip_lines, pair_lines, remarks, score_rows, used_lines

_STYLE = """
:root{color-scheme:light dark;--line:#8885;--good:#1a7f37;--bad:#c0362c;--soft:#8882}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;min-width:100%}
th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);white-space:nowrap}
td:last-child{white-space:normal}
details{border-bottom:1px solid var(--line);padding:.4rem 0}
summary{cursor:pointer}
pre{white-space:pre-wrap;background:var(--soft);padding:.6rem;border-radius:.3rem;margin:.4rem 0}
.good{color:var(--good)}.bad{color:var(--bad)}.dim{opacity:.7}
.bar{display:flex;gap:.8rem;align-items:center}.bar span{width:6.5rem;flex:none}
svg{flex:1;max-width:26rem;height:1.6rem}
"""


def page(record: Record, summary: Summary, comparison: Comparison | None = None) -> str:
    """The page, whole. Every text in it is escaped; it allows no script, no image and no address to be loaded."""
    heading = record.heading
    title = f"{heading.crew} on {heading.dataset}"
    facts = [
        ("crew file", Path(heading.crew_file).name or "-"),
        ("planner", heading.planner),
        ("model", heading.model or "the default"),
        ("dataset", f"{heading.dataset} ({heading.dataset_hash[:12]})"),
        ("record", record.path.name),
    ]
    parts = [
        f"<h1>{_text(title)}</h1>",
        _table((), [list(fact) for fact in facts]),
        "<h2>Scores</h2>",
        _table(SCORES, score_rows(summary)),
        *(_bar(figure.name, figure.mean) for figure in summary.figures if figure.mean is not None),
        _list([*used_lines(summary), *remarks(summary)]),
        _tags(summary),
        "" if comparison is None else _comparison(comparison),
        "<h2>Cases</h2>",
        *(_case(case) for case in summary.cases),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _comparison(found: Comparison) -> str:
    rows = change_rows([*found.scores, *found.used])
    return "\n".join(
        [
            "<h2>Compared</h2>",
            f"<p>old: {_text(found.old)}<br>new: {_text(found.new)}</p>",
            _table(CHANGES, rows),
            _list([*pair_lines(found), *flip_lines(found)]),
        ]
    )


def _case(case: CaseResult) -> str:
    passed = case.passes()
    if passed is None:
        mark = '<span class="dim">not judged</span>'
    else:
        mark = '<span class="good">passed</span>' if passed else '<span class="bad">failed</span>'
    tags = f' <span class="dim">{_text(", ".join(case.tags))}</span>' if case.tags else ""
    trials = "".join(_trial(trial, len(case.trials)) for trial in case.trials)
    return f"<details><summary>{_text(case.id)}: {mark}{tags}</summary>{trials}</details>"


def _trial(trial: Trial, of: int) -> str:
    head = f"trial {trial.attempt + 1}, " if of > 1 else ""
    used = _text(f"{head}{trial.ended}, {trial.seconds:.2f} s, {trial.tokens:,} tokens")
    where = f"<br><code>crewgraph show {_text(trial.run_id)}</code>" if trial.run_id else ""
    said = trial.answer if trial.ended == "finished" else trial.error
    boxes = "".join(f"<pre>{_text(text)}</pre>" for text in (trial.request, said) if text)
    scores = _table((), [_score(name, score) for name, score in trial.scores.items()])
    return f"<p>{used}{where}</p>{boxes}{scores}"


def _score(name: str, score: Score) -> list[str]:
    value = "not judged" if score.value is None else f"{score.value:.2f}"
    return [name, value, "" if score.passed is None else "passed" if score.passed else "failed", score.why]


def _tags(summary: Summary) -> str:
    if not summary.tags:
        return ""
    names = list(dict.fromkeys(name for told in summary.tags.values() for name in told))
    rows = [
        [tag, *(f"{told[n]:.3g}" if n in told else "" for n in names)] for tag, told in summary.tags.items()
    ]
    return "<h2>By tag</h2>\n" + _table(("tag", *names), rows)


def _bar(name: str, mean: Interval) -> str:
    low, at, high = (round(300 * min(1.0, max(0.0, part)), 1) for part in (mean.low, mean.mean, mean.high))
    label = _text(f"{name}: {mean.mean:.2f}, between {mean.low:.2f} and {mean.high:.2f}")
    return (
        f'<div class="bar"><span>{_text(name)}</span><svg viewBox="-6 0 312 16" role="img" aria-label="{label}">'
        '<line x1="0" y1="8" x2="300" y2="8" stroke="currentColor" opacity=".25"/>'
        f'<line x1="{low}" y1="8" x2="{high}" y2="8" stroke="currentColor" stroke-width="3"/>'
        f'<circle cx="{at}" cy="8" r="5" fill="currentColor"/></svg></div>'
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    top = "<tr>" + "".join(f"<th>{_text(name)}</th>" for name in head) + "</tr>" if head else ""
    return f'<div class="scroll"><table>{top}{body}</table></div>' if body else ""


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>" if lines else ""


def _text(text: str) -> str:
    """Text as a page shows it and never understands it; lone surrogates, which no file can hold, are replaced."""
    return escape(clean(text).encode("utf-8", "replace").decode(), quote=True)
