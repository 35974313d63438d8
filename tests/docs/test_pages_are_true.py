"""Pages point to what is there, name every module, and say the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Page

LAYERS = ("runtime", "tools", "agents", "planner", "serving")


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    words = re.sub(r"[`*]", "", heading.lstrip("# ")).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def test_links_lead_somewhere(pages: dict[str, Page], root: Path) -> None:
    for name, page in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", page.prose):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            file = (page.file.parent / path).resolve() if path else page.file
            assert file.exists(), f"{name} links to {target}"
            assert file.is_relative_to(root)
            if anchor:
                there = next(p for p in pages.values() if p.file == file)
                assert anchor in {slug(h) for h in there.headings}, f"{name} links to {target}"


def test_every_module_has_its_owner_line(pages: dict[str, Page], root: Path) -> None:
    text = pages["docs/architecture.md"].text
    for layer in LAYERS:
        part = text.split(f"### {layer}/\n")[1].split("\n#")[0]
        named = set(re.findall(r"^- `([\w/]+\.py)` owns .+\.$", part, re.MULTILINE))
        there = {str(f.relative_to(root / layer)) for f in (root / layer).rglob("*.py")}
        assert {m for m in there if not m.endswith("__init__.py")} - named == set(), f"not named in {layer}"
        assert named - there == set(), f"named in {layer} and not there"


def test_both_readmes_have_the_same_parts(pages: dict[str, Page]) -> None:
    english, chinese = pages["README.md"], pages["README.zh-CN.md"]
    assert [h.split()[0] for h in english.headings] == [h.split()[0] for h in chinese.headings]
    assert "(README.zh-CN.md)" in english.text[:200]
    assert "(README.md)" in chinese.text[:200]
    assert english.blocks("python") == chinese.blocks("python")
    commands = re.compile(r"(?<!from )\b(?:make|crewgraph) [a-z]+\b")
    assert set(commands.findall(english.code)) == set(commands.findall(chinese.code))
    assert english.text.count("\n| ") == chinese.text.count("\n| ")


def test_the_quality_table_is_the_same_on_all_pages(pages: dict[str, Page]) -> None:
    rows = {}
    for name in ("README.md", "README.zh-CN.md", "docs/benchmarks.md"):
        table = pages[name].text.split("<!-- quality-table")[1].split("<!-- /quality-table -->")[0]
        cells = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| `")]
        assert [c[0].strip() for c in cells] == [
            "`dev`",
            "`pairs`",
            "`unseen`",
            "`second`",
            "`third`",
            "`fresh`",
        ], name
        rows[name] = [re.findall(r"\d+(?:\.\d+)?", " ".join(c[1:])) for c in cells]
    assert rows["README.md"] == rows["README.zh-CN.md"] == rows["docs/benchmarks.md"]


def test_every_benchmark_has_its_section(pages: dict[str, Page], root: Path) -> None:
    for script in (root / "benchmarks").glob("[!_]*.py"):
        assert f"`{script.name}`" in pages["docs/benchmarks.md"].text


def test_the_changelog_names_the_version(pages: dict[str, Page]) -> None:
    import crewgraph

    assert f"## [{crewgraph.__version__}] - " in pages["CHANGELOG.md"].text
