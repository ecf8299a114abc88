"""`alive posting`, `alive bio` and what the doctor says of X, as the keeper meets them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai.clock import VirtualClock
from ai.doctor import Finding, examine
from ai.store.engine import Store
from tests.parts import NOON, entries, fresh_store
from tests.speaking import Voice, twitter
from tests.test_cli import Alive, one_sentence
from tests.test_doctor import QUIET, write_dotenv
from tests.x_server import KEYS, XServer

NAMES = {
    "X_API_KEY": KEYS["consumer_key"],
    "X_API_SECRET": KEYS["consumer_secret"],
    "X_ACCESS_TOKEN": KEYS["access_token"],
    "X_ACCESS_TOKEN_SECRET": KEYS["access_token_secret"],
}


@pytest.fixture
def x() -> Iterator[XServer]:
    with XServer() as server:
        yield server


def test_posting_shows_what_became_of_posts_and_resume_clears_a_suspension(tmp_path: Path, x: XServer) -> None:
    data_dir = fresh_store(tmp_path / "data")

    async def suspended() -> None:
        store = Store.open(data_dir)
        voice = Voice.over(store, VirtualClock(NOON), twitter(x, VirtualClock(NOON)))
        x.fail("suspended")
        await voice.say("Hello.")
        store.close()

    asyncio.run(suspended())
    alive = Alive(tmp_path, NAMES | {"X_API_BASE_URL": x.url})
    shown = alive("posting")
    assert shown.code == 0, shown.err
    assert "Nothing is sent to x until you say so." in shown.out
    assert "queued" in shown.out
    told = alive("posting", "--json").json
    assert told["channel"] == "x"
    assert (told["posts"][0]["state"], told["posts"][0]["text"]) == ("queued", "Hello.")
    assert "suspended" in told["halted"]["x"]["reason"]
    assert "may post to x again" in alive("posting", "--resume").out
    assert "Nothing kept it" in alive("posting", "--resume").out
    assert alive("posting", "--json").json["halted"] == {}


def test_the_bio_names_the_account_as_automated_and_its_keeper(tmp_path: Path) -> None:
    fresh_store(tmp_path / "data")
    nameless = Alive(tmp_path, {})("bio")
    assert nameless.code == 2
    assert "KEEPER" in one_sentence(nameless)
    told = Alive(tmp_path, {"KEEPER": "@a_keeper"})("bio").out.strip()
    assert len(told) <= 160
    assert "utomated" in told
    assert "@a_keeper" in told


async def found(chosen: dict[str, str], *, paid: bool = False) -> list[Finding]:
    settings = QUIET | {"DATA_DIR": str(Path.cwd() / "data"), "OBSERVER_PORT": "0"} | chosen
    write_dotenv(settings)
    return await examine(VirtualClock(NOON), paid=paid)


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


async def test_the_doctor_looks_at_x_for_nothing(x: XServer) -> None:
    findings = await found(NAMES | {"X_API_BASE_URL": x.url, "KEEPER": "@a_keeper"})
    assert named(findings, "x").ok
    assert named(findings, "keeper").ok
    assert (x.billed_nanos, x.tweets) == (0, [])


async def test_the_doctor_names_keys_that_are_missing_and_an_x_that_is_not_there(x: XServer) -> None:
    findings = await found(NAMES | {"X_API_SECRET": ""})
    assert "X_API_SECRET is missing" in named(findings, "posting").says
    gone = await found(NAMES | {"X_API_BASE_URL": "http://127.0.0.1:9"})
    assert not named(gone, "x").ok
    assert not named(gone, "keeper").ok
    assert "timeline" in named(await found({}), "posting").says
    assert "would be posted" in named(await found({"POSTING": "dry_run"}), "posting").says


async def test_who_the_keys_belong_to_is_asked_for_money_and_booked(x: XServer) -> None:
    fresh_store(Path.cwd() / "data")
    findings = await found(NAMES | {"X_API_BASE_URL": x.url, "KEEPER": "@a_keeper"}, paid=True)
    assert f"@{x.user.username}" in named(findings, "x account").says
    store = Store.open(Path.cwd() / "data")
    (charge,) = await entries(store, "charge")
    assert (charge["model"], charge["amount"]) == ("x/users-me", "-0.01")
    assert x.billed_nanos == 10_000_000
    store.close()
