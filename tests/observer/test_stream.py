"""The live stream: nothing missed, nothing twice, and drafts that are never numbered."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from observer.tail import KEPT_ROWS
from tests.observer.books import Books, remove_store
from tests.observer.conftest import Page, open_page
from tests.observer.watching import watching


async def test_a_row_written_while_somebody_watches_arrives_with_its_number(page: Page, books: Books) -> None:
    await books.alive()
    async with page.client() as client, watching(client) as watcher:
        event = await books.thought("I am.")
        await watcher.until(lambda w: w.sent)
    assert (watcher.sent[0].id, watcher.sent[0].name) == (event.id, "message")
    assert watcher.sent[0].data == event.as_json()


async def test_without_a_number_the_stream_begins_after_the_newest_row(page: Page, books: Books) -> None:
    await books.alive()
    old = await books.thought("Before you came.")
    async with page.client() as client, watching(client) as watcher:
        new = await books.thought("After you came.")
        await watcher.until(lambda w: w.sent)
    assert watcher.numbers == [new.id]
    assert new.id > old.id


async def test_a_stream_resumes_without_gap_or_repeat_while_rows_are_being_written(page: Page, books: Books) -> None:
    await books.alive()
    first = await books.thought("0")
    written = [first.id]

    async def write() -> None:
        for number in range(1, 60):
            written.append((await books.thought(str(number))).id)
            await asyncio.sleep(0.005)

    writing = asyncio.create_task(write())
    seen: list[int] = []
    async with page.client() as client:
        while not writing.done() or seen[-1:] != written[-1:]:
            headers = {"Last-Event-ID": str(seen[-1])} if seen else {}
            # The address a browser reconnects to still carries the number it first began with.
            async with watching(client, after=first.id - 1, headers=headers) as watcher:
                await watcher.until(lambda w: w.numbers)
            seen += watcher.numbers
    assert seen == written


async def test_a_watcher_far_behind_gets_every_row_in_order(page: Page, books: Books) -> None:
    await books.alive()

    def many(connection: object) -> None:
        for number in range(KEPT_ROWS + 600):
            books.journal.append(connection, "note", {"text": str(number)})  # type: ignore[arg-type]  # a bare connection is a transaction here

    async with page.client() as client, watching(client) as early, watching(client, after=0) as late:
        await books.store.write(many)
        await early.until(lambda w: len(w.numbers) == KEPT_ROWS + 600)
        async with watching(client, after=0) as later:
            everything = list(range(1, early.numbers[-1] + 1))
            await late.until(lambda w: w.numbers[-1:] == early.numbers[-1:])
            await later.until(lambda w: w.numbers[-1:] == early.numbers[-1:])
    assert late.numbers == later.numbers == everything
    assert early.numbers == everything[-KEPT_ROWS - 600 :]


async def test_drafts_arrive_as_they_are_written_and_are_not_numbered(page: Page, books: Books) -> None:
    await books.alive()
    async with page.client() as client, watching(client) as watcher:
        for text in ("I", "I am", "I am here"):
            await books.draft(text)
            await watcher.until(lambda w, text=text: w.drafts[-1:] == [text])
        thought = await books.thought("I am here.")
        await books.no_draft()
        note = await books.journal.write("note", {"text": "done"})
        await watcher.until(lambda w: note.id in w.numbers)
    assert watcher.drafts == ["I", "I am", "I am here"]  # and no more: it has become a thought
    assert all(event.id is None for event in watcher.sent if event.name == "draft")
    assert watcher.numbers == [thought.id, note.id]


async def test_a_draft_that_is_given_up_is_taken_back(page: Page, books: Books) -> None:
    await books.alive()
    async with page.client() as client, watching(client) as watcher:
        await books.draft("I was about to")
        await watcher.until(lambda w: w.drafts)
        await books.no_draft()
        await watcher.until(lambda w: len(w.drafts) == 2)
    assert watcher.sent[-1].data["thought_id"] == ""


async def test_who_comes_in_mid_thought_sees_the_draft_at_once(page: Page, books: Books) -> None:
    await books.alive()
    await books.draft("I have already begun")
    async with page.client() as client, watching(client) as watcher:
        await watcher.until(lambda w: w.drafts == ["I have already begun"])


async def test_a_draft_left_by_a_crash_is_not_shown(page: Page, books: Books, tmp_path: Path) -> None:
    await books.alive()
    await books.thought("Finished.", thought_id="t1")
    await books.draft("Finish", thought_id="t1")
    async with page.client() as client, watching(client, after=0) as watcher:
        note = await books.journal.write("note", {"text": "later"})
        await watcher.until(lambda w: note.id in w.numbers)
    assert not watcher.drafts


async def test_the_keepers_rows_reach_only_the_keeper(page: Page, books: Books) -> None:
    await books.alive()
    async with (
        page.client() as client,
        page.client(keeper=True) as keeper,
        watching(client) as stranger,
        watching(keeper) as trusted,
    ):
        await books.journal.write("message", {"text": "between us"}, visibility="keeper")
        await books.journal.write("note", {"text": "for all"})
        await stranger.until(lambda w: "note" in w.kinds)
        await trusted.until(lambda w: "note" in w.kinds)
    assert stranger.kinds == ["note"]
    assert trusted.kinds == ["message", "note"]


async def test_a_stream_opened_before_there_is_a_store_shows_the_birth(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page, page.client() as client, watching(client) as watcher:
        books = Books(tmp_path)
        await books.alive()
        await books.journal.write("birth", {"number": 1, "name": "Genesis"})
        await watcher.until(lambda w: "birth" in w.kinds)
        books.close()


async def test_a_number_of_another_store_begins_at_the_newest_row(page: Page, books: Books) -> None:
    await books.alive()
    async with page.client() as client, watching(client, headers={"Last-Event-ID": "99999"}) as watcher:
        event = await books.thought("A new history.")
        await watcher.until(lambda w: w.sent)
    assert watcher.numbers == [event.id]


async def test_a_store_that_is_replaced_ends_the_stream_so_that_watchers_begin_anew(
    page: Page, books: Books, tmp_path: Path
) -> None:
    await books.alive()
    async with page.client() as client, watching(client) as watcher:
        await books.thought("An old history.")
        await watcher.until(lambda w: w.sent)
        books.close()
        remove_store(tmp_path)
        other = Books(tmp_path)
        await other.alive()
        await watcher.until(lambda w: w.ended)
        async with watching(client, after=0) as again:
            await again.until(lambda w: w.kinds == ["rollover"])
        other.close()


async def test_the_server_stops_within_a_second_while_somebody_watches(tmp_path: Path, books: Books) -> None:
    await books.alive()
    async with open_page(tmp_path) as page, page.client() as client, watching(client) as watcher:
        before = time.monotonic()
        page.stop.set()
        await page.ended
        assert time.monotonic() - before < 1.0
        await watcher.until(lambda w: w.ended)


async def test_the_server_stops_though_a_watcher_has_stopped_reading(tmp_path: Path, books: Books) -> None:
    await books.alive()
    text = "x" * 100_000

    def much(connection: object) -> None:
        for _ in range(200):
            books.journal.append(connection, "note", {"text": text})  # type: ignore[arg-type]  # a bare connection is a transaction here

    await books.store.write(much)
    async with open_page(tmp_path) as page:
        host, port = page.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(b"GET /api/stream?after=0 HTTP/1.1\r\nHost: page\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.3)  # long enough for the socket's buffers to fill
        before = time.monotonic()
        page.stop.set()
        await page.ended
        assert time.monotonic() - before < 2.0
        writer.close()
