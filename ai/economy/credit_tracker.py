"""The purse: holds before every paid call, entries after it, and the balance that follows from them.

Each public coroutine is one durable transaction. Amounts are nano-US-dollars.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ai.clock import Clock, month_of, to_ms
from ai.economy import books
from ai.economy.account import Balance, Charge, Hold, Lost, Reckoning
from ai.economy.money import exact, short
from ai.errors import FundsError, MoneyError
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal

Also = Callable[[Transaction, Hold], None]
"""What else stands or falls with a change of a hold: the outbox and the books agree because they commit together."""


def nothing_else(_: Transaction, __: Hold) -> None:
    """Most holds stand for themselves."""


RESERVE_PERCENT = 2  # of the grant, at most one premium worst case: what the last words are paid from


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the keeper grants each month, and how much of it is at most set aside as the reserve."""

    budget_nanos: int
    reserve_cap_nanos: int

    @property
    def reserve_nanos(self) -> int:
        return min(self.budget_nanos * RESERVE_PERCENT // 100, self.reserve_cap_nanos)


class CreditTracker:
    """The account of one being. Any number of processes may hold on it at once; together they never exceed it."""

    def __init__(self, store: Store, journal: Journal, clock: Clock, being: str, allowance: Allowance) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being
        self._allowance = allowance

    async def open_month(self) -> Balance:
        """Turn the month if it is over, grant the allowance once, apply a changed budget; return the balance."""
        if not await self._store.read(self._is_open):
            await self._store.write(self._make_open)
        return await self.balance()

    async def balance(self) -> Balance:
        """What is left, as of now. Raises FundsError when no month was ever opened."""
        return await self._store.read(lambda t: books.balance(t, self._being))

    async def hold(
        self,
        amount_nanos: int,
        *,
        provider: str,
        model: str,
        purpose: str,
        timeout_s: float,
        use_reserve: bool = False,
        thought_id: str | None = None,
        also: Also = nothing_else,
    ) -> Hold:
        """Set `amount_nanos` aside for one attempt, or raise FundsError when the account cannot cover it.

        An attempt that cannot cost anything needs no hold, and its hold is no row. A hold still open `timeout_s`
        seconds from now counts as unknown: spent until somebody learns better.
        """
        if amount_nanos == 0:
            await self.open_month()

            def stand_in(transaction: Transaction) -> Hold:
                hold = books.free_hold(transaction, self._being, provider, model, thought_id)
                also(transaction, hold)
                return hold

            return await (self._store.read if also is nothing_else else self._store.write)(stand_in)

        def work(transaction: Transaction) -> Hold:
            self._make_open(transaction)
            now = self._clock.now()
            margin = books.margin_permille(transaction, self._being, model)
            needed_nanos = -(-amount_nanos * margin // 1000)
            hold = books.open_hold(
                transaction,
                self._being,
                needed_nanos,
                use_reserve=use_reserve,
                opened_at_ms=to_ms(now),
                deadline_ms=to_ms(now + timedelta(seconds=timeout_s)),
                purpose=purpose,
                thought_id=thought_id,
                provider=provider,
                model=model,
            )
            if hold is None:
                left = books.balance(transaction, self._being)
                spare_nanos = left.available_nanos + (left.reserve_left_nanos if use_reserve else 0)
                raise FundsError(
                    f"{model} may cost {short(needed_nanos, 6)}, and {short(spare_nanos, 6)} is available.",
                    coverable_nanos=max(0, spare_nanos * 1000 // margin),
                )
            opened.append(hold)
            also(transaction, hold)
            return hold

        opened: list[Hold] = []
        try:
            return await self._store.write(work)
        except asyncio.CancelledError:
            for hold in opened:  # nobody will ever use it: nothing was asked yet
                await self.release(hold, "the thought was cut short before it was asked")
            raise

    async def settle(self, hold: Hold, charge: Charge, also: Also = nothing_else) -> Balance:
        """Book what an attempt cost, in full even above its hold, and end the hold; return what is left."""

        def work(transaction: Transaction) -> Balance:
            overrun_nanos = books.settle(transaction, hold, charge, to_ms(self._clock.now()))
            if charge.cost_nanos:
                self._journal.append(transaction, "charge", self._receipt(hold, charge, overrun_nanos))
            also(transaction, hold)
            return books.balance(transaction, self._being)

        return await self._store.write(work)

    async def release(self, hold: Hold, reason: str, also: Also = nothing_else) -> None:
        """End a hold whose attempt cost nothing."""

        def work(transaction: Transaction) -> None:
            books.release(transaction, hold, reason, to_ms(self._clock.now()))
            also(transaction, hold)

        await self._store.write(work)

    async def name(self, hold: Hold, generation_id: str) -> None:
        """The provider has named the call: from now on its cost can be found out, even if we are killed.

        It does not wait for the disk: a name lost with the power leaves a hold that counts as spent, as without one.
        """
        if hold.id is not None:
            await self._store.jot(lambda t: books.name_hold(t, hold, generation_id))

    async def forget(
        self, hold: Hold, reason: str, generation_id: str | None = None, also: Also = nothing_else
    ) -> None:
        """Nobody knows what the attempt cost: its hold counts as spent until reconciled."""

        def work(transaction: Transaction) -> None:
            books.mark_unknown(transaction, hold, reason, generation_id)
            also(transaction, hold)

        await self._store.write(work)

    async def recover(self) -> int:
        """Mark what a crash left open as unknown; return how many holds that were."""
        return await self._store.write(lambda t: books.mark_overdue(t, self._being, to_ms(self._clock.now())))

    async def topup(self, amount_nanos: int, *, note: str = "", external_id: str) -> bool:
        """Credit the account once per `external_id`; False when it was credited before.

        Raises MoneyError for an amount that is not positive.
        """
        if amount_nanos <= 0:
            raise MoneyError("A top-up must be more than nothing.", hint="`alive adjust` books a correction.")

        def work(transaction: Transaction) -> bool:
            self._make_open(transaction)
            at_ms = to_ms(self._clock.now())
            credited = books.credit(
                transaction, self._being, "topup", amount_nanos, f"topup:{external_id}", note, at_ms
            )
            if credited:
                data = {"amount": exact(amount_nanos), "note": note, "id": external_id}
                self._journal.append(transaction, "topup", data)
            return credited

        return await self._store.write(work)

    async def adjust(self, amount_nanos: int, *, note: str) -> None:
        """Book a correction either way. Raises MoneyError when it would take more than is available."""

        def work(transaction: Transaction) -> None:
            self._make_open(transaction)
            left = books.balance(transaction, self._being).available_nanos
            if amount_nanos < 0 and left + amount_nanos < 0:
                raise MoneyError(f"Only {short(left, 4)} is available.", hint="A correction cannot take more.")
            at_ms, correction = to_ms(self._clock.now()), f"adjust:{uuid.uuid4().hex}"
            books.credit(transaction, self._being, "adjust", amount_nanos, correction, note, at_ms)
            told = {"text": f"The keeper corrected the books: {note}", "adjusted": exact(amount_nanos)}
            self._journal.append(transaction, "note", told)

        await self._store.write(work)

    async def newest_calls_ms(self, limit: int, *, model_suffix: str) -> list[int]:
        """When models whose id ends so were last called and answered (milliseconds since the epoch), oldest first."""
        return await self._store.read(lambda t: books.newest_calls_ms(t, self._being, model_suffix, limit))

    async def lost(self) -> list[Lost]:
        """Every hold whose cost is unknown, oldest first."""
        return await self._store.read(lambda t: books.lost_holds(t, self._being))

    async def reckon(self, provider: str, said: Reckoning) -> int:
        """Keep what `provider` says of this month; return the drift: what it counts beyond our settled charges."""
        month, at_ms = month_of(self._clock.now()), to_ms(self._clock.now())

        def work(transaction: Transaction) -> int:
            books.keep_reckoning(transaction, self._being, provider, said, month, at_ms)
            return said.usage_nanos - books.spent_at(transaction, self._being, provider, month)

        return await self._store.write(work)

    def _is_open(self, transaction: Transaction) -> bool:
        return books.is_open(transaction, self._being, month_of(self._clock.now()), self._allowance.budget_nanos)

    def _make_open(self, transaction: Transaction) -> None:
        """The month is turned, and a changed budget applied, by whoever first needs the account."""
        if self._is_open(transaction):
            return
        month, at_ms, allowance = month_of(self._clock.now()), to_ms(self._clock.now()), self._allowance
        budget, reserve = allowance.budget_nanos, allowance.reserve_nanos
        turned = books.turn_month(transaction, self._being, month, budget, reserve, at_ms)
        if turned is not None:
            told = {key: exact(nanos) for key, nanos in turned.items()}
            self._journal.append(transaction, "rollover", told | {"month": month})
        changed_nanos = books.apply_budget(transaction, self._being, budget, reserve, at_ms)
        if changed_nanos:
            text = f"The monthly budget is now {short(budget)}."
            self._journal.append(transaction, "note", {"text": text, "adjusted": exact(changed_nanos)})

    @staticmethod
    def _receipt(hold: Hold, charge: Charge, overrun_nanos: int) -> dict[str, Any]:
        receipt = {
            "amount": exact(charge.cost_nanos),
            "model": hold.model,
            "provider": hold.provider,
            "basis": charge.price_basis,
            "held": exact(hold.amount_nanos),
        }
        return receipt | ({"overrun": exact(overrun_nanos)} if overrun_nanos else {})
