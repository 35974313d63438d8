"""Owns what the commands about engines share: which engine, which settings, and one line or one JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...session import Session

if TYPE_CHECKING:
    from ....settings import Settings

Name = Literal["embedded", "vllm"]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else, on stdout.")]
Which = Annotated[Name, typer.Argument(metavar="[ENGINE]", help="embedded or vllm.")]


def settings_of(ctx: typer.Context) -> Settings:
    """The settings of this call."""
    if isinstance(ctx.obj, Session):
        return ctx.obj.settings
    from ....settings import Settings

    return Settings()


def say(data: dict[str, Any], line: str, as_json: bool) -> None:
    """The JSON object, or the line."""
    print(json.dumps(data) if as_json else line, flush=True)
