"""Each call goes to an engine that serves its model, as the models file says."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from crewgraph.agents.model import Message, ModelRequest, ToolSpec
from crewgraph.runtime.errors import EngineError, EngineTimeout, UnknownModel
from crewgraph.serving.endpoints import listing

from .conftest import Fake, Opens, asked, read

TWO = '[engine.a]\nurl = "{a}"\n[engine.b]\nurl = "{b}"\n'
LOOK = ToolSpec("look", "Look.", {"type": "object", "properties": {}})


async def test_a_model_is_asked_for_where_it_is_served(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one", "two"), await fake("b", "three")
    async with opens(TWO, a, b) as client:
        assert await client.models() == ["one", "two", "three"]
        for model, engine in (("one", "a"), ("two", "a"), ("three", "b")):
            assert (await client.complete(asked(model=model))).text == engine
            assert (await read(client, asked(model=model))).text == engine
    assert {body["model"] for body in b.bodies} == {"three"}


async def test_who_names_no_model_gets_the_default(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    async with opens(TWO, a, b) as client:
        assert (await client.complete(asked())).model == "one", "the first that is listed"
    async with opens('default = "three"\n' + TWO, a, b) as client:
        assert await client.models() == ["three", "one"]
        assert (await client.complete(asked())).text == "b"
        assert (await read(client, asked())).text == "b"
    async with opens(TWO, a, b, model="three") as client:
        assert (await client.complete(asked())).text == "b", "the settings go before the file"


async def test_several_urls_of_the_settings_are_one_client(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "one")
    async with opens("", model_url=f"{a.url},{b.url}", model_key="secret") as client:
        replies = [await client.complete(asked(f"Number {number}.")) for number in range(20)]
        assert {reply.text for reply in replies} == {"a", "b"}
        await b.stop()
        replies = [await client.complete(asked(f"Number {number}.")) for number in range(20)]
        assert {reply.text for reply in replies} == {"a"}
    assert {headers["Authorization"] for headers in a.headers} == {"Bearer secret"}


async def test_a_model_that_nobody_serves_is_named_with_those_that_are_there(
    fake: Fake, opens: Opens
) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    async with opens(TWO, a, b) as client:
        with pytest.raises(UnknownModel, match="No engine serves a model 'four'; there are: one, three"):
            await client.complete(asked(model="four"))
        b.models.append("four")
        assert (await client.complete(asked(model="four"))).text == "b", "brought there since"


async def test_an_engine_that_was_down_is_found_later(
    fake: Fake, opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "AGAIN_S", 0.05)
    a, b = await fake("a", "one"), await fake("b", "one", "three")
    await b.stop()
    async with opens(TWO, a, b) as client:
        assert await client.models() == ["one"]
        assert (await client.complete(asked())).text == "a"
        await b.start()
        seen: Counter[str] = Counter()
        async with asyncio.timeout(30):
            while seen["b"] < 5:
                seen[(await client.complete(asked(f"Number {seen.total()}."))).text] += 1
                await asyncio.sleep(0.01)
        assert (await client.complete(asked(model="three"))).text == "b"


async def test_a_silent_engine_that_may_serve_a_model_is_tried(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    await b.stop()
    async with opens(TWO, a, b) as client:
        assert (await client.complete(asked(model="one"))).text == "a"
        waits = asyncio.create_task(client.complete(asked(model="three")))
        await asyncio.sleep(0.1)
        await b.start()
        assert (await waits).text == "b"


async def test_an_engine_that_hangs_holds_up_neither_others_nor_a_call_beyond_its_time(
    fake: Fake, opens: Opens
) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    b.hangs = True
    async with opens(TWO, a, b) as client:
        with pytest.raises(EngineTimeout):
            await client.complete(asked(model="one", timeout_s=0.2))
        async with asyncio.timeout(20):
            assert (await client.complete(asked(model="one"))).text == "a"
            assert await client.models() == ["one"]
        assert b.listings < 4, "the calls do not wait for it again and again"


async def test_when_no_engine_answers_the_first_error_is_told(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a"), await fake("b")
    for engine in (a, b):
        await engine.stop()
    async with opens(TWO, a, b) as client:
        with pytest.raises(EngineError, match=f"127.0.0.1:{a.port}"):
            await client.models()
        with pytest.raises(EngineError, match=f"127.0.0.1:{a.port}"):
            await client.complete(asked())


async def test_keys_go_to_their_own_engine_only(
    fake: Fake, opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_A", "for-a")
    a, b = await fake("a", "one"), await fake("b", "three")
    text = TWO.replace('"{a}"', '"{a}"\nkey_env = "KEY_OF_A"')
    async with opens(text, a, b, model_key="of-another-server") as client:
        await client.complete(asked(model="one"))
        await client.complete(asked(model="three"))
    assert a.headers[0]["Authorization"] == "Bearer for-a"
    assert "Authorization" not in b.headers[0]


async def test_what_is_said_of_an_engine_is_not_asked(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    text = TWO.replace(
        '"{b}"', '"{b}"\nkind = "openai"\nnative_tools = false\nmodels = ["four"]\nextra = { top_k = 7 }'
    )
    async with opens(text, a, b) as client:
        assert await client.models() == ["one", "four"]
        assert (await client.complete(asked(model="four"))).text == "b"
    assert b.listings == 0
    assert b.bodies[0]["top_k"] == 7


async def test_a_table_may_name_the_engines_of_a_model(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "one")
    async with opens(TWO + '[model.one]\nengines = ["b"]\n[model.alias]\nengines = ["a"]', a, b) as client:
        assert {(await client.complete(asked(f"{n}", model="one"))).text for n in range(8)} == {"b"}
        assert (await client.complete(asked(model="alias"))).text == "a"


async def test_shares_are_by_weight(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "one")
    text = TWO.replace('"{a}"', '"{a}"\nweight = 3') + '[model.one]\nspread = "weighted"'
    async with opens(text, a, b) as client:
        for number in range(40):
            await client.complete(asked(f"Number {number}.", model="one"))
    assert (len(a.bodies), len(b.bodies)) == (30, 10)


async def test_the_same_beginning_goes_where_it_is_known(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "one")
    async with opens(TWO, a, b) as client:
        for number in range(10):
            messages = (Message("system", "You count."), Message("user", str(number)))
            await client.complete(ModelRequest(messages, model="one"))
    assert sorted([len(a.bodies), len(b.bodies)]) == [0, 10]


async def test_a_slow_call_gets_a_second_beside_it(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "one")
    text = TWO + '[model.one]\nspread = "weighted"\nhedge_after_s = 0.05'
    a.wait_s = b.wait_s = 0.0
    async with opens(text, a, b) as client:
        await client.complete(asked(model="one"))
        slow, quick = (a, b) if len(a.bodies) > len(b.bodies) else (b, a)
        quick.wait_s, slow.wait_s = 60.0, 0.0  # the next one's turn
        assert (await client.complete(asked("Now?", model="one"))).text == slow.name


async def test_a_models_time_is_the_limit_of_calls_that_bring_none(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    text = TWO + "[model.one]\ntimeout_s = 0.3\n[model.default]\ntimeout_s = 0.2"
    a.wait_s = b.wait_s = 30.0
    async with opens(text, a, b) as client:
        with pytest.raises(EngineTimeout, match=r"0\.3 s"):
            await client.complete(asked(model="one"))
        with pytest.raises(EngineTimeout, match=r"0\.2 s"):
            await read(client, asked(model="three"))
        a.wait_s = 0.5
        assert (await client.complete(asked(model="one", timeout_s=30))).text == "a"


async def test_the_silence_of_a_reply_is_bounded(fake: Fake, opens: Opens) -> None:
    a = await fake("a", "one")
    a.wait_s = 30.0
    async with opens('[engine.a]\nurl = "{a}"\nread_timeout_s = 0.1', a) as client:
        with pytest.raises(EngineTimeout):
            await client.complete(asked(model="one", timeout_s=2))
    assert len(a.bodies) > 1, "it was given up after a tenth of a second, and tried again"


@pytest.mark.parametrize("native", [True, False, None])
async def test_tools_go_as_they_are_where_the_template_takes_them(
    fake: Fake, opens: Opens, native: bool | None
) -> None:
    a = await fake("a", "one")
    a.says = "" if native else '{"answer": true}'
    said = "" if native is None else f"native_tools = {str(native).lower()}"
    async with opens(f'[engine.a]\nurl = "{{a}}"\n{said}', a) as client:
        with suppress(EngineError):  # what this fake says is no decision; what it was sent counts
            await client.complete(asked(model="one", tools=(LOOK,)))
        body = a.bodies[0]
    assert ("tools" in body) == (native is True)


async def test_names_that_callers_make_up_are_not_kept(fake: Fake, opens: Opens) -> None:
    from crewgraph.serving.endpoints.directory import Directory

    a, b = await fake("a", "one"), await fake("b", "three")
    async with opens(TWO, a, b) as client:
        assert isinstance(client, Directory)
        for number in range(1100):
            with pytest.raises(UnknownModel):
                await client.complete(asked(model=f"made-up-{number}"))
        assert (await client.complete(asked(model="one"))).text == "a"
        assert len(client._ways) <= 1001
