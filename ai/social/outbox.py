"""The outbox: a post is a row first, and reaches its channel exactly once, across restarts and lives.

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
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ai.clock import Clock, iso, to_ms
from ai.economy.account import Charge, Hold
from ai.economy.credit_tracker import Also, CreditTracker
from ai.errors import ActionError, FundsError
from ai.social.base import Channel, Sent
from ai.social.content_gate import inspect
from ai.social.failures import ChannelFailed, Fate, Until
from ai.social.lengths import fit
from ai.social.likeness import too_like
from ai.store import outbox as rows
from ai.store.engine import Store, Transaction
from ai.store.journal import KEEPER, Journal, last_events, newest_of
from ai.store.outbox import DRY_RUN, QUEUED, REFUSED, SENDING, SENT, UNKNOWN, Halt, Post

THOUGHT, BIRTH, LAST_WORDS, DEATH = "thought", "birth", "last_words", "death"
LAST = (LAST_WORDS, DEATH)  # these may be paid from the reserve
ONCE = (BIRTH, *LAST)  # these are allowed at any pace, once a day and life

REMEMBERED_POSTS = 200
PACE_S = 3600.0  # between two posts
DAY = timedelta(days=1)
STALE_AFTER = DAY  # what could not be sent for a day is news no more

LOOK_EVERY_S = 1.0  # how soon the loop sees what another process has changed
FIRST_LOOK_S, SECOND_LOOK_S = 60.0, 300.0  # a post may appear on its own timeline a little late
LOOK_AGAIN_S = 600.0  # a look-up that could not be made
MONEY_AGAIN_S = 60.0
REACH_AGAIN_S = 60.0
MOST_LOOKS, MOST_PAGES, MOST_ATTEMPTS = 2, 5, 3
HOLD_S = 120.0  # longer than any call may take
GRACE_S = 3.0  # how long a call under way may go on after the end was asked for

WINDOW_S, SHORTEST_WAIT_S = 900.0, 60.0  # X's windows are of 15 minutes
WAITS = {Until.WINDOW: timedelta(seconds=WINDOW_S), Until.CAP: DAY, Until.TOPUP: DAY, Until.KEYS: DAY}
LONGEST_WINDOW = DAY  # a channel that names a later moment is not believed

Shorten = Callable[[str, int], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a wish to post: the text as it was kept, and whether that is another than was wished for."""

    number: int
    text: str
    state: str
    changed: bool


class Outbox:
    """The posts of one being to one channel.

    `redact` masks known secrets; `shorten` asks a model to say a text in at most so many characters (None: it
    cannot), and without it a text that is too long is cut at a word.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        clock: Clock,
        being: str,
        *,
        tracker: CreditTracker,
        channel: Channel,
        redact: Callable[[str], str],
        shorten: Shorten | None = None,
        pace_s: float = PACE_S,
    ) -> None:
        self.channel = channel
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being
        self._tracker = tracker
        self._redact = redact
        self._shorten = shorten
        self._pace_ms = int(pace_s * 1000)
        self._queued = asyncio.Event()

    async def post(
        self,
        text: str,
        *,
        occasion: str = THOUGHT,
        posts_a_day: int | None = None,
        model: str | None = None,
        thought_id: str | None = None,
    ) -> Posted:
        """Put a post into the outbox; it stands on the local timeline at once.

        Raises ActionError, which tells the being why, when the text is not fit to be published, repeats an earlier
        post of any life, or comes too soon.
        """
        fitting = await self._fit(self.channel.prepare(text))
        await self._check(fitting, text)

        def work(transaction: Transaction) -> Posted:
            self._check_new(transaction, fitting)
            self._check_pace(transaction, occasion, posts_a_day)
            return self._add(transaction, fitting, occasion, model, thought_id, changed=fitting != text.strip())

        posted = await self._store.write(work)
        self._queued.set()
        return posted

    async def keep(self) -> None:
        """Send whatever is due, for ever. A call under way at the end gets a moment to finish."""
        while True:
            self._queued.clear()
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
        while (step := await self._store.read(self._next)) is not None:
            todo, post = step
            await todo(post)

    async def recover(self) -> int:
        """At a start: what somebody was sending is of unknown fate, and dead keys may have been replaced.

        Returns how many posts that were.
        """
        if self.channel.begins != QUEUED:
            return 0

        def work(transaction: Transaction) -> int:
            left = rows.orphans(transaction, self._being)
            for post in left:
                self._doubt(transaction, post, "It ended while the post was being sent.")
            halt = rows.read_halt(transaction, self._being, self.channel.name)
            if halt is not None and halt.until == Until.KEYS:
                self._open(transaction)
            return len(left)

        return await self._store.write(work)

    # ── before it is queued ──────────────────────────────────────────────────────────────────────────────────────────

    async def _fit(self, text: str) -> str:
        channel = self.channel
        if channel.measure(text) <= channel.longest:
            return text
        shorter = await self._shorten(text, channel.longest) if self._shorten is not None else None
        return fit(channel.prepare(shorter or text), channel.longest, channel.measure)

    async def _check(self, text: str, wished: str) -> None:
        channel = self.channel
        refusal = inspect(text, measure=channel.measure, longest=channel.longest, redact=self._redact)
        if refusal is None:
            return
        told = {"what": "post", "rule": refusal.rule, "reason": refusal.sentence, "text": wished}
        await self._journal.write("refusal", told, visibility=KEEPER)
        raise ActionError(f"This cannot be posted. {refusal.sentence}")

    def _check_new(self, transaction: Transaction, text: str) -> None:
        earlier = last_events(transaction, self._being, kind="post", limit=REMEMBERED_POSTS)
        if too_like(text, (str(event.data.get("text", "")) for event in earlier)) is not None:
            raise ActionError("You posted that already, or nearly that. Say something new, or nothing.")

    def _check_pace(self, transaction: Transaction, occasion: str, posts_a_day: int | None) -> None:
        now_ms = self._now_ms()
        since_ms = now_ms - _ms(DAY)
        if occasion in ONCE:
            if rows.said_in_this_life(transaction, self._being, occasion, since_ms):
                raise ActionError("That was said already.")
            return
        count, last_ms = rows.count_posts(transaction, self._being, (occasion,), since_ms)
        if posts_a_day is not None and count >= posts_a_day:
            how_many = f"{posts_a_day} times a day" if posts_a_day else "no more"
            raise ActionError(f"You may post {how_many} at this balance{', and you have' if posts_a_day else ''}.")
        wait_ms = last_ms + self._pace_ms - now_ms
        if wait_ms > 0:
            raise ActionError(f"You posted lately. The next post may come in {-(-wait_ms // 60_000)} minutes.")

    def _add(
        self,
        transaction: Transaction,
        text: str,
        occasion: str,
        model: str | None,
        thought_id: str | None,
        *,
        changed: bool,
    ) -> Posted:
        state, now_ms = self.channel.begins, self._now_ms()
        told = {"channel": self.channel.name, "state": state, "text": text, "occasion": occasion}
        told |= {name: value for name, value in (("model", model), ("thought_id", thought_id)) if value}
        event = self._journal.append(transaction, "post", told)
        rows.add_post(
            transaction,
            self._being,
            post_id=event.id,
            channel=self.channel.name,
            state=state,
            occasion=occasion,
            text=text,
            queued_at_ms=now_ms,
            due_at_ms=now_ms,
            ended_at_ms=now_ms if state in (SENT, DRY_RUN) else None,
        )
        return Posted(event.id, text, state, changed)

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _wait(self) -> None:
        """Until something is queued here, or long enough to look for what other processes did."""
        waiting = [asyncio.create_task(self._queued.wait()), asyncio.create_task(self._clock.sleep(LOOK_EVERY_S))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _next(self, transaction: Transaction) -> tuple[Callable[[Post], Awaitable[None]], Post] | None:
        """What is to be done now, and with which row."""
        if self.channel.begins != QUEUED:
            return None
        name, now_ms = self.channel.name, self._now_ms()
        stale = rows.stale_post(transaction, self._being, now_ms - _ms(STALE_AFTER))
        if stale is not None:
            return self._give_up, stale
        halt = rows.read_halt(transaction, self._being, name)
        if halt is not None and halt.lasts(now_ms) and not self._paid_in(transaction, halt):
            return None
        doubtful = rows.oldest_due(transaction, self._being, name, UNKNOWN, now_ms)
        if doubtful is not None:
            return self._look, doubtful
        post = rows.oldest_due(transaction, self._being, name, QUEUED, now_ms)
        if post is None:
            return None
        rested = now_ms - rows.last_sent_ms(transaction, self._being, name) >= self._pace_ms
        return (self._send, post) if rested or post.occasion in ONCE else None

    def _paid_in(self, transaction: Transaction, halt: Halt) -> bool:
        """Whether somebody topped the being up since credits ran out there: they may have done so there as well."""
        newest = newest_of(transaction, self._being, "topup") if halt.until == Until.TOPUP else None
        return newest is not None and newest.at_ms > halt.since_ms

    async def _give_up(self, post: Post) -> None:
        why = post.said or "It could not be sent"
        said = f"{why.rstrip('.')}. It waited for a day and stands on the local timeline only."
        await self._store.write(lambda t: self._end(t, post, REFUSED, said=said))

    async def _send(self, post: Post) -> None:
        channel = self.channel

        def begin(transaction: Transaction, hold: Hold) -> None:
            rows.change_post(transaction, post.id, state=SENDING, hold_id=hold.id)

        try:
            hold = await self._tracker.hold(
                channel.price_nanos(post.text),
                provider=channel.name,
                model=channel.product(post.text),
                purpose="post",
                timeout_s=HOLD_S,
                use_reserve=post.occasion in LAST,
                also=begin,
            )
        except FundsError as exc:
            await self._postpone(post, MONEY_AGAIN_S, f"It waits for money: {exc.message}")
            return
        try:
            sent = await channel.send(post.text)
        except ChannelFailed as failed:
            await self._not_sent(post, hold, failed)
        except BaseException as exc:  # cut short, or a fault of ours: it may have been posted all the same
            await self._forget(post, hold, f"It was cut short ({type(exc).__name__}).")
            if not isinstance(exc, Exception):
                raise
        else:
            await self._tracker.settle(hold, self._price(post, sent.id), also=self._sent(post, sent))

    async def _not_sent(self, post: Post, hold: Hold, failed: ChannelFailed) -> None:
        if failed.fate is Fate.UNKNOWN:
            await self._forget(post, hold, failed.message)
        elif failed.fate is Fate.DUPLICATE:
            await self._was_there(post, hold, failed)
        elif failed.fate is Fate.REFUSED:
            ended = self._ended(post, REFUSED, said=failed.message)
            await self._tracker.release(hold, "the channel refused it", also=ended)
        else:
            await self._tracker.release(hold, "nothing was posted", also=self._back(post, failed))

    async def _was_there(self, post: Post, hold: Hold, failed: ChannelFailed) -> None:
        """A duplicate counts as sent. If an earlier attempt of ours may have got through, it is what we pay for."""
        ended = self._ended(post, SENT, said=failed.message)
        if post.attempts:
            await self._tracker.settle(hold, self._price(post, None), also=ended)
        else:
            await self._tracker.release(hold, "it was there already", also=ended)
        with suppress(ChannelFailed, FundsError):
            found = await self._find(post)
            if found is not None:
                await self._store.write(lambda t: rows.change_post(t, post.id, external_id=found))

    async def _forget(self, post: Post, hold: Hold, why: str) -> None:
        """Nobody knows whether it was posted: the hold counts as spent, and the row is looked up before anything."""
        await self._tracker.forget(hold, why, also=lambda t, _: self._doubt(t, post, why))

    async def _look(self, post: Post) -> None:
        try:
            found = await self._find(post)
        except FundsError as exc:
            await self._postpone(post, LOOK_AGAIN_S, f"Nobody knows whether it was posted, and to look costs: {exc}")
            return
        except ChannelFailed as failed:
            await self._store.write(lambda t: self._look_later(t, post, failed))
            return
        lost = await self._lost_hold(post)
        if found is not None:
            await self._settle_lost(post, lost, found)
        elif post.looks + 1 < MOST_LOOKS:
            again = {"looks": post.looks + 1, "due_at_ms": self._now_ms() + int(SECOND_LOOK_S * 1000)}
            await self._store.write(lambda t: rows.change_post(t, post.id, **again))
        else:
            await self._release_lost(post, lost)

    async def _find(self, post: Post) -> str | None:
        """The channel's name of the post if it stands on the channel's own timeline; every page is held and charged.

        Raises FundsError when there is no money to look, ChannelFailed when the look-up itself fails.
        """
        channel, page = self.channel, None
        since = await self._store.read(lambda t: rows.newest_external_id(t, self._being, channel.name, post.id))
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
                await self._tracker.forget(hold, f"the look-up was cut short ({type(exc).__name__})")
                raise
            await self._tracker.settle(hold, Charge(channel.read_price_nanos(seen.read), "computed"))
            if seen.found_id is not None or seen.next is None:
                return seen.found_id
            page = seen.next
        raise ChannelFailed("Too much was posted since for it to be found.", Fate.UNSENT)

    async def _settle_lost(self, post: Post, lost: Hold | None, found: str) -> None:
        sent = self._sent(post, Sent(found))
        if lost is not None:
            await self._tracker.settle(lost, self._price(post, found), also=sent)
        else:
            await self._store.write(lambda t: self._mark_sent(t, post, Sent(found)))

    async def _release_lost(self, post: Post, lost: Hold | None) -> None:
        """It is not there: it may be tried again, if it was not tried too often."""

        def again(transaction: Transaction) -> None:
            if post.attempts >= MOST_ATTEMPTS:
                said = f"It was sent {post.attempts} times and never arrived. It stands on the local timeline only."
                self._end(transaction, post, REFUSED, said=said)
            else:
                rows.change_post(transaction, post.id, state=QUEUED, due_at_ms=self._now_ms(), said="It never arrived.")
                self._tell(transaction, post, QUEUED, "It never arrived and is sent again.")

        if lost is not None:
            await self._tracker.release(lost, "it was never posted", also=lambda t, _: again(t))
        else:
            await self._store.write(again)

    async def _lost_hold(self, post: Post) -> Hold | None:
        return next((lost.hold for lost in await self._tracker.lost() if lost.hold.id == post.hold_id), None)

    async def _postpone(self, post: Post, seconds: float, why: str) -> None:
        due_at_ms = self._now_ms() + int(seconds * 1000)
        await self._store.write(lambda t: rows.change_post(t, post.id, due_at_ms=due_at_ms, said=why))

    # ── what changes in one transaction ──────────────────────────────────────────────────────────────────────────────

    def _doubt(self, transaction: Transaction, post: Post, why: str) -> None:
        due_at_ms = self._now_ms() + int(FIRST_LOOK_S * 1000)
        tried = {"attempts": post.attempts + 1, "looks": 0}
        rows.change_post(transaction, post.id, state=UNKNOWN, due_at_ms=due_at_ms, said=why, **tried)
        self._tell(transaction, post, UNKNOWN, why)

    def _back(self, post: Post, failed: ChannelFailed) -> Also:
        """Nothing was posted: the row waits again, and so may the whole channel."""

        def work(transaction: Transaction, _: Hold) -> None:
            due_at_ms = self._now_ms() + int(REACH_AGAIN_S * 1000) if failed.until is Until.NOTHING else post.due_at_ms
            rows.change_post(transaction, post.id, state=QUEUED, due_at_ms=due_at_ms, said=failed.message)
            self._halt(transaction, failed)

        return work

    def _look_later(self, transaction: Transaction, post: Post, failed: ChannelFailed) -> None:
        due_at_ms = self._now_ms() + int(LOOK_AGAIN_S * 1000)
        said = f"Nobody knows yet whether it was posted: {failed.message}"
        rows.change_post(transaction, post.id, due_at_ms=due_at_ms, said=said)
        self._halt(transaction, failed)

    def _sent(self, post: Post, sent: Sent) -> Also:
        return lambda transaction, _: self._mark_sent(transaction, post, sent)

    def _mark_sent(self, transaction: Transaction, post: Post, sent: Sent) -> None:
        self._end(transaction, post, SENT, external_id=sent.id)
        self._open(transaction)
        if sent.rest_until is not None:
            used_up = f"{self.channel.name} has given all its calls of the window."
            self._halt(transaction, ChannelFailed(used_up, Fate.UNSENT, Until.WINDOW, until_at=sent.rest_until))

    def _ended(self, post: Post, state: str, **values: Any) -> Also:
        return lambda transaction, _: self._end(transaction, post, state, **values)

    def _end(
        self, transaction: Transaction, post: Post, state: str, *, external_id: str | None = None, said: str | None = None
    ) -> None:
        ended = {"state": state, "external_id": external_id, "ended_at_ms": self._now_ms(), "said": said}
        rows.change_post(transaction, post.id, **ended)
        self._tell(transaction, post, state, said, external_id)

    def _tell(
        self, transaction: Transaction, post: Post, state: str, said: str | None, external_id: str | None = None
    ) -> None:
        told: dict[str, Any] = {"post": post.post_id, "channel": post.channel, "state": state}
        told |= {name: value for name, value in (("reason", said), ("external_id", external_id)) if value}
        self._journal.append(transaction, "delivery", told)

    def _halt(self, transaction: Transaction, failed: ChannelFailed) -> None:
        """Send nothing more for now, if the failure speaks of more than this one call."""
        if failed.until is Until.NOTHING:
            return
        now_ms = self._now_ms()
        until_ms = None if failed.until is Until.KEEPER else now_ms + _ms(WAITS[failed.until])
        if failed.until_at is not None:
            until_ms = max(to_ms(failed.until_at), now_ms + int(SHORTEST_WAIT_S * 1000))
            if failed.until is Until.WINDOW:
                until_ms = min(until_ms, now_ms + _ms(LONGEST_WINDOW))
        halt = Halt(failed.until, now_ms, until_ms, failed.message, failed.hint)
        rows.keep_halt(transaction, self._being, self.channel.name, halt)
        told = {"channel": self.channel.name, "state": "halted", "until": iso(until_ms), "reason": failed.message}
        self._journal.append(transaction, "channel", told | ({"hint": failed.hint} if failed.hint else {}))

    def _open(self, transaction: Transaction) -> None:
        if rows.lift_halt(transaction, self._being, self.channel.name):
            self._journal.append(transaction, "channel", {"channel": self.channel.name, "state": "open"})

    def _price(self, post: Post, external_id: str | None) -> Charge:
        return Charge(self.channel.price_nanos(post.text), "computed", generation_id=external_id)

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())


def resume(transaction: Transaction, journal: Journal, being: str, channel: str) -> bool:
    """The keeper lets a channel be used again; False when nothing halted it."""
    if not rows.lift_halt(transaction, being, channel):
        return False
    journal.append(transaction, "channel", {"channel": channel, "state": "open", "reason": "the keeper said so"})
    return True


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
