"""The protocol fakes are held to the protocol by the official client of Ollama, over the embedded engine."""

from __future__ import annotations

import json

import pytest

from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

from .ollama import OllamaFake
from .serving import served

pytestmark = pytest.mark.engine
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
HELLO = [{"role": "user", "content": "What is the capital of France?"}]


async def test_ollama_s_own_client_is_answered_by_the_fake(shared_home: Settings) -> None:
    from ollama import AsyncClient, ResponseError

    async with engine_client(shared_home) as engine:
        fake = OllamaFake(engine, "smollm2:135m")
        async with served(fake.app) as url:
            client = AsyncClient(url)
            assert [model.model for model in (await client.list()).models] == ["smollm2:135m"]
            assert (await client.show("smollm2:135m")).capabilities == ["completion"]
            whole = await client.chat("smollm2:135m", HELLO, options={"temperature": 0, "num_predict": 32})
            assert "Paris" in (whole.message.content or "")
            assert whole.eval_count
            pieces = [
                part.message.content or ""
                async for part in await client.chat(
                    "smollm2:135m", HELLO, stream=True, options={"temperature": 0, "num_predict": 32}
                )
            ]
            assert "".join(pieces) == whole.message.content
            form = await client.chat("smollm2:135m", HELLO, format=SCHEMA, options={"temperature": 0})
            assert isinstance(json.loads(form.message.content or "")["ok"], bool)
            with pytest.raises(ResponseError, match="not found"):
                await client.chat("llama3", HELLO)
            await client._client.aclose()
