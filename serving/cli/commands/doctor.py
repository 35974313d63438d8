"""Owns `crewgraph doctor`: checks of this installation, each with what to do when it fails."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer

from ..screens.text import one_line
from ..session import Session, block_on

if TYPE_CHECKING:
    from ...endpoints.file import EngineTable
    from ...settings import Settings

_PACKAGES = (
    "langgraph",
    "langchain-core",
    "pydantic",
    "sqlmodel",
    "qdrant-client",
    "fastapi",
    "uvicorn",
    "typer",
)

_MODEL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is well, what was seen, and what to do when it is not."""

    name: str
    ok: bool
    seen: str
    todo: str = ""

    @property
    def line(self) -> str:
        """The finding for people."""
        mark = "ok     " if self.ok else "problem"
        return f"{mark}  " + one_line(f"{self.name}: {self.seen}" + (f" ({self.todo})" if self.todo else ""))


def installed_version(package: str) -> str | None:
    """The version of an installed package; None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def command(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Check this installation and say what to do about problems."""
    session: Session = ctx.obj
    return block_on(_doctor(session, as_json=as_json))


async def _doctor(session: Session, *, as_json: bool) -> int:
    from ..pictures.report import print_json

    findings = []
    async for finding in examine(session):
        findings.append(finding)
        if not as_json:
            print(finding.line, flush=True)
    well = all(finding.ok for finding in findings)
    if as_json:
        print_json({"ok": well, "checks": [asdict(finding) for finding in findings]})
    return 0 if well else 1


async def examine(session: Session) -> AsyncIterator[Finding]:
    """Every check, in the order in which problems explain each other."""
    settings = session.settings
    yield _python()
    for package in _PACKAGES:
        yield _package(package)
    home = _home(settings)
    yield home
    if home.ok:
        yield await _database(session)
    async for finding in _engines(settings):
        yield finding


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("python", ok, sys.version.split()[0], "" if ok else "install Python 3.11 or newer")


def _package(name: str) -> Finding:
    found = installed_version(name)
    if found is None:
        return Finding(name, ok=False, seen="not installed", todo="install it with: pip install crewgraph")
    return Finding(name, ok=True, seen=found)


def _home(settings: Settings) -> Finding:
    import tempfile

    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        todo = (
            "give yourself the right to write there, or choose another folder with --home or CREWGRAPH_HOME"
        )
        return Finding("home folder", ok=False, seen=f"{settings.home}: {error.strerror or error}", todo=todo)
    return Finding("home folder", ok=True, seen=str(settings.home))


async def _database(session: Session) -> Finding:
    from ....runtime.errors import StoreError
    from ....runtime.journalling.redaction import Redactor

    settings = session.settings
    try:
        async with session.store() as store:
            await store.list_runs(limit=1)
    except StoreError as error:
        choose = "name another one with --database" if settings.database_url else "choose another --home"
        return Finding("database", ok=False, seen=str(error), todo=f"see what the message says, or {choose}")
    return Finding("database", ok=True, seen=Redactor().text(str(settings.database)))


async def _engines(settings: Settings) -> AsyncIterator[Finding]:
    from ....runtime.errors import InvalidInput
    from ...endpoints.file import EMBEDDED, models_of

    try:
        file = models_of(settings)
    except InvalidInput as error:
        yield Finding("models", ok=False, seen=str(error), todo="see what the message says")
        return
    for name, table in file.engine.items():
        if table.url == EMBEDDED:
            for finding in await _embedded(settings):
                yield finding
        else:
            what = "model server" if len(file.engine) == 1 else f"engine {name}"
            yield await _server(what, table, settings, file.default if len(file.engine) == 1 else None)


async def _server(what: str, table: EngineTable, settings: Settings, wanted: str | None) -> Finding:
    import asyncio

    from ....runtime.errors import EngineError, InvalidInput
    from ...client.http import HttpModelClient

    url = table.url
    try:
        key = table.key or settings.model_key
        async with (
            asyncio.timeout(_MODEL_SECONDS),
            HttpModelClient(url, api_key=key, engine_kind=table.kind) as client,
        ):
            names = await client.models()
    except (EngineError, InvalidInput, TimeoutError) as error:
        seen = str(error) or f"no answer within {_MODEL_SECONDS:.0f} seconds"
        return Finding(what, ok=False, seen=f"{url}: {seen}", todo="start it, or mend --model-url")
    if wanted and wanted not in names:
        todo = f"name one of its models with --model: {', '.join(names[:5]) or 'it has none'}"
        return Finding(what, ok=False, seen=f"{url} does not serve {wanted!r}", todo=todo)
    return Finding(what, ok=True, seen=f"{url} serves {', '.join(names[:3])}")


async def _embedded(settings: Settings) -> list[Finding]:
    from ...engines import engine_status

    status = await engine_status(settings, "embedded")
    if not status.installed:
        todo = "install it with pip install 'crewgraph[engine]', or name a server with --model-url"
        return [Finding("embedded engine", ok=False, seen="not installed", todo=todo)]
    model = f"{status.model} is pulled" if status.model_present else f"{status.model} is not pulled yet"
    hint = "" if status.model_present else "the first run fetches it, or now: crewgraph engine pull"
    findings = [
        Finding("embedded engine", ok=True, seen="installed"),
        Finding("model", ok=True, seen=model, todo=hint),
    ]
    if not status.running:
        findings.append(Finding("engine process", ok=True, seen="not running, started when it is needed"))
    elif status.problem:
        findings.append(
            Finding("engine process", ok=False, seen=status.problem, todo="crewgraph engine stop")
        )
    else:
        findings.append(
            Finding("engine process", ok=True, seen=f"answers at {status.url} (pid {status.pid})")
        )
    return findings
