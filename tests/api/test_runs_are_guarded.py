"""Runs over HTTP: to each tenant their own, to other crews and web pages none, bad input in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
from fastapi import FastAPI

from crewgraph.serving.api.app import make_app
from crewgraph.serving.house import House
from crewgraph.serving.settings import Settings

from .conftest import ASK, Till, begun, refused

Listen = Callable[[FastAPI], AbstractAsyncContextManager[str]]


async def test_a_tenant_sees_their_own_runs_only(http: httpx.AsyncClient) -> None:
    mine, theirs = await begun(http, **{"X-Crewgraph-Tenant": "acme"}), await begun(http)
    acme = {"X-Crewgraph-Tenant": "acme"}
    assert [run["run_id"] for run in (await http.get("/runs", headers=acme)).json()["data"]] == [mine]
    assert (await http.get("/runs/last", headers=acme)).json()["run_id"] == mine
    assert (await http.get(f"/runs/{mine}", headers=acme)).json()["tenant"] == "acme"
    for address in (f"/runs/{theirs}", f"/runs/{theirs}/events", f"/runs/{theirs}/questions"):
        refused(await http.get(address, headers=acme), 404, "not_found")
    said = {"decision": "approve"}
    refused(await http.post(f"/runs/{theirs}/answer", json=said, headers=acme), 404, "not_found")
    refused(await http.get(f"/diff?a={mine}&b={theirs}", headers=acme), 404, "not_found")
    long = {"X-Crewgraph-Tenant": "x" * 201}
    refused(await http.get("/runs", headers=long), 400, "invalid_request", "X-Crewgraph-Tenant")


async def test_a_tenant_without_a_budget_of_their_own_is_refused_where_others_have_one(
    tmp_path: Path, till: Till, listen: Listen
) -> None:
    home = tmp_path / "limited"
    home.mkdir()
    (home / "tenants.toml").write_text("[acme]\ntool_calls = 1\n")
    async with (
        House.open(Settings(home=home, model_url=None), engine=False) as house,
        listen(make_app(house, till.crew)) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        stranger = await http.post(
            "/chat/completions",
            json={"model": "buying", "messages": ASK},
            headers={"X-Crewgraph-Tenant": "nobody"},
        )
        refused(stranger, 400, "invalid_input", "'nobody'")


async def test_runs_of_another_crew_can_be_looked_at_and_not_gone_on_with(
    http: httpx.AsyncClient, house: House, till: Till, listen: Listen
) -> None:
    run_id = await begun(http)
    async with (
        listen(make_app(house, till.made("selling"))) as url,
        httpx.AsyncClient(base_url=url) as other,
    ):
        assert (await other.get(f"/runs/{run_id}")).status_code == 200
        for what, body in (
            ("resume", {}),
            ("replay", {}),
            ("answer", {"decision": "approve"}),
            ("fork", {"at": "plan"}),
        ):
            refused(await other.post(f"/runs/{run_id}/{what}", json=body), 409, "other_crew", "'selling'")
    assert till.paid == []


async def test_bad_input_is_one_sentence_in_the_protocols_words(http: httpx.AsyncClient) -> None:
    run_id = await begun(http)
    for what in ("", "/events", "/questions"):
        refused(await http.get(f"/runs/r-nothing{what}"), 404, "not_found", "r-nothing")
    for what in ("answer", "resume", "replay", "fork"):
        refused(await http.post(f"/runs/r-nothing/{what}", json={}), 404, "not_found")
    answer, fork = f"/runs/{run_id}/answer", f"/runs/{run_id}/fork"
    for body, words in (
        ({"decision": "maybe"}, "decision: "),
        ({}, "decision: "),
        ({"decision": "approve", "colour": 3}, "colour: "),
        ({"decision": "edit"}, "give question"),
        ({"decision": "answer", "value": 3}, "choose one of approve, edit, reject"),
        ({"decision": "happened"}, "in doubt"),
        ({"decision": "approve", "key": "nosuchkey"}, "no open question 'nosuchkey'"),
    ):
        refused(await http.post(answer, json=body), 400, "invalid_request", words)
    for body, words in (
        ({"at": "#99999"}, "no fork point '#99999'"),
        ({"at": "look", "set": {"colour": 3}}, "'colour' cannot be set"),
        ({"at": "look", "set": 3}, "set: "),
        ({}, "at: "),
    ):
        refused(await http.post(fork, json=body), 400, "invalid_request", words)
    refused(await http.post(fork, json={"at": "nothing"}), 404, "not_found", "No task 'nothing'")
    for content in (b"{", b"[]", b'{"decision": "edit", "value": NaN}', b"\xff"):
        refused(await http.post(answer, content=content), 400, "invalid_json")
    refused(await http.post(answer, content=b"x" * 1_000_001), 413, "body_too_large")
    wrong = await http.post(f"/runs/{run_id}/resume", json={"tokens": 0})
    refused(wrong, 400, "invalid_request", "tokens: ")
    assert len((await http.get("/runs")).json()["data"]) == 1


async def test_web_pages_of_other_origins_see_no_runs_and_start_none(http: httpx.AsyncClient) -> None:
    run_id = await begun(http)
    other = {"origin": "http://elsewhere.example"}
    for address in ("/runs", f"/runs/{run_id}", f"/runs/{run_id}/events", f"/diff?a={run_id}&b={run_id}"):
        answer = await http.get(address, headers=other)
        refused(answer, 403, "other_origin")
        assert "access-control-allow-origin" not in answer.headers
    for what in ("answer", "resume", "replay", "fork"):
        refused(await http.post(f"/runs/{run_id}/{what}", json={}, headers=other), 403, "other_origin")
