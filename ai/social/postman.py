"""The postman: sends what lies in the outbox, and looks up what nobody knows the fate of.

    queued ──▶ sending ──▶ sent
      ▲           │  └────▶ refused
      │           ▼
      └────── unknown ────▶ sent       looked up twice before it is tried again

A row is marked as sending, and its price held, in one transaction before the call; the fate of the row and the end of
its hold are one transaction after it. So at every moment the outbox and the books tell the same story.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from ai.clock import Clock, to_ms
from ai.economy.account import Charge, Hold
from ai.economy.credit_tracker import CreditTracker
from ai.errors import FundsError
from ai.social.base import Channel, Sent
from ai.social.failures import ChannelFailed, Fate, Until
from ai.social.fates import LOOK_AGAIN_S, Fates, with_hold
from ai.social.outbox import LAST, ONCE, PACE_S, THOUGHT
from ai.store import outbox as rows
from ai.store.engine import Store, Transaction
from ai.store.journal import newest_of
from ai.store.outbox import QUEUED, REFUSED, SENT, UNKNOWN, Halt, Post

STALE_AFTER = timedelta(days=1)  # what could not be sent for a day is news no more
LOOK_EVERY_S = 1.0  # how soon the loop sees what another process has changed
MONEY_AGAIN_S = 60.0
MOST_LOOKS, MOST_PAGES = 2, 5
HOLD_S = 120.0  # longer than any call may take
GRACE_S = 3.0  # how long a call under way may go on after the end was asked for

Step = Callable[[Post], Awaitable[None]]


class Postman:
    """Delivers the posts of one being to one channel, one call at a time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        being: str,
        *,
        tracker: CreditTracker,
        channel: Channel,
        fates: Fates,
        pace_s: float = PACE_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._being = being
        self._tracker = tracker
        self._channel = channel
        self._fates = fates
        self._pace_ms = int(pace_s * 1000)
        self._called = asyncio.Event()

    def call(self) -> None:
        """There is something in the outbox."""
        self._called.set()

    async def keep(self) -> None:
        """Deliver for ever. A call under way at the end gets a moment to finish."""
        while True:
            self._called.clear()
            work = asyncio.create_task(self.deliver())
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work], timeout=GRACE_S)
                work.cancel()
                await asyncio.wait([work])
                raise
            await self._wait()

    async def deliver(self) -> None:
        """Do everything that is due now, and return."""
        while (due := await self._store.read(self._next)) is not None:
            step, post = due
            await step(post)

    async def recover(self) -> int:
        """At a start: what somebody was sending is of unknown fate, and dead keys may have been replaced.

        Returns how many posts that were.
        """
        if self._channel.begins != QUEUED:
            return 0

        def work(transaction: Transaction) -> int:
            left = rows.orphans(transaction, self._being)
            for post in left:
                self._fates.doubt(transaction, post, "The program ended while it was being sent.")
            halt = rows.read_halt(transaction, self._being, self._channel.name)
            if halt is not None and halt.until == Until.KEYS:
                self._fates.open(transaction)
            return len(left)

        return await self._store.write(work)

    async def _wait(self) -> None:
        """Until something is queued here, or long enough to look for what other processes did."""
        waiting = [asyncio.create_task(self._called.wait()), asyncio.create_task(self._clock.sleep(LOOK_EVERY_S))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _next(self, transaction: Transaction) -> tuple[Step, Post] | None:
        """What is to be done now, and with which row."""
        if self._channel.begins != QUEUED:
            return None
        being, name, now_ms = self._being, self._channel.name, to_ms(self._clock.now())
        stale = rows.stale_post(transaction, being, now_ms - int(STALE_AFTER.total_seconds() * 1000))
        if stale is not None:
            return self._give_up, stale
        halt = rows.read_halt(transaction, being, name)
        if halt is not None and halt.lasts(now_ms) and not self._paid_in(transaction, halt):
            return None
        doubtful = rows.oldest_due(transaction, being, name, UNKNOWN, now_ms)
        if doubtful is not None:
            return self._look, doubtful
        rested = now_ms - rows.last_sent_ms(transaction, being, name, THOUGHT) >= self._pace_ms
        # What keeps a pace waits, and keeps back nothing that is allowed at any pace.
        post = rows.oldest_due(transaction, being, name, QUEUED, now_ms, () if rested else ONCE)
        return (self._send, post) if post is not None else None

    def _paid_in(self, transaction: Transaction, halt: Halt) -> bool:
        """Whether somebody topped the being up since credits ran out there: they may have done so there as well."""
        newest = newest_of(transaction, self._being, "topup") if halt.until == Until.TOPUP else None
        return newest is not None and newest.at_ms > halt.since_ms

    async def _give_up(self, post: Post) -> None:
        why = (post.said or "It could not be sent.").rstrip(".")
        said = f"{why}. It waited for a day and stands on the local timeline only."
        await self._store.write(lambda t: self._fates.end(t, post, REFUSED, said=said))

    async def _send(self, post: Post) -> None:
        channel, fates = self._channel, self._fates
        try:
            hold = await self._tracker.hold(
                channel.price_nanos(post.text),
                provider=channel.name,
                model=channel.product(post.text),
                purpose="post",
                timeout_s=HOLD_S,
                use_reserve=post.occasion in LAST,
                also=lambda transaction, hold: fates.begin(transaction, post, hold),
            )
        except FundsError as exc:
            why = f"It waits for money. {exc.message}"
            await self._store.write(lambda t: fates.postpone(t, post, MONEY_AGAIN_S, why))
            return
        try:
            sent = await channel.send(post.text)
        except ChannelFailed as failed:
            await self._not_sent(post, hold, failed)
        except BaseException as exc:  # cut short, or a fault of ours: it may have been posted all the same
            await self._forget(post, hold, _cut_short(exc))
            if not isinstance(exc, Exception):
                raise
        else:
            await self._tracker.settle(hold, self._charge(post, sent.id), with_hold(fates.sent, post, sent))

    async def _not_sent(self, post: Post, hold: Hold, failed: ChannelFailed) -> None:
        if failed.fate is Fate.UNKNOWN:
            await self._forget(post, hold, failed.message)
        elif failed.fate is Fate.DUPLICATE:
            await self._was_there(post, hold, failed)
        elif failed.fate is Fate.REFUSED:
            ended = with_hold(self._fates.end, post, REFUSED, said=failed.message)
            await self._tracker.release(hold, "the channel refused it", ended)
        else:
            await self._tracker.release(hold, "nothing was posted", with_hold(self._fates.back, post, failed))

    async def _forget(self, post: Post, hold: Hold, why: str) -> None:
        await self._tracker.forget(hold, why, also=with_hold(self._fates.doubt, post, why))

    async def _was_there(self, post: Post, hold: Hold, failed: ChannelFailed) -> None:
        """A duplicate counts as sent. If an earlier attempt of ours got through after all, it is what we pay for."""
        ended = with_hold(self._fates.end, post, SENT, said=failed.message)
        if post.attempts:
            await self._tracker.settle(hold, self._charge(post, None), ended)
        else:
            await self._tracker.release(hold, "it was there already", ended)
        with suppress(ChannelFailed, FundsError):
            found = await self._find(post)
            if found is not None:
                await self._store.write(lambda t: rows.change_post(t, post.id, external_id=found))

    async def _look(self, post: Post) -> None:
        fates = self._fates
        try:
            found = await self._find(post)
        except FundsError as exc:
            why = f"Nobody knows whether it was posted, and there is no money to look. {exc.message}"
            await self._store.write(lambda t: fates.postpone(t, post, LOOK_AGAIN_S, why))
        except ChannelFailed as exc:
            failed = exc
            await self._store.write(lambda t: fates.look_later(t, post, failed))
        else:
            if found is not None:
                await self._arrived(post, found)
            elif post.looks + 1 < MOST_LOOKS:
                await self._store.write(lambda t: fates.missed(t, post))
            else:
                await self._never_arrived(post)

    async def _arrived(self, post: Post, found: str) -> None:
        lost, sent = await self._lost_hold(post), with_hold(self._fates.sent, post, Sent(found))
        if lost is not None:
            await self._tracker.settle(lost, self._charge(post, found), sent)
        else:
            await self._store.write(lambda t: self._fates.sent(t, post, Sent(found)))

    async def _never_arrived(self, post: Post) -> None:
        lost = await self._lost_hold(post)
        if lost is not None:
            await self._tracker.release(lost, "it was never posted", with_hold(self._fates.never_arrived, post))
        else:
            await self._store.write(lambda t: self._fates.never_arrived(t, post))

    async def _find(self, post: Post) -> str | None:
        """The channel's name of the post if it stands on the channel's own timeline; every page is held and charged.

        Raises FundsError when there is no money to look, ChannelFailed when the look-up itself fails.
        """
        channel, page = self._channel, None
        since = await self._store.read(lambda t: rows.newest_known_before(t, self._being, post))
        for _ in range(MOST_PAGES):
            hold = await self._tracker.hold(
                channel.look_price_nanos,
                provider=channel.name,
                model=channel.look_product,
                purpose="look-up",
                timeout_s=HOLD_S,
            )
            try:
                seen = await channel.look(post.text, since, page)
            except ChannelFailed as failed:
                if failed.fate is Fate.UNKNOWN:
                    await self._tracker.forget(hold, failed.message)
                else:
                    await self._tracker.release(hold, failed.message)
                raise
            except BaseException as exc:
                why = f"The look-up failed. {_cut_short(exc)}"
                await self._tracker.forget(hold, why)
                if isinstance(exc, Exception):  # a fault of ours costs this look-up, not the loop
                    raise ChannelFailed(why, Fate.UNKNOWN) from exc
                raise
            await self._tracker.settle(hold, Charge(channel.read_price_nanos(seen.read), "computed"))
            if seen.found_id is not None or seen.next is None:
                return seen.found_id
            page = seen.next
        raise ChannelFailed("Too much was posted since for it to be found.", Fate.UNSENT)

    async def _lost_hold(self, post: Post) -> Hold | None:
        return next((lost.hold for lost in await self._tracker.lost() if lost.hold.id == post.hold_id), None)

    def _charge(self, post: Post, external_id: str | None) -> Charge:
        return Charge(self._channel.price_nanos(post.text), "computed", generation_id=external_id)


def _cut_short(exc: BaseException) -> str:
    """Why a call did not come to its end, for the keeper."""
    if isinstance(exc, asyncio.CancelledError):
        return "The program ended while it was under way."
    return f"It was cut short ({type(exc).__name__})."
