"""Bad input is one clear typed error: what is wrong, where, and what to do."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from pathlib import Path

import pytest

from crewgraph.agents.model import ModelRequest
from crewgraph.runtime.errors import (
    EngineError,
    EngineUnreachable,
    InvalidSchema,
    KeyRefused,
    ModelError,
    NotAnEngine,
    UnknownModel,
)
from crewgraph.serving.client import HttpModelClient

from .protocol_fake import CITY, QUESTION, ProtocolFake, RawFake, answer, completion, refuses, sends


@pytest.mark.parametrize("fake", ["vllm", "llamacpp"], indirect=True)
async def test_an_unknown_model_is_answered_with_those_that_exist(fake: ProtocolFake) -> None:
    fake.acts = [refuses(404, "The model `huge` does not exist.")]
    async with fake.client() as client:
        with pytest.raises(UnknownModel, match="no model 'huge'; it serves: small, large"):
            await client.complete(ModelRequest(QUESTION, model="huge"))


async def test_an_engine_without_a_model_says_so(fake: ProtocolFake) -> None:
    fake.entries = []
    async with fake.client() as client:
        with pytest.raises(UnknownModel, match="serves no model"):
            await client.complete(ModelRequest(QUESTION))


async def test_a_url_without_the_api_is_told(fake: ProtocolFake) -> None:
    async with HttpModelClient(fake.url + "/v2") as client:
        with pytest.raises(NotAnEngine, match="should end in /v1"):
            await client.complete(ModelRequest(QUESTION))


async def test_a_url_without_a_path_gets_v1(fake: ProtocolFake) -> None:
    async with HttpModelClient(fake.url.removesuffix("/v1")) as client:
        assert await client.models() == ["small", "large"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_is_told(fake: ProtocolFake, status: int) -> None:
    fake.acts = [refuses(status)]
    async with fake.client(api_key="secret") as client:
        with pytest.raises(KeyRefused, match="CREWGRAPH_MODEL_KEY") as caught:
            await client.complete(ModelRequest(QUESTION))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["se\ncret", "sécret"])
async def test_a_key_that_no_header_can_carry_is_told_and_not_shown(key: str) -> None:
    async with HttpModelClient("http://127.0.0.1:9/v1", api_key=key) as client:
        with pytest.raises(KeyRefused, match="no header can carry") as caught:
            await client.complete(ModelRequest(QUESTION))
    assert key not in str(caught.value)


async def test_a_refused_request_carries_the_engines_reason(fake: ProtocolFake) -> None:
    fake.acts = [refuses(400, "the moon is full")]
    async with fake.client() as client:
        with pytest.raises(ModelError, match=r"\(400\): the moon is full"):
            await client.complete(ModelRequest(QUESTION))


async def test_a_schema_that_the_engine_cannot_follow_is_the_callers_to_mend(fake: ProtocolFake) -> None:
    fake.acts = [refuses(400, "JSON schema error at #: unrecognized type strange")]
    async with fake.client() as client:
        with pytest.raises(InvalidSchema, match="unrecognized type strange"):
            await client.complete(ModelRequest(QUESTION, schema=CITY))


async def test_a_failing_engine_is_told_from_a_busy_one(fake: ProtocolFake) -> None:
    fake.acts = [refuses(500, "boom")]
    async with fake.client() as client:
        with pytest.raises(EngineError, match=r"failed \(500: boom\); look into its log"):
            await client.complete(ModelRequest(QUESTION))
    assert len(fake.bodies) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://nowhere.invalid/v1"])
async def test_no_engine_is_one_sentence_on_what_to_do(url: str) -> None:
    async with HttpModelClient(url) as client:
        with pytest.raises(EngineUnreachable) as caught:
            await client.complete(ModelRequest(QUESTION))
    said = str(caught.value)
    assert url in said
    assert "CREWGRAPH_MODEL_URL" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://here/v1", "http:///v1", "http://here:port/v1", "what?"]
)
async def test_what_is_no_url_is_told(url: str) -> None:
    async with HttpModelClient(url) as client:
        with pytest.raises(EngineError, match="is not a URL; give one like"):
            await client.models()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer in HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "does not answer in HTTP"),
        (answer(b"<html>", kind=b"text/html"), "does not list models"),
        (answer(b'{"models": []}'), "does not list models"),
        (answer(b"", status=b"301 Moved", more=b"Location: /login\r\n"), "sends elsewhere"),
    ],
)
async def test_what_is_no_engine_is_told(sent: bytes, said: str) -> None:
    server = await RawFake(sends(sent)).start()
    async with HttpModelClient(server.url) as client:
        with pytest.raises(NotAnEngine, match=said):
            await client.models()
    await server.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that nobody vouches for; its key lies beside it."""
    made = tmp_path / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {made}.key -out {made}"
    command += " -addext subjectAltName=DNS:localhost"
    subprocess.run(command.split(), check=True, capture_output=True)
    return made


async def test_tls_is_spoken_and_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, f"{certificate}.key")
    server = await RawFake(sends(answer(json.dumps(completion("Paris")).encode()))).start(context)
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        with pytest.raises(EngineUnreachable, match="certificate is not trusted"):
            await client.complete(ModelRequest(QUESTION))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        for _ in range(3):
            assert (await client.complete(ModelRequest(QUESTION))).text == "Paris"
        assert len(server.requests) == 3
    async with asyncio.timeout(5):
        await server.closed.wait()
    await server.stop()
