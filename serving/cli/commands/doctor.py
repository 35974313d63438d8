"""Owns `crewgraph doctor`: checks of this installation, each with what to do when it fails."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer

from ..screens.text import one_line
from ..session import Session, block_on

if TYPE_CHECKING:
    from ...endpoints.file import CacheTable, EngineTable, ModelsFile
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
    if not settings.model_urls and settings.models_file.exists():
        yield Finding("models file", ok=True, seen=str(settings.models_file))
    served: dict[str, tuple[str, ...]] = {}
    for name, table in file.engine.items():
        if table.url == EMBEDDED:
            for finding in await _embedded(settings):
                yield finding
            served[name] = table.models or await _embedded_models(settings)
        else:
            what = "model server" if len(file.engine) == 1 else f"engine {name}"
            finding, names = await _server(what, table, settings)
            yield finding
            if finding.ok:
                served[name] = table.models or names
    for finding in _models(file, served):
        yield finding
    if file.cache is not None:
        yield await _cache(file.cache, settings)


async def _server(what: str, table: EngineTable, settings: Settings) -> tuple[Finding, tuple[str, ...]]:
    import asyncio

    from ....runtime.errors import EngineError, InvalidInput
    from ...client.http import HttpModelClient
    from ...endpoints.opening import key_of

    url = table.url
    try:
        async with (
            asyncio.timeout(_MODEL_SECONDS),
            HttpModelClient(url, api_key=key_of(table, settings), engine_kind=table.kind) as client,
        ):
            names = tuple(await client.models())
    except (EngineError, InvalidInput, TimeoutError) as error:
        seen = str(error) or f"no answer within {_MODEL_SECONDS:.0f} seconds"
        mend = "--model-url" if settings.model_urls else f"its url in {settings.models_file}"
        return Finding(what, ok=False, seen=f"{url}: {seen}", todo=f"start it, or mend {mend}"), ()
    if not names:
        return Finding(what, ok=False, seen=f"{url} serves no model", todo="start it with one"), ()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return Finding(what, ok=True, seen=f"{url} serves {', '.join(names[:3])}{more}"), names


def _models(file: ModelsFile, served: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    """Models that the file or the settings speak of, and no engine that answers serves."""
    from ...endpoints.file import OTHERS

    if not served:
        return  # what is wrong has been said
    there = {name for names in served.values() for name in names}
    wanted = {file.default: "it is asked where nobody names one"} if file.default is not None else {}
    for name, table in file.model.items():
        if name != OTHERS and not table.engines:
            wanted.setdefault(name, f"[model.{name}] speaks of it")
        for other in table.fallback:
            known = other in file.model and file.model[other].engines
            if not known:
                wanted.setdefault(other, f"[model.{name}] falls back on it")
    for name, why in wanted.items():
        if name in file.model and file.model[name].engines:
            continue
        if name not in there:
            todo = f"{why}; there are: {', '.join(sorted(there)[:5])}"
            yield Finding(f"model {name}", ok=False, seen="no engine that answers serves it", todo=todo)


async def _cache(table: CacheTable, settings: Settings) -> Finding:
    from ....runtime.errors import CrewgraphError
    from ...client.caching import open_cache
    from ...client.caching.store import default_cache

    try:
        store = open_cache(table.store or default_cache(settings.home))
    except CrewgraphError as error:
        return Finding("reply cache", ok=False, seen=str(error), todo="see what the message says")
    try:
        if store.there:
            await store.get("")
    except Exception as error:  # whatever the store's own client raises
        todo = "start it, or name another store"
        return Finding(
            "reply cache", ok=False, seen=f"{store.name}: {error or type(error).__name__}", todo=todo
        )
    finally:
        await store.aclose()
    return Finding("reply cache", ok=True, seen=store.name)


async def _embedded_models(settings: Settings) -> tuple[str, ...]:
    from ...engines import engine_status

    return ((await engine_status(settings, "embedded")).model,)


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
