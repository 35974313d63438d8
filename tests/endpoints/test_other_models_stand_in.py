"""Where a model cannot be had, those that its table names are asked instead, and what they say is kept under no other name."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph.runtime.errors import EngineBusy, UnknownModel

from .conftest import Fake, Opens, asked, read

TWO = '[engine.a]\nurl = "{a}"\n[engine.b]\nurl = "{b}"\n[model.one]\nfallback = ["three"]\n'


async def test_another_model_is_asked_when_the_engine_is_gone(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    async with opens(TWO, a, b) as client:
        assert (await client.complete(asked())).text == "a"
        await a.stop()
        reply = await client.complete(asked())
        assert (reply.text, reply.model) == ("b", "three")
        assert (await read(client, asked(model="one"))).text == "b"
        await a.start()
        assert (await client.complete(asked(model="three"))).text == "b"


async def test_another_model_is_asked_when_the_engine_never_was_there(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    await a.stop()
    async with opens(TWO, a, b) as client:
        assert (await client.complete(asked(model="one", timeout_s=20))).text == "b"


async def test_another_model_is_asked_when_the_limit_is_used_up(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    async with opens(TWO + "requests_per_minute = 1\n", a, b) as client:
        said = [(await client.complete(asked(f"{n}", model="one", timeout_s=5))).text for n in range(3)]
    assert said == ["a", "b", "b"]


async def test_a_stand_in_has_its_own_limit(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    await a.stop()
    async with opens(TWO + "[model.three]\nrequests_per_minute = 1\n", a, b) as client:
        assert (await client.complete(asked(model="one", timeout_s=20))).text == "b"
        with pytest.raises(EngineBusy):
            await client.complete(asked(model="three", timeout_s=5))


async def test_a_stand_in_that_nobody_serves_does_no_harm_before_it_is_needed(
    fake: Fake, opens: Opens
) -> None:
    a, b = await fake("a", "one"), await fake("b", "two")
    async with opens(TWO, a, b) as client:
        assert (await client.complete(asked(model="one"))).text == "a"
        await a.stop()
        with pytest.raises(UnknownModel, match="'three'"):
            await client.complete(asked(model="one", timeout_s=20))


async def test_what_another_model_said_is_not_kept(fake: Fake, opens: Opens, tmp_path: Path) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    await a.stop()
    text = 'default = "one"\n' + TWO + f'[cache]\nstore = "{tmp_path / "replies.db"}"\n'
    async with opens(text, a, b) as client:
        assert (await client.complete(asked(timeout_s=20))).text == "b"
    await a.start()
    async with opens(text, a, b) as client:
        reply = await client.complete(asked(timeout_s=20))
        assert (reply.text, reply.usage.saved_tokens) == ("a", 0)
