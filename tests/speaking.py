"""A being's voice without the rest of it: a purse, an outbox, a postman, and an X on loopback to post to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from ai.clock import Clock, VirtualClock
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.money import parse_usd
from ai.economy.reconciler import Reconciler
from ai.social import x_text
from ai.social.base import Channel
from ai.social.fates import Fates
from ai.social.outbox import Outbox, Shorten
from ai.social.postman import Postman
from ai.social.twitter import POSTS_ON_X, Keys, Twitter
from ai.store.engine import Store
from ai.store.journal import Journal
from ai.store.lease import take_lease
from ai.store.outbox import Halt, newest_posts, read_halt
from ai.store.outbox import Post as Row
from tests.parts import BEING, GRANT, RESERVE, events, imbalance
from tests.x_server import KEYS, XServer

SEND_USD, LINK_USD, READ_USD = parse_usd("0.015"), parse_usd("0.200"), parse_usd("0.001")
x_text.weighted_length("")  # the server uses the same parser, which can only be loaded by way of x_text


def x_keys(**changed: str) -> Keys:
    keys = KEYS | changed
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    return Keys(*(SecretStr(keys[name]) for name in names))


def twitter(x: XServer, clock: Clock, **chosen: Any) -> Twitter:
    """The real adapter, pointed at the test server, with less patience."""
    return Twitter(chosen.pop("keys", x_keys()), clock, base_url=x.url, read_s=0.4, **chosen)


@dataclass
class Voice:
    """Everything that posts, over one store."""

    store: Store
    journal: Journal
    clock: Clock
    tracker: CreditTracker
    outbox: Outbox
    postman: Postman
    channel: Channel

    @classmethod
    def over(
        cls,
        store: Store,
        clock: Clock,
        channel: Channel,
        *,
        shorten: Shorten | None = None,
        pace_s: float = 3600,
        grant_nanos: int = GRANT,
    ) -> Voice:
        journal = Journal(store, clock, BEING, lambda data: data)
        tracker = CreditTracker(store, journal, clock, BEING, Allowance(grant_nanos, RESERVE))
        fates = Fates(journal, clock, BEING, channel.name)
        postman = Postman(store, clock, BEING, tracker=tracker, channel=channel, fates=fates, pace_s=pace_s)
        outbox = Outbox(
            store,
            journal,
            clock,
            BEING,
            channel=channel,
            redact=lambda text: text,
            on_queued=postman.call,
            shorten=shorten,
            pace_s=pace_s,
        )
        return cls(store, journal, clock, tracker, outbox, postman, channel)

    async def restarted(self) -> Voice:
        """The same voice in the next run: whatever was under way is of unknown fate."""
        await self.store.write(lambda t: take_lease(t, BEING, 0))
        await self.tracker.recover()
        again = Voice.over(self.store, self.clock, self.channel)
        await again.postman.recover()
        return again

    async def say(self, text: str, **details: Any) -> Row:
        """Queue a post and try to deliver it; the row as it is then."""
        await self.outbox.post(text, **details)
        await self.postman.deliver()
        return await self.row()

    async def later(self, seconds: float) -> Row:
        """Let time pass and do what is due; the newest row as it is then."""
        self.pass_time(seconds)
        await self.postman.deliver()
        return await self.row()

    def pass_time(self, seconds: float) -> None:
        assert isinstance(self.clock, VirtualClock), "only virtual time can be moved"
        self.clock.advance(seconds)

    async def row(self) -> Row:
        return (await self.rows())[0]

    async def rows(self) -> list[Row]:
        """Every row, newest first."""
        return await self.store.read(lambda t: newest_posts(t, BEING, 1000))

    async def halt(self) -> Halt | None:
        return await self.store.read(lambda t: read_halt(t, BEING, self.channel.name))

    async def told(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in await events(self.store, kind)]

    async def spent(self) -> int:
        """Nano-dollars that are booked; nothing may be held or unknown, and the books must add up."""
        balance = await self.tracker.balance()
        assert (balance.held_nanos, balance.unknown_nanos) == (0, 0)
        assert await imbalance(self.store) == 0
        return balance.spent_nanos

    async def close_lost(self, after_s: float) -> None:
        """Reconcile as the program does, after so long: what nobody can find out is charged in full."""
        self.pass_time(after_s)

        async def on_failure(exc: Exception) -> None:
            raise exc

        await Reconciler(self.tracker, {}, self.clock, on_failure, leave=POSTS_ON_X).reconcile()
