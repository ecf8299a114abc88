"""Somebody at the door: a top-up, a message or a death from another process, or the month that turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ai.clock import Clock
from ai.economy.credit_tracker import CreditTracker
from ai.store.engine import Store
from ai.store.journal import newest_number

LOOK_EVERY_S = 1.0
MONEY, OTHERS = ("topup",), ("message", "death")


class Doorbell:
    """Looks every second, and rings when a thought should not wait for the timer. `on_money` hears of money first."""

    def __init__(
        self, store: Store, tracker: CreditTracker, clock: Clock, being: str, on_money: Callable[[], Awaitable[None]]
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._clock = clock
        self._being = being
        self._on_money = on_money

    async def keep(self, ring: Callable[[], None]) -> None:
        """Look for ever. Turning the month is done here too, so that it happens on time and not at some thought."""
        money, others = await self._look()
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            money_before, others_before = money, others
            money, others = await self._look()
            if money != money_before:
                await self._on_money()  # not only at the next thought: a slow one may be under way
            if (money, others) != (money_before, others_before):
                ring()

    async def _look(self) -> tuple[tuple[str, int], int]:
        """The month and the newest top-up; the newest row of others that wakes it."""
        month = (await self._tracker.open_month()).month
        topup, other = await self._store.read(
            lambda t: (newest_number(t, self._being, MONEY), newest_number(t, self._being, OTHERS))
        )
        return (month, topup), other
