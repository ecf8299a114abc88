"""Finding out what a lost call cost: an unknown hold counts as spent until somebody learns better."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from decimal import Decimal
from typing import Protocol

from ai.clock import Clock, to_ms
from ai.economy.account import Charge, Lost, Reckoning
from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import round_up
from ai.errors import ModelFailure

LOOK_EVERY_S = 30.0
LOOKS_AN_HOUR = 120
RIPE_AFTER_S = 600.0  # until then a provider may not have counted a call
GIVEN_UP_AFTER_S = 24 * 3600.0  # without an id or an answer the hold is charged in full


class Biller(Protocol):
    """A provider that can be asked what one call cost."""

    async def cost_of(self, generation_id: str) -> Decimal | None:
        """US dollars, or None while the provider does not know yet. Raises ModelFailure."""

    async def reckoning(self) -> Reckoning:
        """What the key used this month and what is left. Raises ModelFailure."""


class Reconciler:
    """Asks the billers of one account, by provider name. `on_failure` hears of a question that failed.

    `exclusive` says that the keeper declares the key to be used by nobody else: only then may the provider's month
    close a hold that has no answer of its own. Lost calls of the models in `leave` are found out by somebody else.
    """

    def __init__(
        self,
        tracker: CreditTracker,
        billers: Mapping[str, Biller],
        clock: Clock,
        on_failure: Callable[[Exception], Awaitable[None]],
        *,
        exclusive: bool = False,
        leave: Collection[str] = (),
    ) -> None:
        self._tracker = tracker
        self._billers = billers
        self._clock = clock
        self._on_failure = on_failure
        self._exclusive = exclusive
        self._leave = leave

    async def keep(self) -> None:
        """Look again and again, for ever; compare the months every hour."""
        looks = 0
        while True:
            await self.reconcile()
            if looks % LOOKS_AN_HOUR == 0:
                await self.compare()
            looks += 1
            await self._clock.sleep(LOOK_EVERY_S)

    async def compare(self) -> None:
        """Hold each provider's month against ours: the drift is shown, and closes holds only if exclusive."""
        for name, biller in self._billers.items():
            try:
                said = await biller.reckoning()
            except ModelFailure as exc:
                await self._on_failure(exc)
                continue
            drift_nanos = await self._tracker.reckon(name, said)
            if self._exclusive:
                await self._close(name, drift_nanos)

    async def _close(self, provider: str, drift_nanos: int) -> None:
        """Nobody else uses the key: what the provider counts beyond our charges is what the lost calls cost."""
        balance = await self._tracker.balance()
        lost = [one for one in await self._tracker.lost() if one.hold.provider == provider]
        now_ms = to_ms(self._clock.now())
        ripe = all(now_ms - one.opened_at_ms >= RIPE_AFTER_S * 1000 for one in lost)
        if balance.held_nanos or not ripe or any(one.hold.month != balance.month for one in lost):
            return  # a call under way, or one the provider may not have counted yet, would be taken for another's cost
        for one in lost:
            # Never more than its hold: what is left over is no lost call's cost, and stays shown as drift.
            cost_nanos = min(max(0, drift_nanos), one.hold.amount_nanos)
            drift_nanos -= cost_nanos
            await self._tracker.settle(one.hold, Charge(cost_nanos, "reported", generation_id=one.generation_id))

    async def reconcile(self) -> int:
        """Ask once for every lost hold; return how many were closed."""
        await self._tracker.recover()
        closed = 0
        for lost in await self._tracker.lost():
            charge = None if lost.hold.model in self._leave else await self._learn(lost)
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
