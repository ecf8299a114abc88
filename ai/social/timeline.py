"""The local timeline: a post is a journal row, and the page shows it."""

from __future__ import annotations

from datetime import timedelta

from ai.clock import Clock, to_ms
from ai.errors import ActionError
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal, count_events, last_events

LONGEST_POST = 280
REMEMBERED_POSTS = 200


class Timeline:
    """The channel that always exists and costs nothing."""

    channel = "timeline"

    def __init__(self, store: Store, journal: Journal, clock: Clock, being: str) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being

    async def announce(self, text: str, *, occasion: str, life: int, model: str | None) -> None:
        """Publish what is said once in a life, whatever the pace: again, it does nothing."""

        def work(transaction: Transaction) -> None:
            posts = last_events(transaction, self._being, kind="post", limit=REMEMBERED_POSTS)
            if any((e.data.get("occasion"), e.data.get("life")) == (occasion, life) for e in posts):
                return
            told = {"channel": self.channel, "text": text, "occasion": occasion, "life": life, "model": model}
            self._journal.append(transaction, "post", told)

        await self._store.write(work)

    async def post(self, text: str, *, occasion: str = "thought", posts_a_day: int | None = None) -> None:
        """Publish `text`. Raises ActionError when it was posted before or the day's posts are used up."""

        def work(transaction: Transaction) -> None:
            earlier = last_events(transaction, self._being, kind="post", limit=REMEMBERED_POSTS)
            if any(_same(text, str(event.data.get("text", ""))) for event in earlier):
                raise ActionError("You posted that already. Say something new, or nothing.")
            since_ms = to_ms(self._clock.now() - timedelta(days=1))
            today = count_events(transaction, self._being, "post", since_ms)
            if posts_a_day is not None and today >= posts_a_day:
                raise ActionError(f"You may post {posts_a_day} times a day at this balance, and you have.")
            self._journal.append(transaction, "post", {"channel": self.channel, "text": text, "occasion": occasion})

        await self._store.write(work)


def _same(one: str, other: str) -> bool:
    return "".join(one.split()).casefold() == "".join(other.split()).casefold()
