"""Secrets do not reach the journal, whichever way they come; everything else stays byte for byte."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import RunStarted
from crewgraph.runtime.journalling.redaction import REDACTED, Redactor
from crewgraph.runtime.store import open_store

SECRETS = {
    "an API key": "sk-proj-4f9aKq83bZ0LwPmX7cVt2Q",
    "a live payment key": "sk_live_51Hx8xKq83bZ0LwPmX7cV",
    "a GitHub token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "an AWS key": "AKIAIOSFODNN7EXAMPLE",
    "a hub token": "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZ",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.SflKxwRJSMeKKF2QT4fwpM",
    "a bearer header": "Bearer abcdef0123456789abcdef",
}


@pytest.mark.parametrize("what", SECRETS)
def test_known_shapes_are_taken_out(what: str) -> None:
    cleaned = Redactor().text(json.dumps({"note": f"use {SECRETS[what]} for it"}))
    assert SECRETS[what] not in cleaned
    assert json.loads(cleaned) == {"note": f"use {REDACTED} for it"}


@pytest.mark.parametrize("name", ["password", "API_KEY", "Authorization", "client_secret", "set-cookie"])
def test_fields_named_like_secrets_are_taken_out(name: str) -> None:
    given_value: Any = {"deep": [{name: 'hun"ter2', "user": "ann"}]}
    assert Redactor().value(given_value) == {"deep": [{name: REDACTED, "user": "ann"}]}


def test_a_password_in_a_url_is_taken_out_and_the_host_stays() -> None:
    said = Redactor().text('"postgresql://ann:hunter2@db.example/runs"')
    assert said == f'"postgresql://{REDACTED}@db.example/runs"'


def test_a_private_key_is_taken_out_whole() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"
    assert Redactor().value({"file": f"a {key} b"}) == {"file": f"a {REDACTED} b"}


def test_secrets_that_were_told_are_taken_out_however_json_writes_them() -> None:
    redactor = Redactor(['geheim-ünd"so'])
    for ascii_ in (True, False):
        assert "geheim" not in redactor.text(json.dumps({"x": 'mein geheim-ünd"so!'}, ensure_ascii=ascii_))


def test_a_short_secret_does_not_blot_out_ordinary_words() -> None:
    assert Redactor(["is"]).text('"this is it"') == '"this is it"'


@pytest.mark.parametrize(
    "text",
    [
        '{"tokens": 5, "token": "next", "page_token": "abc"}',
        '{"text": "the secret of good bread is time: a key question"}',
        '{"url": "https://example.org/a?b=c:d@e"}',
        '{"text": "sk-learn-is-a-library-of-note, and basic facts about bearer bonds"}',
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor().text(text) == text


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc xyz'\"\\é中", max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="abc", max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(plain)
def test_values_without_secrets_are_given_back_as_they_are(value: Any) -> None:
    assert Redactor().value(value) is value or Redactor().value(value) == value


@given(plain, st.sampled_from(sorted(SECRETS.values())), st.sampled_from(["password", "note"]))
def test_json_stays_json_wherever_a_secret_stands(value: Any, secret: str, name: str) -> None:
    cleaned = Redactor().text(json.dumps({name: f'é"\\ {secret}', "rest": value}))
    assert secret not in cleaned
    assert json.loads(cleaned)["rest"] == value


async def test_nothing_secret_is_on_disk_or_in_a_log(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = SECRETS["an API key"]
    caplog.set_level(logging.DEBUG)

    async def leak() -> dict[str, str]:
        return {"header": f"Bearer {secret}", "said": "hello"}

    async def fail() -> None:
        raise RuntimeError(f"refused {secret}")

    async with open_store(database) as store, await store.create_run("c", "r") as journal:
        ctx = RunContext(journal)
        await ctx.emit(RunStarted(crew="c", request=f"call it with {secret}"))
        live = await ctx.step("call", leak, inputs={"api_key": secret, "of": "Ann"})
        await ctx.note(f"used {secret}")
        with pytest.raises(RuntimeError):
            await ctx.step("bad", fail, inputs=[secret])
    async with open_store(database) as store:
        replay = RunContext(await store.read_run("last"))
        assert await replay.step("call", leak, inputs={"api_key": secret, "of": "Ann"}) == live
        assert live == {"header": f"Bearer {REDACTED}", "said": "hello"}
    for file in database.parent.iterdir():
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file.name
    assert secret not in caplog.text
