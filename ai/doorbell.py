"""Somebody at the door: money, a message or a word about its life from another process, or the month that turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ai.clock import Clock
from ai.economy.credit_tracker import CreditTracker
from ai.store.engine import Store, Transaction
from ai.store.journal import newest_number
from ai.store.lives import read_life

LOOK_EVERY_S = 1.0
WAKING = ("topup", "message", "death")


class Doorbell:
    """Looks every second, and rings when a thought should not wait for the timer."""

    def __init__(
        self,
        store: Store,
        tracker: CreditTracker,
        clock: Clock,
        being: str,
        wake_if_funded: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._clock = clock
        self._being = being
        self._wake_if_funded = wake_if_funded

    async def keep(self, ring: Callable[[], None]) -> None:
        """Look for ever. Turning the month is done here too, so that it happens on time and not at some thought."""
        seen = await self._look()
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            now = await self._look()
            if now != seen:
                seen = now
                await self._wake_if_funded()  # not only at the next thought: a slow one may be under way
                ring()

    async def _look(self) -> tuple[str, int, int | None, bool]:
        """The month, the newest row that wakes it, when its next birth is due, and whether it is paused: whatever
        changes of them rings."""
        month = (await self._tracker.open_month()).month
        return month, *await self._store.read(self._at_the_door)

    def _at_the_door(self, transaction: Transaction) -> tuple[int, int | None, bool]:
        life = read_life(transaction, self._being)
        newest = newest_number(transaction, self._being, WAKING)
        return newest, life.birth_due_ms if life else None, life is not None and life.state == "paused"
