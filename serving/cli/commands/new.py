"""Owns `crewgraph new`: a project that runs and tests at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project, a folder that is made here.")],
) -> int:
    """Make a project: a crew, its tools and its tests, which run at once."""
    from ...projects.making import make_project

    made = make_project(Path(name))
    for file in made:
        print(file)
    print(f'\nNow: cd {name} && crewgraph run crew.yaml "What do a pen and ink cost?" && pytest')
    return 0
