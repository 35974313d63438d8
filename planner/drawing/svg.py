"""SVG: a plan as a picture, from left to right, in one file that needs nothing else and is readable on light and on dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from ...runtime.graph import Task, TaskGraph
from ..plan import Estimate
from .labels import call, cost, marks, plain, rests_on, total, what, who, wide
from .layers import Layout, layout

_WIDTH, _HEIGHT = 240, 76
_GAP, _BETWEEN = 70, 18
_MARGIN, _HEAD = 16, 40
_SIGN, _PADDING = 6.6, 12  # about how wide a sign of 12 px is
_STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif; fill: #1f2937 }
  .id { font-weight: 600 } .more { fill: #4b5563; font-size: 11px }
  .total { fill: #6b7280; font-size: 13px }
  .box { fill: #f8fafc; stroke: #64748b; stroke-width: 1.2 }
  .behind { fill: #e2e8f0; stroke: #64748b; stroke-width: 1 }
  .asks { fill: #fef3c7 } .optional { stroke-dasharray: 5 4 }
  .arrow { fill: none; stroke: #8391a5; stroke-width: 1.4 } .if { stroke-dasharray: 4 4 }
  .critical .box, .arrow.critical { stroke: #d97706; stroke-width: 2.6 }
  .tip { fill: #8391a5 } .tip.critical { fill: #d97706 }
"""


def svg(tasks: Sequence[Task], estimate: Estimate | None = None, *, title: str = "Plan") -> str:
    """A plan as an SVG 1.1 document. Boxes are cut to fit; the whole text of each is its tooltip.

    The longest chain has a bold frame; a second frame behind one says that it is done for each of a list, a yellow one
    asks a person first, a dashed one may be left out, a dashed arrow is a condition.

    Raises:
        InvalidGraph: the tasks are no graph.
    """
    graph = TaskGraph(tasks)
    drawn = layout({task.id: graph.needs(task.id) for task in tasks}, graph.order)
    path = list(estimate.path) if estimate is not None else []
    chain = set(pairwise(path))
    wide_, high = _size(drawn)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide_} {high}" width="{wide_}" height="{high}" role="img">',
        f"<title>{_text(title)}</title>",
        f"<style>{_STYLE}</style>",
    ]
    if estimate is not None:
        told = f"{total(estimate)} · {rests_on(estimate)}"
        shown = _cut(told, wide_ - 2 * _MARGIN, 7.2)
        lines.append(f'<text class="total" x="{_MARGIN}" y="{_MARGIN + 10}">{_text(shown)}</text>')
    for (need, task_id), bends in sorted(drawn.bends.items(), key=lambda arrow: arrow[0] in chain):
        asked = graph[task_id].when is not None and need in graph[task_id].refers_to
        lines += _arrow(drawn, need, task_id, bends, critical=(need, task_id) in chain, asked=asked)
    for task in tasks:
        lines += _box(drawn, task, estimate, critical=task.id in path)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _size(drawn: Layout) -> tuple[int, int]:
    wide_ = 2 * _MARGIN + max(1, drawn.layers) * (_WIDTH + _GAP) - _GAP
    return max(wide_, 520), round(2 * _MARGIN + _HEAD + drawn.breadth * (_HEIGHT + _BETWEEN) + _HEIGHT)


def _at(drawn: Layout, name: str, layer: int) -> tuple[float, float]:
    """The upper left corner of a box."""
    x = _MARGIN + layer * (_WIDTH + _GAP)
    return x, round(_MARGIN + _HEAD + drawn.place[name] * (_HEIGHT + _BETWEEN), 1)


def _arrow(
    drawn: Layout, need: str, task_id: str, bends: Sequence[str], *, critical: bool, asked: bool
) -> Iterator[str]:
    begin, end = drawn.layer[need], drawn.layer[task_id]
    x, y = _at(drawn, need, begin)
    parts = [f"M{x + _WIDTH:g} {y + _HEIGHT / 2:g}"]
    from_x, from_y = x + _WIDTH, y + _HEIGHT / 2
    stops: list[tuple[float, float, float]] = []
    for number, point in enumerate(bends, begin + 1):
        px, py = _at(drawn, point, number)
        stops.append((px, px + _WIDTH, py + _HEIGHT / 2))
    tx, ty = _at(drawn, task_id, end)
    stops.append((tx - 7, tx - 7, ty + _HEIGHT / 2))
    for to_x, on_x, to_y in stops:
        half = (to_x - from_x) / 2
        parts.append(
            f"C{from_x + half:g} {from_y:g} {to_x - half:g} {to_y:g} {to_x:g} {to_y:g}"
            + (f"L{on_x:g} {to_y:g}" if on_x != to_x else "")
        )
        from_x, from_y = on_x, to_y
    kind = "arrow" + (" critical" if critical else "") + (" if" if asked else "")
    yield f'<path class="{kind}" d="{"".join(parts)}"/>'
    tip = "tip critical" if critical else "tip"
    yield f'<path class="{tip}" d="M{from_x + 7:g} {from_y:g}l-9 -4.5v9z"/>'


def _box(drawn: Layout, task: Task, estimate: Estimate | None, *, critical: bool) -> Iterator[str]:
    x, y = _at(drawn, task.id, drawn.layer[task.id])
    taken = cost(estimate.tasks.get(task.id)) if estimate is not None else ""
    special = marks(task)
    whole = [task.id, who(task), what(task), call(task), *special, taken]
    kind = "box" + (" asks" if task.approval else "") + (" optional" if task.optional else "")
    yield f'<g class="task{" critical" if critical else ""}" id="{_attribute(f"task-{task.id}")}">'
    yield f"<title>{_text(chr(10).join(plain(part) for part in whole if part))}</title>"
    if task.each is not None:
        yield f'<rect class="behind" x="{x + 4:g}" y="{y + 4:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
    yield f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
    room = _WIDTH - 2 * _PADDING
    head = " · ".join(part for part in (plain(task.id), who(task)) if part)
    lines = [("id", head), ("say", what(task)), ("more", call(task)), ("more", ", ".join([taken, *special]))]
    for row, (style, said) in enumerate(lines):
        shown = _cut(said.removeprefix(", "), room, _SIGN)
        if shown:
            yield (
                f'<text class="{style}" x="{x + _PADDING:g}" y="{y + 19 + row * 16:g}">{_text(shown)}</text>'
            )
    yield "</g>"


def _cut(text: str, room: float, sign: float) -> str:
    """The text, cut where it would be wider than the room in pixels."""
    if wide(text) * sign <= room:
        return text
    kept = ""
    for letter in text:
        if (wide(kept + letter) + 1) * sign > room:
            break
        kept += letter
    return kept.rstrip() + "…"


def _text(said: str) -> str:
    """The text in XML: escaped, without signs that XML cannot hold."""
    return escape("".join(c for c in said if _is_xml(c)))


def _attribute(said: str) -> str:
    return escape("".join(c for c in said if _is_xml(c)), {'"': "&quot;"})


def _is_xml(letter: str) -> bool:
    at = ord(letter)
    return letter in "\t\n\r" or 0x20 <= at <= 0xD7FF or 0xE000 <= at <= 0xFFFD or at >= 0x10000
