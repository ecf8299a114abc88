"""The pages as they come from the server, before any script runs."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from ai.clock import to_ms
from observer.words import line, money
from tests.observer.books import LONG_AGO, Books, remove_store
from tests.observer.conftest import Page

PAGES = ("/", "/journal", "/budget", "/blog", "/lives", "/about", "/docs")


async def read(page: Page, path: str = "/", status: int = 200) -> str:
    async with page.client() as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def words_of(html: str) -> str:
    """What a reader sees: no tags, single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_answers_before_there_is_a_life(page: Page, path: str) -> None:
    assert "<main" in await read(page, path)


async def test_nobody_yet_is_said_with_care(page: Page) -> None:
    words = words_of(await read(page))
    assert "Nobody is here yet." in words
    assert "No account has been opened yet." in words


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_has_inline_scripts_or_styles(page: Page, books: Books, path: str) -> None:
    await books.alive()
    await books.thought("I am.")
    await books.spend("0.01")
    html = await read(page, path)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=\"/static/)", html)


async def test_the_first_page_shows_the_thought_its_cost_and_the_purse(page: Page, books: Books) -> None:
    await books.alive()
    await books.spend("1.25")
    await books.thought("An earlier one.", thought_id="t0")
    await books.thought("I am counting.", thought_id="t1")
    words = words_of(await read(page))
    assert words.index("I am counting.") < words.index("An earlier one.")
    for expected in ("Qwen3 Coder", "$0.000123", "$3.7000", "alive", "Too early to say how long the money lasts."):
        assert expected in words
    assert "1,023 tokens read, 297 written in 2.4 s." in words


async def test_a_being_nobody_runs_is_asleep_and_says_since_when(page: Page, books: Books) -> None:
    await books.alive()
    await books.thought("Good night.")
    await books.heartbeat(at=books.clock.now() - timedelta(hours=3))
    words = words_of(await read(page))
    assert "asleep Nobody is running it. Its last heartbeat was 3 hours ago." in words
    assert "Good night." in words


async def test_a_dead_being_has_an_epitaph(page: Page, books: Books) -> None:
    await books.alive()
    await books.spend("4.9")
    now = books.clock.now()
    await books.life(
        born_at_ms=to_ms(now - timedelta(days=9)),
        died_at_ms=to_ms(now),
        cause_of_death="bankruptcy",
        thoughts=1204,
    )
    await books.being("dead", tier="bankrupt")
    epitaph = "Genesis lived 9 days, 1,204 thoughts, $4.90. It ran out of money."
    assert epitaph in words_of(await read(page))
    assert "after 9 days" in words_of(await read(page, "/lives"))


async def test_markup_in_a_thought_is_text(page: Page, books: Books) -> None:
    await books.alive()
    await books.thought("<script>alert(1)</script> \" onload='x'")
    for path in ("/", "/journal"):
        html = await read(page, path)
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html


async def test_a_draft_nobody_writes_any_more_is_not_shown(page: Page, books: Books) -> None:
    await books.alive()
    await books.draft("I was about to say")
    assert "I was about to say" in await read(page)
    await books.heartbeat(at=LONG_AGO)
    assert "I was about to say" in await read(page)  # fresh: the heartbeat may lag behind
    await books.draft("I was about to say", at=LONG_AGO)
    assert "I was about to say" not in await read(page)


async def test_the_journal_is_paged_from_the_newest_and_keeps_private_rows_private(page: Page, books: Books) -> None:
    await books.alive()
    for number in range(70):
        await books.journal.write("note", {"text": f"note number {number}."})
    await books.journal.write("message", {"text": "between us"}, visibility="keeper")
    first = await read(page, "/journal")
    assert "note number 69." in first
    assert "note number 1." not in first
    assert "between us" not in first
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    assert "note number 1." in await read(page, older.group(1).replace("&amp;", "&"))


async def test_rows_of_unknown_kinds_and_shapes_do_not_break_a_page(page: Page, books: Books) -> None:
    await books.alive()
    await books.journal.write("thought", {"text": None, "attempts": "odd", "why": 7, "cost": "NaN"})
    for kind in ("birth", "action", "result", "charge", "tier", "model", "topup", "rollover", "failure", "death"):
        await books.journal.write(kind, {})
        await books.journal.write(kind, {"name": 1, "amount": "x", "from": {}, "arguments": [1]})
    for path in ("/", "/journal", "/view"):
        await read(page, path)
    assert line("dream", {"colour": "green"}) == '{"colour":"green"}'


async def test_the_page_goes_on_when_the_store_is_removed(page: Page, books: Books, tmp_path: Path) -> None:
    await books.alive()
    await books.thought("Here.")
    assert "Here." in await read(page)
    books.close()
    remove_store(tmp_path)
    assert "Nobody is here yet." in await read(page)


async def test_what_is_not_there_is_refused_in_a_sentence(page: Page) -> None:
    assert "There is nothing here" in await read(page, "/nothing", 404)
    assert "must be one of" in await read(page, "/journal?kind=dream", 422)


def test_money_is_cut_and_never_rounded_up() -> None:
    assert money("3.20419999") == "$3.2041"
    assert money("-0.01", 2) == "−$0.01"
    assert money(None) == "—"


async def test_the_page_of_lives_tells_how_each_began_and_ended_and_escapes_it(page: Page, books: Books) -> None:
    ended = {"died_at_ms": to_ms(books.clock.now()), "cause_of_death": "old age", "last_words": "<b>Bye</b>"}
    await books.being("dead", life=1)
    await books.life(1, **ended, mode="blank_slate", first_words="I am <i>", obituary="It <u>was</u> kind.")
    html = await read(page, "/lives")
    assert "blank slate" in html
    for said in ("I am &lt;i&gt;", "&lt;b&gt;Bye&lt;/b&gt;", "It &lt;u&gt;was&lt;/u&gt; kind."):
        assert said in html
    assert "The next life begins" not in html
    await books.being("dead", life=1, birth_due_ms=to_ms(books.clock.now()))
    assert "The next life begins at" in words_of(await read(page, "/lives"))


async def test_a_paused_being_is_shown_as_paused(page: Page, books: Books) -> None:
    await books.alive()
    await books.being("paused")
    assert "Paused by its keeper" in words_of(await read(page))
