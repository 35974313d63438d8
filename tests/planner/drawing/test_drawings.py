"""Drawings show every task once and what it waits for, whatever people wrote into it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.planner.drawing.labels import seconds, wide
from crewgraph.planner.drawing.layers import layout
from crewgraph.planner.drawing.mermaid import mermaid
from crewgraph.planner.drawing.svg import svg
from crewgraph.planner.drawing.tree import CRITICAL, OTHER, tree
from crewgraph.planner.plan import Estimate, TaskEstimate
from crewgraph.runtime.graph import Reference, Task
from crewgraph.runtime.policy import Condition

SVG = "{http://www.w3.org/2000/svg}"
NASTY = (
    '"] --> evil["', "<script>alert(1)</script>", "a & b; #35; &lt;", "`code` **bold** __x__", "$$x^2$$", "$$$$",
    "%%{init: {}}%%", "1. first", "- item", "end", "]]>", "fa:fa-ban", "\x1b[31mred\x07", "\u202eright to left",
    "两个数的比值", "a\nb\r\nc\td", "\ufffe\x00", "<br/>", "click n0 href", "|pipe|", "{{x}}", "😀" * 5,
)  # fmt: skip
TEXTS = st.sampled_from(NASTY) | st.text(max_size=60)
VALUES = TEXTS.filter(lambda text: Reference.parse(text) is None)
"""What is given as a value is none that refers to a task: nobody is called like that here."""

IDS = st.text("abcXYZ_-.", min_size=1, max_size=8)


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[Task], Estimate | None]:
    ids = draw(st.lists(IDS, min_size=1, max_size=7, unique=True))
    tasks: list[Task] = []
    for number, task_id in enumerate(ids):
        before = ids[:number]
        after = draw(st.sets(st.sampled_from(before), max_size=3)) if before else set()
        more: dict[str, object] = {"approval": draw(st.booleans()), "optional": draw(st.booleans())}
        if draw(st.booleans()):
            more |= {"tool": "look", "args": {"at": draw(VALUES)}}
        if draw(st.booleans()):
            more["each"] = draw(st.sampled_from([[], ["a", "b"]]))
        referable = [i for i in before if "." not in i]
        if referable and draw(st.booleans()):
            value = f"${draw(st.sampled_from(referable))}"
            more["when"] = Condition(value=value, test="equals", to=draw(VALUES))
        said = draw(TEXTS)
        tasks.append(
            Task.model_validate(
                {
                    "id": task_id,
                    "description": said,
                    "agent": draw(st.none() | TEXTS),
                    "depends_on": sorted(after),
                }
                | more
            )
        )
    if not draw(st.booleans()):
        return draw(st.permutations(tasks)), None
    path = [tasks[-1].id]
    while needs := next(t for t in tasks if t.id == path[0]).needs:
        path.insert(0, needs[0])
    taken = {
        t.id: TaskEstimate(seconds=draw(st.floats(0, 500)), tokens=draw(st.integers(0, 10**6))) for t in tasks
    }
    return draw(st.permutations(tasks)), Estimate(critical_seconds=1.0, path=tuple(path), tasks=taken)


@given(plans(), st.integers(30, 120))
def test_the_tree_has_each_task_once_and_no_line_that_is_too_wide(
    plan: tuple[list[Task], Estimate | None], width: int
) -> None:
    tasks, estimate = plan
    lines = tree(tasks, estimate, width=width)
    begun = [re.match(rf"^[├└─│ ]*[{CRITICAL}{OTHER}] (\S+)", line) for line in lines]
    assert sorted(found[1] for found in begun if found) == sorted(task.id for task in tasks)
    assert max(map(wide, lines)) <= width
    assert not [c for line in lines for c in line if not c.isprintable()]


@given(plans())
def test_the_tree_tells_of_every_task_what_it_waits_for(plan: tuple[list[Task], Estimate | None]) -> None:
    tasks, estimate = plan
    lines = tree(tasks, estimate, width=5_000)
    for task in tasks:
        if len(task.needs) > 1:
            assert any(f"after {', '.join(task.needs)}" in line for line in lines)
    above: list[str] = []
    for line in lines:
        if found := re.match(rf"^([├└─│ ]*)[{CRITICAL}{OTHER}] (\S+)", line):
            del above[len(found[1]) // 2 :]
            task = next(t for t in tasks if t.id == found[2])
            assert (above[-1] in task.needs) if above else not task.needs
            above.append(found[2])


def test_a_long_chain_does_not_run_out_of_the_page() -> None:
    tasks = [Task(id=f"t{n}", description="go on", depends_on=(f"t{n - 1}",) if n else ()) for n in range(60)]
    lines = tree(tasks, width=60)
    assert max(map(len, lines)) <= 60
    assert any("after t50" in line for line in lines)


def shown(label: str) -> str:
    """A label as Mermaid shows it."""
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)


@given(plans())
def test_mermaid_has_each_task_once_and_takes_no_text_for_syntax(
    plan: tuple[list[Task], Estimate | None],
) -> None:
    tasks, estimate = plan
    head, *lines = mermaid(tasks, estimate).splitlines()
    assert head == "flowchart TD"
    nodes: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    for line in lines:
        if found := re.fullmatch(r'  (n\d+)(?:\["(.*)"\]|\[\["(.*)"\]\]|\{\{"(.*)"\}\})', line):
            assert found[1] not in nodes
            nodes[found[1]] = found[2] or found[3] or found[4]
        elif found := re.fullmatch(r'  (n\d+) (?:-->|-\. "([^"]*)" \.->) (n\d+)', line):
            edges.append((found[1], found[3]))
        else:
            assert re.fullmatch(r"  (classDef|class|linkStyle) [\w,#: -]+", line)
    parts = {name: label.split("<br/>") for name, label in nodes.items()}
    said = [text for label in parts.values() for text in label]
    assert not [text for text in said if re.search(r"[<>&\"`$*|\[\]{}_%;]", re.sub(r"#\d+;", "", text))]
    assert not [
        text
        for text in said
        if "$$" in shown(text) or ":fa-" in shown(text) or re.match(r"(\d+[.)]|[+-]) ", text)
    ]
    names = {task.id: f"n{number}" for number, task in enumerate(tasks)}
    assert {name: shown(label[0]).split(" ")[0] for name, label in parts.items()} == {
        name: task_id for task_id, name in names.items()
    }
    assert sorted(edges) == sorted((names[need], names[task.id]) for task in tasks for need in task.needs)


@given(plans(), TEXTS)
def test_svg_is_valid_xml_with_each_task_once(plan: tuple[list[Task], Estimate | None], title: str) -> None:
    tasks, estimate = plan
    root = ET.fromstring(svg(tasks, estimate, title=title))
    groups = [group.get("id") for group in root.iter(f"{SVG}g")]
    assert sorted(groups) == sorted(f"task-{task.id}" for task in tasks)  # type: ignore[type-var]  # each has an id
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "style", "text", "path", "g", "rect"
    }  # fmt: skip
    arrows = [path for path in root.iter(f"{SVG}path") if "arrow" in (path.get("class") or "")]
    assert len(arrows) == sum(len(task.needs) for task in tasks)
    critical = [path for path in arrows if "critical" in (path.get("class") or "")]
    assert len(critical) == (len(list(pairwise(estimate.path))) if estimate else 0)


@given(plans())
def test_boxes_lie_in_the_picture_and_beside_each_other(plan: tuple[list[Task], Estimate | None]) -> None:
    root = ET.fromstring(svg(*plan))
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    boxes = [
        tuple(float(box.get(name, "0")) for name in ("x", "y", "width", "height"))
        for box in root.iter(f"{SVG}rect")
        if (box.get("class") or "").startswith("box")
    ]
    for x, y, w, h in boxes:
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    for number, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, *_ in boxes[:number]:
            assert abs(x - other_x) >= w or abs(y - other_y) >= h


@given(plans())
def test_an_arrow_goes_from_an_earlier_layer_to_a_later_one(plan: tuple[list[Task], Estimate | None]) -> None:
    needs = {task.id: task.needs for task in plan[0]}
    order = sorted(needs, key=lambda task_id: len(_all_before(task_id, needs)))
    drawn = layout(needs, order)
    for (need, task_id), bends in drawn.bends.items():
        assert drawn.layer[task_id] - drawn.layer[need] == len(bends) + 1
    assert set(drawn.layer) == set(needs)


def _all_before(task_id: str, needs: dict[str, tuple[str, ...]]) -> set[str]:
    found = set(needs[task_id])
    for need in needs[task_id]:
        found |= _all_before(need, needs)
    return found


def test_arrows_that_need_not_cross_do_not() -> None:
    order = ["a", "b", "c", "x", "y", "z"]
    drawn = layout({"a": (), "b": (), "c": (), "x": ("c",), "y": ("b",), "z": ("a",)}, order)
    assert sorted("abc", key=drawn.place.__getitem__) == [
        {"x": "c", "y": "b", "z": "a"}[name] for name in sorted("xyz", key=drawn.place.__getitem__)
    ]
    assert {drawn.place[name] for name in "abc"} == {drawn.place[name] for name in "xyz"}


def test_a_plan_that_has_no_tasks_is_drawn_as_nothing() -> None:
    assert tree([]) == []
    assert mermaid([]) == "flowchart TD\n"
    assert not list(ET.fromstring(svg([], Estimate())).iter(f"{SVG}g"))


def test_a_drawing_says_what_is_special_about_a_task() -> None:
    tasks = [
        Task(id="a", description="find", agent="clerk", tool="look", args={"at": "x"}, optional=True),
        Task(id="b", description="all", tool="look", args={"at": "$item"}, each="$a"),
        Task(
            id="c", description="pay", approval=True, depends_on=("b",),
            when=Condition(value="$a.sum", test="above", to=5),
        ),
    ]  # fmt: skip
    taken = {task.id: TaskEstimate(seconds=2.0, tokens=400, measured=3) for task in tasks}
    estimate = Estimate(critical_seconds=6.0, path=("a", "b", "c"), tasks=taken)
    for drawn in ("\n".join(tree(tasks, estimate)), shown(mermaid(tasks, estimate)), svg(tasks, estimate)):
        for words in (
            *("a", "clerk", "find", "may be left out", "once for each of $a", "only if $a.sum above 5"),
            *("asks a person first", "2.0 s, 400 tokens"),
        ):
            assert words in drawn


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0 s"),
        (0.00003, "0 s"),
        (0.0014, "1.4 ms"),
        (0.02, "20 ms"),
        (0.2, "0.2 s"),
        (12.4, "12 s"),
        (125, "2 min 05 s"),
    ],
)
def test_seconds_read_as_people_say_them(value: float, said: str) -> None:
    assert seconds(value) == said
