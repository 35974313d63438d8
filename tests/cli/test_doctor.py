"""`crewgraph doctor` looks at every engine and model that models.toml names, and says what to do."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from ..endpoints.conftest import Fake, fake
from .conftest import Run

__all__ = ["fake"]


@pytest.fixture(autouse=True)
def folder(home: Path) -> None:
    home.mkdir()


def checks(crewgraph: Run) -> dict[str, tuple[bool, str]]:
    done = crewgraph("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    return {check["name"]: (check["ok"], f"{check['seen']} {check['todo']}") for check in found["checks"]}


def test_a_file_that_does_not_fit_is_shown_with_its_fault(crewgraph: Run, home: Path) -> None:
    (home / "models.toml").write_text('[engine.a]\nurl = "http://a"\nweight = 0\n')
    done = crewgraph("doctor")
    assert done.returncode == 1
    assert re.search(r"^problem +models: .*models\.toml: engine\.a\.weight", done.stdout, re.MULTILINE)


async def test_engines_and_models_of_the_file_are_looked_at(crewgraph: Run, home: Path, fake: Fake) -> None:
    a = await fake("a", "one", "two")
    (home / "models.toml").write_text(
        f'default = "one"\n[engine.a]\nurl = "{a.url}"\n[engine.b]\nurl = "http://127.0.0.1:9/v1"\n'
        '[engine.c]\nurl = "http://127.0.0.1:9/v1"\nkey_env = "NO_SUCH_KEY_HERE"\n'
        '[model.two]\nfallback = ["three"]\n[cache]\nstore = "memcached://127.0.0.1:9"\n'
    )
    found = await asyncio.to_thread(checks, crewgraph)
    assert found["engine a"] == (True, f"{a.url} serves one, two ")
    assert not found["engine b"][0]
    assert "models.toml" in found["engine b"][1]
    assert not found["engine c"][0]
    assert "NO_SUCH_KEY_HERE" in found["engine c"][1]
    assert not found["model three"][0]
    assert "[model.two] falls back on it" in found["model three"][1]
    assert "model one" not in found
    assert "model two" not in found
    assert not found["reply cache"][0]


@pytest.mark.engine
def test_the_embedded_engine_beside_a_cache_is_well(crewgraph: Run, home: Path, models_dir: Path) -> None:
    (home / "models").symlink_to(models_dir)
    (home / "models.toml").write_text('[engine.here]\nurl = "embedded"\n[cache]\n')
    found = checks(crewgraph)
    assert all(ok for ok, _ in found.values())
    assert {"models file", "embedded engine", "reply cache"} <= set(found)
