"""Nobody is told what is not for them, whatever tenants, agents, users and conversations there are."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.agents.memory.entry import Scope
from crewgraph.agents.memory.ledger import file_name
from crewgraph.agents.memory.memory import Memory

from .conftest import WAYS, opened

NAMES = st.sampled_from(["", "a", "A", "b", "a b", "a-b", "租户", "../a", "*"])
SCOPES = st.builds(Scope, tenant=NAMES, crew=NAMES, agent=NAMES, user=NAMES, thread=NAMES)


@settings(max_examples=25, deadline=None)
@given(
    way=st.sampled_from(WAYS),
    said=st.lists(SCOPES, min_size=1, max_size=12),
    asking=st.lists(SCOPES, min_size=1, max_size=6),
)
def test_an_asker_is_told_exactly_what_is_for_them(
    way: str, said: Sequence[Scope], asking: Sequence[Scope]
) -> None:
    async def look(folder: Path) -> None:
        memory = opened(way, folder)
        try:
            for n, scope in enumerate(said):
                await memory.remember(f"The box number {n} is red", scope=scope)
            for asker in asking:
                found = await memory.recall("red box", asker, limit=100)
                told = {entry.text for entry in found.entries}
                mine = {
                    f"The box number {n} is red"
                    for n, scope in enumerate(said)
                    if scope.tenant == asker.tenant
                    and scope.crew in ("", asker.crew)
                    and scope.agent in ("", asker.agent)
                    and scope.user in ("", asker.user)
                    and scope.thread in ("", asker.thread)
                }
                assert told == mine
                kept = {entry.text for entry in await memory.entries(asker.tenant)}
                assert kept == {
                    f"The box number {n} is red"
                    for n, scope in enumerate(said)
                    if scope.tenant == asker.tenant
                }
        finally:
            await memory.aclose()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(look(Path(folder)))


@given(tenants=st.lists(st.text(max_size=200), unique=True, min_size=2, max_size=6))
def test_no_two_tenants_share_a_file_and_none_leaves_the_folder(tenants: Sequence[str]) -> None:
    names = [file_name(tenant) for tenant in tenants]
    assert len(set(names)) == len(names)
    assert len({name.lower() for name in names}) == len(names), "some disks know no large letters"
    assert all(name.isascii() and "/" not in name and len(name) < 200 and name[0] != "." for name in names)


async def test_a_memory_of_one_crew_is_told_to_that_crew(tmp_path: Path) -> None:
    kitchen, office = Memory(tmp_path, crew="kitchen"), Memory(tmp_path, crew="office")
    await kitchen.remember("The stove is hot")
    assert len((await kitchen.recall("stove")).found) == 1
    assert len((await office.recall("stove")).found) == 0
    await kitchen.aclose()
    await office.aclose()
