"""The code that the pages show runs and says what they say it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crewgraph import ModelRequest, Outcome, Settings, run_sync
from crewgraph.agents.testing import ScriptedModel
from crewgraph.serving.crewfile import load_crew

if TYPE_CHECKING:
    from .conftest import Page

QUESTION = "Which costs more, white tea or green tea, and by how many percent?"
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def script(request: ModelRequest) -> str:
    return request.choices[0] if request.choices else "Enjoy your tea."


def crew_block(page: Page) -> str:
    return page.text.split("<!-- crew -->")[1].split("```python\n")[1].split("```")[0]


Ask = Callable[[str], Outcome]


@pytest.fixture
def ask(pages: dict[str, Page], tmp_path: Path) -> Ask:
    file = tmp_path / "tea.py"
    file.write_text(crew_block(pages["README.md"]), "utf-8")
    crew = load_crew(file)

    def ask(request: str) -> Outcome:
        return run_sync(
            crew, request, settings=Settings(home=tmp_path), client=ScriptedModel(script), planner="rules"
        )

    return ask


def test_the_crew_of_the_readme_answers_as_the_readme_says(ask: Ask, pages: dict[str, Page]) -> None:
    assert QUESTION in crew_block(pages["README.md"])
    outcome = ask(QUESTION)
    assert "128.6%" in outcome.answer
    assert outcome.answer in pages["README.md"].text
    assert "white tea: price 32 EUR [price]" in outcome.evidence


def test_it_answers_in_chinese_too(ask: Ask) -> None:
    outcome = ask("白茶和绿茶哪个贵？贵多少？")
    assert "白茶" in outcome.answer
    assert "18 EUR" in outcome.answer


def test_it_is_fifteen_lines_of_code_at_most(pages: dict[str, Page]) -> None:
    assert len([line for line in crew_block(pages["README.md"]).splitlines() if line.strip()]) <= 15


def test_writing_a_crew_is_one_file_that_runs(
    pages: dict[str, Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "teas.csv").write_text(
        "name,name_zh,minutes,harvest_t,region\nsencha,煎茶,2,80000,Asia\npu'er,普洱茶,5,160000,Asia\n"
        "rooibos,路易波士茶,,15000,Africa\n",
        "utf-8",
    )
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "storing.md").write_text("# Storing tea\n\nKeep tea dry and dark.\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "crew_of_the_page.py"
    file.write_text("\n".join(pages["docs/crews.md"].blocks("python")), "utf-8")
    crew = load_crew(file)  # the page ends with its own test, which runs here
    assert {"price", "lookup", "search_documents", "read_file", "opening_hours", "compare"} <= set(
        crew.toolset
    )


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
def test_every_example_loads(file: Path) -> None:
    crew = load_crew(file)
    assert crew.name == file.stem


def test_the_client_code_of_the_readme_is_python(pages: dict[str, Page]) -> None:
    for name in ("README.md", "README.zh-CN.md"):
        for block in pages[name].blocks("python"):
            compile(block, name, "exec")


def test_the_page_on_runs_is_one_file_that_pays_once_a_person_has_agreed(
    pages: dict[str, Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "buying.py"
    file.write_text("\n".join(pages["docs/runs.md"].blocks("python")), "utf-8")
    ran = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "paid 250.00."
    assert (tmp_path / "ledger.txt").read_text("utf-8").count("\n") == 1
