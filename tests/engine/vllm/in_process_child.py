"""A model in this process: run by `test_served` with the Python of vLLM's environment; prints one JSON object."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from crewgraph.agents.model import Hints, Message, ModelRequest, ToolSpec
from crewgraph.runtime.errors import ContextTooLong, CrewgraphError
from crewgraph.serving.engines.vllm.inprocess import in_process

STORY = (Message("user", "Tell me a very long story about a river, with every detail."),)
CAPITAL = ModelRequest((Message("user", "What is the capital of France?"),), max_tokens=16)
OPTIONS = {
    "dtype": "bfloat16",
    "enforce_eager": True,
    "block_size": 32,
    "max_model_len": 1024,
    "max_num_seqs": 8,
}


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


async def main(model: Path, adapter: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"errors": []}
    async with in_process(model, name="mine", adapters={"odd": adapter}, options=OPTIONS) as client:
        whole = await client.complete(CAPITAL)
        found |= {"whole": whole.text, "prompt_tokens": whole.usage.prompt_tokens}
        found["cached"] = (await client.complete(CAPITAL)).usage.cached_tokens
        other = replace(CAPITAL, hints=Hints(run="r", priority=2, tenant="other"))
        found["other_tenant_cached"] = (await client.complete(other)).usage.cached_tokens
        deltas = [delta async for delta in client.stream(CAPITAL)]
        found |= {"streamed": "".join(d.text for d in deltas), "pieces": len(deltas)}
        found["counted"] = await client.count_tokens(CAPITAL)
        schema = an_object(agent={"enum": ["zebra", "quagga"]})
        found["schema"] = (await client.complete(replace(CAPITAL, schema=schema, max_tokens=64))).text
        found["choice"] = (await client.complete(replace(CAPITAL, choices=("red", "green")))).text
        found["adapter"] = (await client.complete(replace(CAPITAL, adapter="odd"))).text
        tool = ToolSpec(
            "population", "People in a country.", an_object(country={"enum": ["France", "Spain"]})
        )
        asked = replace(CAPITAL, tools=(tool,), tool_choice="required", max_tokens=64)
        found["tool"] = (await client.complete(asked)).tool_calls[0].name
        for wrong in (
            replace(CAPITAL, model="gpt-4"),
            replace(CAPITAL, adapter="nobody"),
            replace(CAPITAL, max_tokens=5000),
            replace(CAPITAL, messages=STORY, max_tokens=900, timeout_s=0.2),
            replace(CAPITAL, schema={"type": "no such type"}),
        ):
            try:
                await client.complete(wrong)
            except CrewgraphError as error:
                found["errors"].append(type(error).__name__)
                if isinstance(error, ContextTooLong):
                    found["over"] = error.over
        async with aclosing(client.stream(replace(CAPITAL, max_tokens=900, temperature=1.5))) as stream:
            async for _ in stream:
                break
        engine: Any = client.inner
        found["running_after_close"] = engine._engine.output_processor.get_num_unfinished_requests()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))), flush=True)
