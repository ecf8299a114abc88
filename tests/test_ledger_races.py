"""Any number of processes and tasks on one account can never together exceed it by one nano-dollar."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

import vault
from ai.clock import VirtualClock
from ai.economy.account import Hold
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.money import parse_usd
from ai.errors import FundsError
from ai.store.engine import Store
from ai.store.journal import Journal
from tests.parts import BEING, GRANT, NOON, RESERVE, fresh_store, hold, imbalance

PROCESSES, HOLDS_EACH = 8, 20
HOLD = "0.037"
FITTING = (GRANT - RESERVE) // parse_usd(HOLD)  # 132 of the 160 that are asked for


def purse(store: Store) -> CreditTracker:
    clock = VirtualClock(NOON)
    return CreditTracker(
        store, Journal(store, clock, BEING, vault.Redactor({}).json), clock, BEING, Allowance(GRANT, RESERVE)
    )


async def as_many_as_fit(tracker: CreditTracker, wanted: int) -> list[Hold]:
    """The holds that were granted of `wanted`."""
    granted = []
    for _ in range(wanted):
        try:
            granted.append(await hold(tracker, HOLD))
        except FundsError:
            break
    return granted


def a_process(data_dir: Path) -> tuple[int, int]:
    """What one process could hold: how many times, and how much."""

    async def race() -> tuple[int, int]:
        store = Store.open(data_dir)
        try:
            granted = await as_many_as_fit(purse(store), HOLDS_EACH)
        finally:
            store.close()
        return len(granted), sum(held.amount_nanos for held in granted)

    return asyncio.run(race())


async def test_processes_that_race_for_the_last_cent_never_exceed_it(tmp_path: Path) -> None:
    data_dir = fresh_store(tmp_path / "shared")
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        granted = await asyncio.to_thread(pool.map, a_process, [data_dir] * PROCESSES, 1)
        pool.close()
        await asyncio.to_thread(pool.join)
    store = Store.open(data_dir)
    try:
        balance = await purse(store).balance()
        assert sum(count for count, _ in granted) == FITTING
        assert balance.held_nanos == sum(amount for _, amount in granted)
        assert balance.available_nanos == GRANT - RESERVE - balance.held_nanos
        assert 0 <= balance.available_nanos < parse_usd(HOLD)
        assert await imbalance(store) == 0
    finally:
        store.close()


async def test_tasks_that_hold_at_the_same_time_never_exceed_the_account(store: Store, tracker: CreditTracker) -> None:
    results = await asyncio.gather(*(hold(tracker, "0.30") for _ in range(20)), return_exceptions=True)
    granted = [result for result in results if isinstance(result, Hold)]
    refused = [result for result in results if isinstance(result, FundsError)]
    assert (len(granted), len(refused)) == (16, 4)
    assert (await tracker.balance()).available_nanos == parse_usd("0.10")
    assert await imbalance(store) == 0


async def test_two_processes_that_open_the_month_together_grant_it_once(data_dir: Path) -> None:
    stores = [Store.open(data_dir) for _ in range(4)]
    try:
        balances = await asyncio.gather(*(purse(store).open_month() for store in stores))
        assert {balance.total_nanos for balance in balances} == {GRANT}
    finally:
        for store in stores:
            store.close()
