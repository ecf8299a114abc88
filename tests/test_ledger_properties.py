"""Whatever happens in whatever order, the books add up and nobody spends what is not there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select

import vault
from ai.clock import VirtualClock
from ai.economy.account import Charge, Hold
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.statement import audit
from ai.errors import FundsError
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal
from ai.store.schema import entries
from tests.parts import NOON, RESERVE, fresh_store

T = TypeVar("T")
DOLLAR = 1_000_000_000
AMOUNTS = st.one_of(st.integers(0, 20), st.integers(0, 3 * DOLLAR))
BUDGETS = st.sampled_from([5 * DOLLAR, DOLLAR, DOLLAR // 2, 1, 0])


class Purse(RuleBasedStateMachine):
    """One account under random orders of everything that can happen to it."""

    store: ClassVar[Store]
    runner: ClassVar[asyncio.Runner]
    numbers: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.being = f"being-{next(self.numbers)}"
        self.clock = VirtualClock(NOON)
        self.journal = Journal(self.store, self.clock, self.being, vault.Redactor({}).json)
        self.open: list[Hold] = []
        self.unknown: list[Hold] = []
        self.overrun_nanos = 0
        self.topups = 0

    @initialize(budget=BUDGETS, honest=st.booleans())
    def begin(self, budget: int, honest: bool) -> None:
        self.providers_keep_to_their_prices = honest
        self.live_on(budget)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(budget=BUDGETS)
    def live_on(self, budget: int) -> None:
        """A start, maybe with another MONTHLY_BUDGET."""
        self.tracker = CreditTracker(self.store, self.journal, self.clock, self.being, Allowance(budget, RESERVE))
        self.run(self.tracker.open_month())

    @rule(amount=AMOUNTS, use_reserve=st.booleans())
    def hold(self, amount: int, use_reserve: bool) -> None:
        before = self.run(self.tracker.balance())
        spendable = before.available_nanos + (before.reserve_nanos if use_reserve else 0)
        try:
            held = self.run(
                self.tracker.hold(
                    amount, provider="p", model="m", purpose="daily", timeout_s=60, use_reserve=use_reserve
                )
            )
        except FundsError:
            return
        assert held.amount_nanos >= amount
        assert held.allowance_nanos >= 0
        assert held.topup_nanos >= 0
        assert amount <= max(0, spendable)
        self.open.append(held)

    @rule(use_reserve=st.booleans())
    def hold_all_there_is(self, use_reserve: bool) -> None:
        now = self.run(self.tracker.balance())
        self.hold(max(0, now.available_nanos + (now.reserve_nanos if use_reserve else 0)), use_reserve)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def settle_in_full(self, data: st.DataObject) -> None:
        held = self._one_of(self.open, data)
        self._settle(held, held.amount_nanos)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), part=st.integers(0, 4))
    def settle_in_part(self, data: st.DataObject, part: int) -> None:
        held = self._one_of(self.open, data)
        self._settle(held, held.amount_nanos * part // 4)

    @precondition(lambda self: self.open and not self.providers_keep_to_their_prices)
    @rule(data=st.data(), above=st.integers(1, DOLLAR // 10))
    def settle_above_the_hold(self, data: st.DataObject, above: int) -> None:
        held = self._one_of(self.open, data)
        self._settle(held, held.amount_nanos + above)
        self.overrun_nanos += above

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.run(self.tracker.release(self._one_of(self.open, data), "nothing was charged"))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        held = self._one_of(self.open, data)
        self.run(self.tracker.forget(held, "time-out"))
        self.unknown.append(held)

    @precondition(lambda self: self.unknown)
    @rule(data=st.data())
    def reconcile(self, data: st.DataObject) -> None:
        held = self._one_of(self.unknown, data)
        self._settle(held, data.draw(st.integers(0, held.amount_nanos)))

    @rule(amount=st.integers(1, 2 * DOLLAR), again=st.booleans())
    def topup(self, amount: int, again: bool) -> None:
        self.topups += not again
        self.run(self.tracker.topup(amount, external_id=f"t{self.topups}"))

    @rule(days=st.integers(1, 70))
    def pass_time(self, days: int) -> None:
        self.clock.advance(days * 86_400)
        self.run(self.tracker.open_month())

    @invariant()
    def the_books_add_up_and_nothing_is_overspent(self) -> None:
        def look(transaction: Transaction) -> tuple[int, int]:
            amount = entries.c.allowance_nanos + entries.c.topup_nanos
            ours = select(func.coalesce(func.sum(amount), 0)).where(entries.c.being == self.being)
            summed = transaction.execute(ours).scalar_one()
            return audit(transaction, self.being), summed

        imbalance, summed = self.run(self.store.read(look))
        balance = self.run(self.tracker.balance())
        assert imbalance == 0
        assert balance.total_nanos == summed
        assert balance.held_nanos == sum(held.amount_nanos for held in self.open)
        assert balance.unknown_nanos == sum(held.amount_nanos for held in self.unknown)
        # Nobody spends what is not there: below zero goes only what a provider charged above its hold, and was flagged.
        assert balance.available_nanos >= -self.overrun_nanos
        assert balance.total_nanos - balance.held_nanos - balance.unknown_nanos >= -self.overrun_nanos

    def _one_of(self, holds: list[Hold], data: st.DataObject) -> Hold:
        return holds.pop(data.draw(st.integers(0, len(holds) - 1)))

    def _settle(self, held: Hold, cost: int) -> None:
        self.run(self.tracker.settle(held, Charge(cost, "reported")))


@pytest.fixture(scope="module", autouse=True)
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One store for all examples, each with a being of its own: that also tries that beings share nothing."""
    Purse.store = Store.open(fresh_store(tmp_path_factory.mktemp("purses")))
    with asyncio.Runner() as Purse.runner:
        yield
    Purse.store.close()


TestPurse = Purse.TestCase
TestPurse.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    phases=[Phase.generate],  # the sequence that fails is short as it is, and to shrink it takes minutes
    report_multiple_bugs=False,
    derandomize=True,  # a run in CI says the same as a run here
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
