"""`read_file` reads the folder it was given and nothing outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import read_file
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError, ToolError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("the key is under the mat")
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "a.txt").write_text("alpha 甲", "utf-8")
    (inside / "deep" / "b.txt").write_text("beta")
    (inside / "picture.bin").write_bytes(b"\xff\xfe\x00\x80")
    (inside / "huge.txt").write_text("x" * 256_001)
    (inside / "way-out.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "way-up").symlink_to(tmp_path)
    return inside


async def test_files_inside_are_read(folder: Path) -> None:
    tool = read_file(folder)
    for path, text in (("a.txt", "alpha 甲"), ("deep/b.txt", "beta")):
        found = tool.read(await tool.call({"path": path}))
        assert [(p.source, p.text) for p in found.passages] == [(path, text)]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "deep/../../secret.txt",
        "way-out.txt",
        "way-up/secret.txt",
        "/etc/hostname",
        "deep/../a.txt/../../secret.txt",
        "missing.txt",
        "",
    ],
)
async def test_paths_outside_are_not_offered_and_not_taken(folder: Path, path: str) -> None:
    tool = read_file(folder)
    assert path not in {o.value for o in tool.options["path"]}
    with pytest.raises(ToolArgumentError, match="is not known"):
        await tool.call({"path": path})


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/hostname", "way-out.txt", "way-up/secret.txt"])
async def test_the_reader_itself_refuses_them_too(folder: Path, path: str) -> None:
    with pytest.raises(ToolError, match="lies outside the allowed folder inside"):
        await read_file(folder).fn(path=path)


async def test_a_file_that_became_a_way_out_is_refused(folder: Path) -> None:
    tool = read_file(folder)
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(folder.parent / "secret.txt")
    with pytest.raises(ToolError, match="lies outside"):
        await tool.call({"path": "a.txt"})


async def test_what_cannot_be_read_is_said(folder: Path) -> None:
    tool = read_file(folder)
    with pytest.raises(ToolError, match="larger than 256,000 bytes"):
        await tool.call({"path": "huge.txt"})
    with pytest.raises(ToolError, match="is not a text file"):
        await tool.call({"path": "picture.bin"})
    (folder / "a.txt").unlink()
    with pytest.raises(ToolError, match="cannot be read: No such file"):
        await tool.call({"path": "a.txt"})


def test_an_absent_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCrew, match="does not exist"):
        read_file(tmp_path / "nowhere")
    with pytest.raises(InvalidCrew, match="holds no files"):
        read_file(tmp_path)
