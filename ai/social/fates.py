"""What becomes of a post on its way, each step one change inside a caller's transaction, with its journal row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ai.clock import Clock, iso, to_ms
from ai.economy.account import Hold
from ai.economy.credit_tracker import Also
from ai.social.base import Sent
from ai.social.failures import ChannelFailed, Fate, Until
from ai.store import outbox as rows
from ai.store.engine import Transaction
from ai.store.journal import Journal
from ai.store.outbox import QUEUED, REFUSED, SENDING, SENT, UNKNOWN, Halt, Post

FIRST_LOOK_S, SECOND_LOOK_S = 60.0, 300.0  # a post may appear on its own timeline a little late
LOOK_AGAIN_S = 600.0  # a look-up that could not be made
REACH_AGAIN_S = 60.0
MOST_ATTEMPTS = 3

DAY = timedelta(days=1)
WINDOW = timedelta(minutes=15)  # X's, when it does not say when it opens
WAITS = {Until.WINDOW: WINDOW, Until.CAP: DAY, Until.TOPUP: DAY, Until.KEYS: DAY}
SHORTEST_WAIT_S = 60.0
LONGEST_WINDOW = DAY  # a channel that names a later moment is not believed


class Fates:
    """The steps of the posts of one being on one channel."""

    def __init__(self, journal: Journal, clock: Clock, being: str, channel: str) -> None:
        self._journal = journal
        self._clock = clock
        self._being = being
        self._channel = channel

    def begin(self, transaction: Transaction, post: Post, hold: Hold) -> None:
        """It is about to be sent, and paid for by `hold`."""
        rows.change_post(transaction, post.id, state=SENDING, hold_id=hold.id)

    def sent(self, transaction: Transaction, post: Post, sent: Sent) -> None:
        """The channel has it, and so is open; unless that was the last call it allows for now."""
        self.end(transaction, post, SENT, external_id=sent.id)
        self.open(transaction)
        if sent.rest_until is not None:
            used_up = "The channel has given all the calls it gives for now."
            self.halt(transaction, ChannelFailed(used_up, Fate.UNSENT, Until.WINDOW, until_at=sent.rest_until))

    def end(
        self,
        transaction: Transaction,
        post: Post,
        state: str,
        *,
        said: str | None = None,
        external_id: str | None = None,
    ) -> None:
        """It is sent or refused, for good."""
        ended = {"state": state, "external_id": external_id, "ended_at_ms": self._now_ms(), "said": said}
        rows.change_post(transaction, post.id, **ended)
        self._tell(transaction, post, state, said, external_id)

    def doubt(self, transaction: Transaction, post: Post, why: str) -> None:
        """Nobody knows whether it was posted: it is looked up before anything is tried again."""
        tried = {"attempts": post.attempts + 1, "looks": 0}
        rows.change_post(transaction, post.id, state=UNKNOWN, due_at_ms=self._in_ms(FIRST_LOOK_S), said=why, **tried)
        self._tell(transaction, post, UNKNOWN, why)

    def missed(self, transaction: Transaction, post: Post) -> None:
        """A look-up did not find it: it is looked up once more."""
        rows.change_post(transaction, post.id, looks=post.looks + 1, due_at_ms=self._in_ms(SECOND_LOOK_S))

    def never_arrived(self, transaction: Transaction, post: Post) -> None:
        """It is surely not there, and may be tried again if it was not tried too often."""
        if post.attempts >= MOST_ATTEMPTS:
            said = f"It was sent {post.attempts} times and never arrived. It stands on the local timeline only."
            self.end(transaction, post, REFUSED, said=said)
            return
        said = "It never arrived and is sent again."
        rows.change_post(transaction, post.id, state=QUEUED, due_at_ms=self._now_ms(), said=said)
        self._tell(transaction, post, QUEUED, said)

    def back(self, transaction: Transaction, post: Post, failed: ChannelFailed) -> None:
        """Nothing was posted: it waits again, and so may the whole channel."""
        due_at_ms = self._in_ms(REACH_AGAIN_S) if failed.until is Until.NOTHING else self._now_ms()
        rows.change_post(transaction, post.id, state=QUEUED, due_at_ms=due_at_ms, said=failed.message)
        self.halt(transaction, failed)

    def look_later(self, transaction: Transaction, post: Post, failed: ChannelFailed) -> None:
        """The look-up itself failed, which says nothing about the post."""
        said = f"Nobody knows yet whether it was posted. {failed.message}"
        rows.change_post(transaction, post.id, due_at_ms=self._in_ms(LOOK_AGAIN_S), said=said)
        self.halt(transaction, failed)

    def postpone(self, transaction: Transaction, post: Post, seconds: float, why: str) -> None:
        """Nothing was done with it; it is its turn again in `seconds`."""
        rows.change_post(transaction, post.id, due_at_ms=self._in_ms(seconds), said=why)

    def halt(self, transaction: Transaction, failed: ChannelFailed) -> None:
        """Send nothing more for now, if the failure speaks of more than its one call."""
        if failed.until is Until.NOTHING:
            return
        now_ms = self._now_ms()
        until_ms = None if failed.until is Until.KEEPER else now_ms + _ms(WAITS[failed.until])
        if failed.until_at is not None:
            until_ms = max(to_ms(failed.until_at), self._in_ms(SHORTEST_WAIT_S))
            if failed.until is Until.WINDOW:
                until_ms = min(until_ms, now_ms + _ms(LONGEST_WINDOW))
        halt = Halt(failed.until, now_ms, until_ms, failed.message, failed.hint)
        rows.keep_halt(transaction, self._being, self._channel, halt)
        told = {"channel": self._channel, "state": "halted", "until": iso(until_ms), "reason": failed.message}
        self._journal.append(transaction, "channel", told | ({"hint": failed.hint} if failed.hint else {}))

    def open(self, transaction: Transaction, reason: str = "") -> bool:
        """The channel may be used again; False when nothing halted it."""
        if not rows.lift_halt(transaction, self._being, self._channel):
            return False
        told = {"channel": self._channel, "state": "open"} | ({"reason": reason} if reason else {})
        self._journal.append(transaction, "channel", told)
        return True

    def _tell(
        self, transaction: Transaction, post: Post, state: str, said: str | None, external_id: str | None = None
    ) -> None:
        told: dict[str, Any] = {"post": post.post_id, "channel": post.channel, "state": state}
        told |= {name: value for name, value in (("reason", said), ("external_id", external_id)) if value}
        self._journal.append(transaction, "delivery", told)

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

    def _in_ms(self, seconds: float) -> int:
        return self._now_ms() + int(seconds * 1000)


def with_hold(step: Any, *given: Any, **named: Any) -> Also:
    """`step(transaction, *given, **named)` as what stands or falls with the end of a hold."""
    return lambda transaction, _: step(transaction, *given, **named)


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
