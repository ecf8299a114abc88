"""The JSON routes: the shapes others rely on, and refusals in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from observer.security import HEADERS
from tests.observer.books import BEING, LONG_AGO, Books
from tests.observer.conftest import Page

STATE = {
    "being": {"id", "name", "pronoun", "icon"},
    "life": {"number", "state", "born_at", "thoughts", "cause_of_death", "reborn_at"},
    "mind": {"model", "provider", "class", "why"},
    "memory": {"notes", "story_percent"},
    "tier": None,
    "thinking": None,
    "last_thought": None,
    "next_thought_at": None,
    "heartbeat_age_s": None,
}
BUDGET = {"month", "currency", "allowance", "topups", "spent", "held", "unknown", "reserve", "available"} | {
    "fraction",
    "tier",
    "resets_at",
    "runway",
    "providers",
    "by_model",
    "by_day",
    "recent",
}


def assert_state_shape(state: dict[str, Any]) -> None:
    assert state.keys() - {"notice"} == STATE.keys()
    for key, inside in STATE.items():
        assert inside is None or state[key].keys() == inside


async def get(page: Page, path: str, *, keeper: bool = False, status: int = 200, **params: Any) -> Any:
    async with page.client(keeper=keeper) as client:
        answer = await client.get(path, params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_state_has_the_shape_others_rely_on(page: Page, books: Books) -> None:
    await books.alive()
    event = await books.thought("I am.")
    state = await get(page, "/api/state")
    assert_state_shape(state)
    assert state["life"]["state"] == "alive"
    assert state["mind"]["class"] == "cheap"
    assert state["last_thought"] == {"id": event.id, "at": event.as_json()["at"], "text": "I am."}
    assert "notice" not in state


async def test_budget_has_the_shape_others_rely_on_and_exact_amounts(page: Page, books: Books) -> None:
    await books.alive()
    await books.spend("0.000000123")
    budget = await get(page, "/api/budget")
    assert budget.keys() == BUDGET
    assert (budget["allowance"], budget["spent"]) == ("5.00", "0.000000123")
    assert budget["by_model"][0].keys() == {"model", "spent", "calls", "tokens_in", "tokens_out"}
    assert budget["by_day"][0]["spent"] == "0.000000123"


async def test_without_a_store_the_being_is_unborn_in_the_same_shape(page: Page, tmp_path: Path) -> None:
    absent = await get(page, "/api/state")
    assert_state_shape(absent)
    assert absent.pop("notice")
    books = Books(tmp_path)
    empty = await get(page, "/api/state")
    books.close()
    assert absent == empty
    assert absent["being"]["id"] == BEING


async def test_an_unknown_balance_is_not_zero(page: Page, books: Books) -> None:
    budget = await get(page, "/api/budget")  # the store is there, but no month was ever opened
    assert budget.keys() == BUDGET | {"notice"}
    assert budget["available"] is None
    assert budget["by_model"] == []


async def test_the_journal_is_read_on_from_any_number(page: Page, books: Books) -> None:
    await books.alive()
    written = [(await books.thought(str(number))).id for number in range(5)]
    first = await get(page, "/api/journal", kind="thought", limit=3)
    assert [event["id"] for event in first["events"]] == written[:3]
    rest = await get(page, "/api/journal", kind="thought", after=first["next"])
    assert [event["id"] for event in rest["events"]] == written[3:]
    assert await get(page, "/api/journal", after=rest["next"]) == {"events": [], "next": written[-1]}
    assert first["events"][0].keys() == {"id", "at", "life", "kind", "visibility", "data"}


async def test_the_journal_is_filtered_by_kind_and_by_words(page: Page, books: Books) -> None:
    await books.alive()
    await books.thought("A needle in the hay")
    await books.journal.write("note", {"text": "another needle"})
    found = await get(page, "/api/journal", q="needle")
    assert [event["kind"] for event in found["events"]] == ["thought", "note"]
    assert len((await get(page, "/api/journal", q="needle", kind="note"))["events"]) == 1
    assert not (await get(page, "/api/journal", q="100%"))["events"]  # a wildcard is a character here


async def test_the_keepers_rows_are_shown_only_with_the_token(page: Page, books: Books) -> None:
    await books.alive()
    await books.journal.write("message", {"text": "between us"}, visibility="keeper")
    assert not (await get(page, "/api/journal", kind="message"))["events"]
    assert len((await get(page, "/api/journal", kind="message", keeper=True))["events"]) == 1


async def test_a_wrong_token_is_refused_rather_than_ignored(page: Page, books: Books) -> None:
    wrong = [(b"Authorization", "Bearer schlüssel".encode())]
    async with page.client() as client:
        for path in ("/api/journal", "/api/stream"):
            answer = await client.get(path, headers=wrong)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        basic = await client.get("/api/journal", headers={"Authorization": "Basic eDp5"})  # a proxy's, not for us
        assert basic.status_code == 200


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 501},
        {"limit": "many"},
        {"after": -1},
        {"after": "x"},
        {"after": 2**63},
        {"kind": "dream"},
    ],
)
async def test_a_bad_value_is_refused_in_one_plain_sentence(page: Page, params: dict[str, Any]) -> None:
    refusal = await get(page, "/api/journal", status=422, **params)
    assert refusal.keys() == {"detail"}
    assert refusal["detail"].startswith(f"“{next(iter(params))}” must be")
    assert refusal["detail"].count(".") == 1


async def test_empty_parameters_count_as_absent(page: Page, books: Books) -> None:
    await books.alive()
    async with page.client() as client:
        answer = await client.get("/api/journal?after=&kind=&q=&limit=")
    assert answer.status_code == 200
    assert answer.json()["events"]


async def test_what_a_model_wrote_in_bad_faith_is_still_valid_json(page: Page, books: Books) -> None:
    await books.alive()
    await books.journal.write("action", {"name": "\ud800", "arguments": {"n": float("nan"), "deep": [float("inf")]}})
    [event] = (await get(page, "/api/journal", kind="action"))["events"]
    assert event["data"] == {"name": "�", "arguments": {"n": None, "deep": [None]}}
    async with page.client() as client:
        assert (await client.get("/journal")).status_code == 200


async def test_health_tells_the_age_of_the_heartbeat_or_why_there_is_none(page: Page, tmp_path: Path) -> None:
    assert (await get(page, "/healthz", status=503))["reason"]
    books = Books(tmp_path)
    assert await get(page, "/healthz") == {"ok": True, "heartbeat_age_s": None}
    await books.heartbeat(at=LONG_AGO)
    assert (await get(page, "/healthz"))["heartbeat_age_s"] > 1000
    books.close()


async def test_a_store_that_is_no_database_is_said_to_be_unreadable(page: Page, tmp_path: Path) -> None:
    (tmp_path / "alive.db").write_bytes(b"not a database, but something else entirely" * 100)
    assert "cannot be read" in (await get(page, "/healthz", status=503))["reason"]
    refusal = await get(page, "/api/state", status=503)
    assert str(tmp_path) not in refusal["detail"]


@pytest.mark.parametrize(
    "path", ["/", "/api/state", "/healthz", "/static/base.css", "/nowhere", "/api/journal?limit=0"]
)
async def test_every_answer_carries_the_security_headers(page: Page, path: str) -> None:
    async with page.client() as client:
        answer = await client.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


async def test_static_files_are_asked_about_cheaply(page: Page) -> None:
    async with page.client() as client:
        first = await client.get("/static/app.js")
        again = await client.get("/static/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert first.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304


async def test_the_routes_are_described_without_anything_from_elsewhere(page: Page) -> None:
    described = await get(page, "/openapi.json")
    async with page.client() as client:
        docs = (await client.get("/docs")).text
    for path in ("/api/state", "/api/budget", "/api/journal", "/api/stream", "/healthz"):
        assert path in described["paths"]
        assert path in docs
    assert "https://" not in docs
