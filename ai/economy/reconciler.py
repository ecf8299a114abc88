"""Finding out what a lost call cost: an unknown hold counts as spent until somebody learns better."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Protocol

from ai.clock import Clock, to_ms
from ai.economy.account import Charge, Lost
from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import round_up
from ai.errors import ModelFailure

LOOK_EVERY_S = 30.0
GIVEN_UP_AFTER_S = 24 * 3600.0  # without an id or an answer the hold is charged in full


class Biller(Protocol):
    """A provider that can be asked what one call cost."""

    async def cost_of(self, generation_id: str) -> Decimal | None:
        """US dollars, or None while the provider does not know yet. Raises ModelFailure."""


class Reconciler:
    """Asks the billers of one account, by provider name. `on_failure` hears of a question that failed."""

    def __init__(
        self,
        tracker: CreditTracker,
        billers: Mapping[str, Biller],
        clock: Clock,
        on_failure: Callable[[Exception], Awaitable[None]],
    ) -> None:
        self._tracker = tracker
        self._billers = billers
        self._clock = clock
        self._on_failure = on_failure

    async def keep(self) -> None:
        """Look again and again, for ever."""
        while True:
            await self.reconcile()
            await self._clock.sleep(LOOK_EVERY_S)

    async def reconcile(self) -> int:
        """Ask once for every lost hold; return how many were closed."""
        await self._tracker.recover()
        closed = 0
        for lost in await self._tracker.lost():
            charge = await self._learn(lost)
            if charge is not None:
                await self._tracker.settle(lost.hold, charge)
                closed += 1
        return closed

    async def _learn(self, lost: Lost) -> Charge | None:
        biller = self._billers.get(lost.hold.provider)
        if biller is not None and lost.generation_id is not None:
            try:
                cost_usd = await biller.cost_of(lost.generation_id)
            except ModelFailure as exc:
                await self._on_failure(exc)
                cost_usd = None
            if cost_usd is not None:
                return Charge(max(0, round_up(cost_usd)), "reported", generation_id=lost.generation_id)
        age_s = (to_ms(self._clock.now()) - lost.opened_at_ms) / 1000
        if age_s >= GIVEN_UP_AFTER_S:
            return Charge(lost.hold.amount_nanos, "worst_case", generation_id=lost.generation_id)
        return None
