"""A crew file becomes its crew, or one sentence that says where it is wrong."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewgraph.agents.crew import Crew
from crewgraph.runtime.errors import InvalidCrew
from crewgraph.serving.crewfile import load_crew

HEAD = "from crewgraph.agents.agent import Agent\nfrom crewgraph.agents.crew import Crew\n"
ONE = "Crew([Agent('analyst', 'compare figures')], name={name!r})"


@pytest.fixture(autouse=True)
def same_interpreter() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("crewgraph_crewfile_") or name in {"neighbour", "late"}:
            del sys.modules[name]


def write(folder: Path, text: str, name: str = "my_crew.py") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    file = folder / name
    file.write_text(text)
    return file


def refusal(file: Path) -> str:
    with pytest.raises(InvalidCrew) as caught:
        load_crew(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_the_variable_crew_is_the_crew_even_beside_others(tmp_path: Path) -> None:
    text = f"{HEAD}other = {ONE.format(name='other')}\ncrew = {ONE.format(name='mine')}\n"
    assert load_crew(write(tmp_path, text)).name == "mine"


def test_a_field_that_is_not_there_is_named_without_a_lecture(tmp_path: Path) -> None:
    text = "from crewgraph import Task\nTask(id='a', description='b', agent='c', output_tipe=int)\n"
    file = write(tmp_path, text)
    assert refusal(file) == f"{file}, line 2: fails with ValidationError: Task has no field 'output_tipe'."
    file.write_text("from crewgraph import Task\nTask(id='a', description='b', agent=3)\n")
    assert "line 2: fails with ValidationError: Task: agent: Input should be a valid string" in refusal(file)


def test_the_only_crew_is_the_crew_whatever_its_name(tmp_path: Path) -> None:
    text = f"{HEAD}team = {ONE.format(name='team')}\nalias = team\n"
    assert load_crew(write(tmp_path, text)).name == "team"


def test_a_factory_makes_the_crew(tmp_path: Path) -> None:
    text = f"{HEAD}def make_crew(name='made'):\n    return {ONE.replace('{name!r}', 'name')}\n"
    assert load_crew(write(tmp_path, text)).name == "made"


def test_neighbours_are_importable_also_later_and_the_path_does_not_grow(tmp_path: Path) -> None:
    write(tmp_path, "NAME = 'from a neighbour'\n", "neighbour.py")
    write(tmp_path, "VALUE = 7\n", "late.py")
    text = f"{HEAD}import neighbour\ndef later():\n    import late\n    return late.VALUE\ncrew = "
    text += ONE.replace("{name!r}", "neighbour.NAME") + "\ncrew.later\n"
    file = write(tmp_path, text.replace("crew.later\n", ""))
    before = list(sys.path)
    assert load_crew(file).name == "from a neighbour"
    load_crew(file)
    assert sys.path == [*before, str(tmp_path)]
    module = next(m for n, m in sys.modules.items() if n.startswith("crewgraph_crewfile_my_crew_"))
    assert module.later() == 7


def test_classes_of_a_crew_file_resolve_their_hints_after_the_load(tmp_path: Path) -> None:
    text = f"from __future__ import annotations\n{HEAD}class Row:\n    other: Row | None\n"
    text += f"crew = {ONE.format(name='x')}\n"
    load_crew(write(tmp_path, text))
    module = next(m for n, m in sys.modules.items() if n.startswith("crewgraph_crewfile_my_crew_"))
    assert typing.get_type_hints(module.Row) == {"other": module.Row | None}


def test_two_crews_with_neighbours_of_the_same_name_keep_their_own(tmp_path: Path) -> None:
    text = f"{HEAD}import neighbour\ncrew = " + ONE.replace("{name!r}", "neighbour.NAME") + "\n"
    for name in ("first", "second"):
        write(tmp_path / name, f"NAME = {name!r}\n", "neighbour.py")
        assert load_crew(write(tmp_path / name, text)).name == name


def test_a_failed_load_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path, "NAME = 'x'\n", "neighbour.py")
    file = write(tmp_path, "import neighbour\n1 / 0\n")
    path, modules = list(sys.path), set(sys.modules)
    refusal(file)
    assert sys.path == path
    assert set(sys.modules) == modules


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    assert "no crew file" in refusal(tmp_path / "nothing.py")
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\ny = (\n", 2, "not valid Python"),
        ("x = 1\nimport nothing_of_that_name\n", 2, "No module named 'nothing_of_that_name'"),
        ("x = 1\n\ndef f():\n    return {}['a']\nf()\n", 4, "KeyError"),
        ("raise SystemExit(0)\n", 1, "ends the program"),
        (f"{HEAD}crew = Crew([])\n", 3, "has no agents"),
        (f"{HEAD}\n\ndef make_crew():\n    raise OSError('no such table')\n", 6, "no such table"),
        (f"{HEAD}crew = 'not a crew'\n", 3, "of type str, not a Crew"),
        (f"{HEAD}def make_crew(name):\n    return name\n", 3, "without arguments"),
        (f"{HEAD}async def make_crew():\n    return 1\n", 3, "not an async one"),
        (f"{HEAD}def make_crew():\n    return None\n", 3, "of type NoneType"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    file = write(tmp_path, text)
    message = refusal(file)
    assert said in message
    assert f"{file}, line {line}" in message


def test_an_unknown_tool_or_agent_and_a_circle_are_said_with_file_and_line(tmp_path: Path) -> None:
    head = f"{HEAD}from crewgraph.runtime.graph import Task\na = Agent('analyst', 'compare')\n"
    round_trip = (
        "Task(id='a', description='', depends_on=('b',)), Task(id='b', description='', depends_on=('a',))"
    )
    tasks = {
        "Task(description='x', agent='poet')": "'poet'",
        "Task(description='x', tool='guess')": "'guess'",
        round_trip: "circle",
    }
    for task, said in tasks.items():
        file = write(tmp_path, f"{head}crew = Crew([a], tasks=[{task}])\n")
        message = refusal(file)
        assert said in message
        assert f"{file}, line 5" in message


def test_an_error_inside_a_neighbour_names_both_places(tmp_path: Path) -> None:
    write(tmp_path, "a = 1\nb = a / 0\n", "neighbour.py")
    file = write(tmp_path, "\nimport neighbour\n")
    assert f"{file}, line 2 (neighbour.py, line 2)" in refusal(file)


def test_no_crew_and_several_crews_are_told_apart(tmp_path: Path) -> None:
    assert "defines no crew" in refusal(write(tmp_path, "x = 1\n"))
    text = f"{HEAD}a = {ONE.format(name='a')}\nb = {ONE.format(name='b')}\n"
    assert "`a` (line 3) and `b` (line 4)" in refusal(write(tmp_path, text))


def test_the_result_is_a_crew(tmp_path: Path) -> None:
    assert isinstance(load_crew(write(tmp_path, f"{HEAD}crew = {ONE.format(name='x')}\n")), Crew)
