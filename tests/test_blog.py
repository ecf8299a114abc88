"""The blog: kept for ever, shown on the page as it was written, and never more than words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ai.clock import to_ms
from ai.errors import ActionError
from ai.social.blog import Blog
from ai.store import outbox
from ai.store.outbox import Halt
from tests.observer.books import BEING, Books
from tests.observer.conftest import Page, open_page
from tests.observer.test_pages import read, words_of
from tests.parts import events

TEXT = (
    "The first paragraph is about rain.\nIt has two lines.\n\nThe second is about silence, and it goes on for a while."
)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()


@pytest.fixture
async def page(tmp_path: Path, books: Books) -> AsyncIterator[Page]:
    async with open_page(tmp_path) as page:
        yield page


def blog(books: Books) -> Blog:
    return Blog(books.store, books.journal, books.clock, BEING, redact=lambda text: text)


async def test_an_essay_is_listed_and_shown_with_its_paragraphs(page: Page, books: Books) -> None:
    await books.alive()
    number = await blog(books).publish("On  rain", TEXT)
    listed = await read(page, "/blog")
    assert f'href="/blog/{number}"' in listed
    assert "On rain" in words_of(listed)
    html = await read(page, f"/blog/{number}")
    assert html.count("<p>The ") == 2
    assert "silence" in html


async def test_before_there_is_one_and_beyond_the_last_something_is_said(page: Page, books: Books) -> None:
    await books.alive()
    assert "nothing at length" in words_of(await read(page, "/blog"))
    assert "no such page" in words_of(await read(page, "/blog/7", status=404))
    for odd in ("0", "seven", "9" * 30):
        await read(page, f"/blog/{odd}", status=422)


async def test_markup_in_an_essay_is_text(page: Page, books: Books) -> None:
    await books.alive()
    number = await blog(books).publish("<script>alert(1)</script>", "<img src=x onerror=alert(1)> & \ud83d " * 5)
    for path in ("/blog", f"/blog/{number}", "/journal"):
        html = await read(page, path)
        assert "<script>alert" not in html
        assert "<img" not in html
        assert "&lt;script&gt;" in html


async def test_the_same_essay_is_published_once_and_the_gate_stands_before_it(books: Books) -> None:
    await books.alive()
    await blog(books).publish("One", TEXT)
    with pytest.raises(ActionError, match="already"):
        await blog(books).publish("Two", TEXT)
    with pytest.raises(ActionError, match="e-mail"):
        await blog(books).publish("Three", TEXT + " Write to me@example.com.")
    (refusal,) = await events(books.store, "refusal")
    assert (refusal.visibility, refusal.data["what"]) == ("keeper", "blog")


async def test_a_long_blog_has_pages(page: Page, books: Books) -> None:
    await books.alive()
    for number in range(25):
        await blog(books).publish(f"Essay {number}", f"{TEXT} This is number {number}.")
    first = await read(page, "/blog")
    assert 'href="/blog?upto=5"' in first
    rest = await read(page, "/blog?upto=5")
    assert rest.count("<h2>") == 5
    assert "Older" not in rest


@pytest.mark.parametrize(
    ("state", "said", "shown"),
    [
        (outbox.QUEUED, "It waits for money.", "On its way to X. It waits for money."),
        (outbox.SENT, None, "On X."),
        (outbox.UNKNOWN, "x is in trouble (500).", "Perhaps on X"),
        (outbox.REFUSED, "x does not allow it (403: no <b>).", "Not on X. X does not allow it (403: no &lt;b&gt;)."),
        (outbox.DRY_RUN, None, "a dry run"),
    ],
)
async def test_the_page_says_what_became_of_each_post(
    page: Page, books: Books, state: str, said: str | None, shown: str
) -> None:
    await books.alive()
    event = await books.journal.write("post", {"channel": "x", "text": "Hello."})
    row = {"post_id": event.id, "channel": "x", "state": state, "occasion": "thought", "text": "Hello.", "said": said}
    await books.store.write(lambda t: outbox.add_post(t, BEING, queued_at_ms=1, due_at_ms=1, **row))
    assert shown in await read(page)


async def test_the_page_says_why_nothing_is_sent(page: Page, books: Books) -> None:
    await books.alive()
    halt = Halt("keeper", to_ms(books.clock.now()), None, "x has suspended the account (403).", "Sign in to X.")
    await books.store.write(lambda t: outbox.keep_halt(t, BEING, "x", halt))
    words = words_of(await read(page))
    assert "Nothing is sent to X until its keeper says so. X has suspended the account (403). Sign in to X." in words
