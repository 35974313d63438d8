"""What is asked goes over the wire in the dialect of each engine, byte-identical for the same request."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph.agents.model import Hints, Message, ModelRequest, ToolCall, ToolSpec
from crewgraph.runtime.errors import InvalidRequest, UnknownModel
from crewgraph.serving.client import EngineKind
from crewgraph.serving.client.dialects.kinds import dialect_of

from .protocol_fake import (
    CITY,
    DONE,
    QUESTION,
    ProtocolFake,
    completion,
    event,
    refuses,
    says,
    streams,
)

LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}})


@pytest.mark.parametrize(
    ("fake", "answer", "constraint"),
    [
        ("vllm", "Rome", {"structured_outputs": {"choice": ["Paris", "Rome"]}}),
        ("llamacpp", "Rome", {"grammar": 'root ::= "Paris" | "Rome"'}),
        ("sglang", "Rome", {"regex": "(Paris|Rome)"}),
        ("someone", '{"choice": "Rome"}', {}),
        ("organization_owner", '{"choice": "Rome"}', {}),
    ],
    indirect=["fake"],
)
async def test_a_choice_is_asked_for_in_the_dialect_of_the_engine(
    fake: ProtocolFake, answer: str, constraint: dict[str, Any]
) -> None:
    request = ModelRequest(QUESTION, choices=("Paris", "Rome"))
    fake.acts = [says(answer), streams(event(answer[:3]), event(answer[3:]), event(finish="stop"), DONE)]
    async with fake.client() as client:
        assert (await client.complete(request)).text == "Rome"
        assert [delta.text async for delta in client.stream(request)] == ["Rome", ""]
    for body in fake.bodies:
        assert constraint.items() <= body.items()
        assert ("response_format" in body) == (not constraint)
        assert "tools" not in body


@pytest.mark.parametrize(
    ("kind", "request_", "field"),
    [
        ("vllm", ModelRequest(QUESTION, regex="a+"), {"structured_outputs": {"regex": "a+"}}),
        (
            "vllm",
            ModelRequest(QUESTION, grammar='root ::= "a"+'),
            {"structured_outputs": {"grammar": 'root ::= "a"+'}},
        ),
        ("sglang", ModelRequest(QUESTION, regex="a+"), {"regex": "a+"}),
        ("sglang", ModelRequest(QUESTION, grammar='root ::= "a"+'), {"ebnf": 'root ::= "a"+'}),
        ("sglang", ModelRequest(QUESTION, choices=("aa", "c.\n")), {"regex": "(aa|c\\.\\n)"}),
        ("llamacpp", ModelRequest(QUESTION, grammar='root ::= "a"+'), {"grammar": 'root ::= "a"+'}),
        ("llamacpp", ModelRequest(QUESTION, regex="a+"), {"grammar": 'root ::= "a"+'}),
        ("sglang", ModelRequest(QUESTION, adapter="poet"), {"lora_path": "poet"}),
        ("vllm", ModelRequest(QUESTION, adapter="poet"), {"model": "poet"}),
    ],
)
async def test_constraints_and_adapters_in_each_dialect(
    fake: ProtocolFake, kind: EngineKind, request_: ModelRequest, field: dict[str, Any]
) -> None:
    fake.acts = [says("aa")]
    async with fake.client(kind=kind, model="small") as client:
        await client.complete(request_)
    assert field.items() <= fake.bodies[-1].items()


@pytest.mark.parametrize("kind", ["openai", "lmstudio"])
@pytest.mark.parametrize(
    "request_", [ModelRequest(QUESTION, regex="a"), ModelRequest(QUESTION, grammar='root ::= "x"')]
)
async def test_a_constraint_that_an_engine_does_not_have_is_refused(
    fake: ProtocolFake, kind: EngineKind, request_: ModelRequest
) -> None:
    async with fake.client(kind=kind, model="small") as client:
        with pytest.raises(InvalidRequest, match="cannot be held to"):
            await client.complete(request_)


@pytest.mark.parametrize(
    "request_",
    [
        ModelRequest(QUESTION, schema=CITY, choices=("a",)),
        ModelRequest(QUESTION, schema=CITY, tools=(LOOK,)),
        ModelRequest(QUESTION, regex="a", grammar='root ::= "b"'),
    ],
)
async def test_two_constraints_together_are_refused(fake: ProtocolFake, request_: ModelRequest) -> None:
    async with fake.client() as client:
        with pytest.raises(InvalidRequest, match="constrained by one thing at most"):
            await client.complete(request_)


async def test_the_request_carries_what_was_asked(fake: ProtocolFake) -> None:
    fake.acts = [says("Paris"), says('{"city": "Paris"}')]
    async with fake.client(model="large", extra={"ignore_eos": True}, api_key=" key\n") as client:
        await client.complete(
            ModelRequest(QUESTION, max_tokens=9, temperature=0.5, top_p=0.9, seed=3, stop=("\n",))
        )
        await client.complete(ModelRequest(QUESTION, model="small", schema=CITY, seed=None))
    first, second = fake.bodies
    assert (first["model"], first["max_tokens"], first["temperature"]) == ("large", 9, 0.5)
    assert (first["seed"], first["stop"], first["top_p"], first["ignore_eos"]) == (3, ["\n"], 0.9, True)
    assert second["model"] == "small"
    assert {"seed", "top_p", "stop"}.isdisjoint(second)
    assert second["response_format"]["json_schema"]["strict"] is True
    assert fake.headers[0]["Authorization"] == "Bearer key"


async def test_tools_and_their_results_go_as_the_api_has_them(fake: ProtocolFake) -> None:
    fake.acts = [says("Paris")]
    talk = (
        *QUESTION,
        Message("assistant", "", (ToolCall("a", "look", {"at": "é"}),)),
        Message("tool", "Paris", tool_call_id="a"),
    )
    async with fake.client() as client:
        await client.complete(ModelRequest(talk, tools=(LOOK,), tool_choice="required"))
    body = fake.bodies[0]
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"at":"é"}'}}
    assert body["messages"][1]["tool_calls"] == [call]
    assert body["messages"][2] == {"role": "tool", "content": "Paris", "tool_call_id": "a"}
    function = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert body["tool_choice"] == "required"
    assert "response_format" not in body


async def test_vllm_is_told_the_hints_and_no_tenant_unless_one_is_named(fake: ProtocolFake) -> None:
    fake.acts = [says("Paris")]
    async with fake.client(kind="vllm", model="small") as client:
        await client.complete(ModelRequest(QUESTION, hints=Hints(run="r 1", priority=-3, tenant="acme")))
        await client.complete(ModelRequest(QUESTION, hints=Hints(run="r 1")))
        await client.complete(ModelRequest(QUESTION))
    first, second, third = fake.bodies
    assert (first["priority"], first["cache_salt"]) == (-3, "acme")
    assert {"priority", "cache_salt"}.isdisjoint(second)
    ids = [headers.get("X-Request-Id", "") for headers in fake.headers]
    assert ids[0].startswith("r%201-")
    assert ids[0] != ids[1]
    assert [headers.get("x-session-id") for headers in fake.headers] == ["r%201", "r%201", None]
    assert third.keys() <= second.keys()


@pytest.mark.parametrize("kind", ["openai", "llamacpp", "sglang"])
async def test_other_engines_are_told_no_hints(fake: ProtocolFake, kind: EngineKind) -> None:
    fake.acts = [says("Paris")]
    async with fake.client(kind=kind, model="small") as client:
        await client.complete(ModelRequest(QUESTION, hints=Hints(run="r", priority=-3, tenant="acme")))
    assert {"priority", "cache_salt"}.isdisjoint(fake.bodies[0])


async def test_a_vllm_without_priorities_is_asked_again_without_and_never_with_them_again(
    fake: ProtocolFake,
) -> None:
    fake.acts = [refuses(400, "Got priority 3 but Priority scheduling is not enabled."), says("Paris")]
    request = ModelRequest(QUESTION, hints=Hints(priority=3))
    async with fake.client(kind="vllm", model="small") as client:
        for _ in range(2):
            assert (await client.complete(request)).text == "Paris"
    assert ["priority" in body for body in fake.bodies] == [True, False, False]


async def test_a_model_that_wants_max_completion_tokens_gets_them(fake: ProtocolFake) -> None:
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    fake.acts = [refuses(400, said), says("Paris")]
    async with fake.client(kind="openai", model="small") as client:
        for _ in range(2):
            await client.complete(ModelRequest(QUESTION, max_tokens=9))
    assert [(b.get("max_tokens"), b.get("max_completion_tokens")) for b in fake.bodies] == [
        (9, None), (None, 9), (None, 9),
    ]  # fmt: skip


@pytest.mark.parametrize("fake", ["llamacpp"], indirect=True)
async def test_llama_cpp_knows_its_adapters_by_their_numbers(fake: ProtocolFake) -> None:
    fake.acts = [says("Paris")]
    fake.answers["/lora-adapters"] = [
        {"id": 1, "path": "/a/poet.gguf", "scale": 1.0},
        {"id": 0, "path": "/a/clerk.gguf", "scale": 1.0},
    ]
    async with fake.client() as client:
        assert (await client.served()).adapters == ("clerk", "poet")
        await client.complete(ModelRequest(QUESTION, adapter="poet"))
        assert fake.bodies[-1]["lora"] == [{"id": 1, "scale": 1.0}]
        with pytest.raises(UnknownModel, match="no adapter 'cook' on small; it has: clerk, poet"):
            await client.complete(ModelRequest(QUESTION, adapter="cook"))


@pytest.mark.parametrize("fake", ["vllm"], indirect=True)
async def test_vllm_lists_adapters_beside_their_model(fake: ProtocolFake) -> None:
    fake.acts = [refuses(404, "The model `cook` does not exist.")]
    fake.entries = [{"id": "small", "max_model_len": 2048}, {"id": "poet", "parent": "small"}]
    async with fake.client() as client:
        assert await client.models() == ["small"]
        assert (await client.served()).adapters == ("poet",)
        with pytest.raises(UnknownModel, match="no model 'cook'; it serves: small, poet"):
            await client.complete(ModelRequest(QUESTION, adapter="cook"))


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp"])
async def test_a_begun_message_is_gone_on_with(fake: ProtocolFake, kind: EngineKind) -> None:
    fake.acts = [says("Par" + "is" if kind == "llamacpp" else "is")]
    request = ModelRequest((*QUESTION, Message("assistant", "Par")), continue_last=True)
    async with fake.client(kind=kind, model="small") as client:
        assert (await client.complete(request)).text == "is"
    assert fake.bodies[-1]["continue_final_message"] is True
    assert fake.bodies[-1]["add_generation_prompt"] is False


async def test_an_engine_that_cannot_go_on_says_so(fake: ProtocolFake) -> None:
    request = ModelRequest((*QUESTION, Message("assistant", "Par")), continue_last=True)
    async with fake.client(kind="openai", model="small") as client:
        with pytest.raises(InvalidRequest, match="cannot go on"):
            await client.complete(request)


@pytest.mark.parametrize("kind", ["openai", "vllm", "llamacpp", "sglang", "lmstudio"])
def test_the_same_request_is_the_same_bytes(kind: EngineKind) -> None:
    request = ModelRequest(QUESTION, tools=(LOOK, LOOK))
    bodies = {dialect_of(kind).chat(request, model="m", stream=True).body for _ in range(3)}
    assert len(bodies) == 1


@pytest.mark.parametrize("fake", ["organization_owner"], indirect=True)
async def test_lm_studio_tells_windows_and_tools(fake: ProtocolFake) -> None:
    entry = {"id": "small", "max_context_length": 9000, "loaded_context_length": 4096}
    fake.answers["/api/v0/models"] = {"data": [entry | {"capabilities": ["tool_use"]}]}
    async with fake.client() as client:
        assert await client.context_tokens() == 4096
        assert (await client.served()).native_tools is True


async def test_a_path_before_v1_is_kept_for_all(fake: ProtocolFake) -> None:
    fake.answers["/behind/v1/chat/completions"] = completion("Paris")
    fake.answers["/behind/tokenize"] = {"count": 3}
    fake.url = fake.url.replace("/v1", "/behind/v1")
    async with fake.client(kind="vllm", model="small") as client:
        assert (await client.complete(ModelRequest(QUESTION))).text == "Paris"
        assert await client.count_tokens(ModelRequest(QUESTION)) == 3
