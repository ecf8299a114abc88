"""One tail of the journal for all watchers.

While anybody watches, the store is looked at four times a second; the newest rows are kept, each encoded once.
A watcher has no queue, only a number: it takes what follows its number from the kept rows, or from the store when
it has fallen behind them. So nobody misses a row, none comes twice, and a slow watcher costs no memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ai.errors import StoreError
from ai.store.journal import PUBLIC, Event
from observer.readers import BATCH, Readers
from observer.wire import encode

LOOK_EVERY_S = 0.25
KEPT_ROWS = 1000
KEEP_ALIVE_S = 15.0
MOST_WATCHERS = 500

_log = logging.getLogger(__name__)

HELLO = b"retry: 2000\n\n"  # milliseconds until a browser whose connection broke tries again
KEEP_ALIVE = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    public: bool
    frame: bytes

    @classmethod
    def of(cls, event: Event) -> _Row:
        frame = b"id: %d\ndata: %b\n\n" % (event.id, encode(event.as_json()))
        return cls(event.id, event.visibility == PUBLIC, frame)


class Tail:
    """Follows the journal and the draft for everybody who watches."""

    def __init__(self, readers: Readers, *, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._readers = readers
        self._keep_alive_s = keep_alive_s
        self._rows: deque[_Row] = deque(maxlen=KEPT_ROWS)
        self._floor = 0  # every row with a number above it, up to the newest seen, is kept
        self._newest = 0
        self._generation = 0  # of the store the rows were read from; 0 before there is one
        self._draft: dict[str, Any] | None = None
        self._draft_frame = b""
        self._thought_id: str | None = None  # the newest thought in the journal
        self._news = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._watchers = 0
        self._closing = False

    @property
    def full(self) -> bool:
        """Whether as many watch as may."""
        return self._watchers >= MOST_WATCHERS

    def close(self) -> None:
        """End every stream, now and from now on: the server stops only when nobody is connected."""
        self._closing = True
        self._wake()

    async def watch(self, after: int | None, *, keeper: bool = False) -> AsyncGenerator[bytes]:
        """Server-sent events from the row that follows number `after` (None: the next one written), without end.

        Ends when the server stops, or when the store was replaced by another whose numbers mean something else.
        """
        self._watchers += 1
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow())
        try:
            cursor = await self._start(after)
            yield HELLO
            async for frame in self._frames(cursor, keeper):
                yield frame
        finally:
            self._watchers -= 1
            if not self._watchers and self._follower is not None:
                self._follower.cancel()
                self._follower = None

    async def _frames(self, cursor: int, keeper: bool) -> AsyncGenerator[bytes]:
        generation = self._generation
        draft_sent = b"" if self._draft else self._draft_frame
        while not self._closing and generation in (0, self._generation):
            generation = self._generation
            news = self._news  # taken before looking, so that what comes while we look is not slept through
            for row in await self._following(cursor):
                cursor = row.id
                if row.public or keeper:
                    yield row.frame
            if self._draft_frame != draft_sent:
                draft_sent = self._draft_frame
                if draft_sent:
                    yield draft_sent
            if cursor >= self._newest:
                try:
                    await asyncio.wait_for(news.wait(), self._keep_alive_s)
                except TimeoutError:
                    yield KEEP_ALIVE

    async def _start(self, after: int | None) -> int:
        """The number to begin after; a number that was never given (another store's) begins at the newest."""
        try:
            newest = await self._readers.newest()
        except StoreError:
            return 0  # whatever comes will be news
        if self._generation != self._readers.generation:
            self._begin(newest)
        return newest if after is None else min(after, newest)

    async def _following(self, cursor: int) -> list[_Row]:
        if cursor >= self._newest:
            return []
        if cursor >= self._floor:
            return [row for row in self._rows if row.id > cursor]
        try:
            events = await self._readers.events(after=cursor, keeper=True, limit=BATCH)
        except StoreError:
            await asyncio.sleep(LOOK_EVERY_S)
            return []
        return [_Row.of(event) for event in events]

    async def _follow(self) -> None:
        """Look, wake whoever waits, wait; for as long as anybody watches."""
        while True:
            try:
                with suppress(StoreError):  # none yet, or not just now: the next look may find it
                    await self._look()
            except Exception:
                _log.exception("the journal could not be followed")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        events, draft = await self._readers.news(after=self._newest)
        if self._generation != self._readers.generation:
            self._begin(await self._readers.newest())
            return
        for event in events:
            if len(self._rows) == KEPT_ROWS:
                self._floor = self._rows[0].id
            self._rows.append(_Row.of(event))
            self._newest = event.id
            if event.kind == "thought":
                self._thought_id = event.data.get("thought_id")
        if self._take_draft(draft) or events:
            self._wake()

    def _begin(self, newest: int) -> None:
        """Start at the `newest` row of a store not seen before; what came earlier is read when asked for."""
        self._rows.clear()
        self._floor = self._newest = newest
        self._draft, self._draft_frame = None, b""
        self._generation = self._readers.generation
        self._wake()

    def _take_draft(self, draft: dict[str, Any] | None) -> bool:
        """Note the draft; true when watchers have to hear of it."""
        if draft == self._draft:
            return False
        before, self._draft = self._draft, draft
        if draft is None:
            # Nothing to tell when the draft has become a thought; else it was given up, and an empty one says so.
            if before is None or before["thought_id"] == self._thought_id:
                self._draft_frame = b""
                return False
            draft = {**before, "thought_id": "", "text": ""}
        self._draft_frame = b"event: draft\ndata: %b\n\n" % encode(draft)
        return True

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
