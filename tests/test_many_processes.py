"""Many processes on one account at once: holds, settlements, losses and top-ups, and not one nano-dollar too much."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections import Counter
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

import vault
from ai.clock import VirtualClock
from ai.economy.account import Charge
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.money import parse_usd
from ai.errors import FundsError
from ai.store.engine import Store
from ai.store.journal import Journal
from tests.parts import BEING, GRANT, NOON, RESERVE, entries, fresh_store, hold, imbalance

PATIENCE_S = 300.0
TOPUP = parse_usd("0.01")

Tally = Counter[str]
"""What one process did: how often it held, how many nano-dollars it held, spent and lost, and what went wrong."""


def purse(store: Store) -> CreditTracker:
    clock = VirtualClock(NOON)
    journal = Journal(store, clock, BEING, vault.Redactor({}).json)
    return CreditTracker(store, journal, clock, BEING, Allowance(GRANT, RESERVE))


async def spend_greedily(tracker: CreditTracker, holds: int, usd: str, seed: int, *, keep: bool) -> Tally:
    """Hold again and again. `keep` leaves every hold open; else each is settled, released or lost."""
    chance, tally = random.Random(seed), Tally()
    for number in range(holds):
        try:
            held = await hold(tracker, usd)
        except FundsError:
            tally["refused"] += 1
            continue
        tally["granted"] += 1
        fate = 3 if keep else chance.randrange(3)
        if fate == 0:
            cost = chance.randint(0, held.amount_nanos)
            await tracker.settle(held, Charge(cost, "reported"))
            tally["spent"] += cost
        elif fate == 1:
            await tracker.release(held, "nothing was charged")
        elif fate == 2:
            await tracker.forget(held, "time-out")
            tally["unknown"] += held.amount_nanos
        else:
            tally["held"] += held.amount_nanos
        if not keep and number % 10 == 0:  # everybody brings the same gift
            tally["gifts"] += await tracker.topup(TOPUP, external_id=f"gift {number}")
    return tally


def a_process(
    data_dir: Path, holds: int, usd: str, seed: int, keep: bool, start: Barrier, said: SimpleQueue[Tally | str]
) -> None:
    """One of many; what goes wrong is said, not swallowed."""

    async def live() -> Tally:
        store = Store.open(data_dir)
        try:
            start.wait(PATIENCE_S)
            return await spend_greedily(purse(store), holds, usd, seed, keep=keep)
        finally:
            store.close()

    try:
        said.put(asyncio.run(live()))
    except Exception as exc:  # whatever it is, the test shall fail with it and not wait for ever
        said.put(f"{type(exc).__name__}: {exc}")


def race(data_dir: Path, processes: int, holds: int, usd: str, *, keep: bool) -> Tally:
    """All of them at once, from one starting shot; what they did together."""
    context = multiprocessing.get_context("spawn")
    start, said = context.Barrier(processes), context.SimpleQueue()
    running = [
        context.Process(target=a_process, args=(data_dir, holds, usd, seed, keep, start, said))
        for seed in range(processes)
    ]
    for process in running:
        process.start()
    tallies = [said.get() for _ in running]
    for process in running:
        process.join()
    failures = [tally for tally in tallies if isinstance(tally, str)]
    assert failures == []
    return sum((tally for tally in tallies if isinstance(tally, Counter)), Tally())


async def the_books_agree(data_dir: Path, tally: Tally) -> None:
    """The account after a race says what its racers say, and was never exceeded."""
    store = Store.open(data_dir)
    try:
        balance = await purse(store).balance()
        assert await imbalance(store) == 0
        assert (balance.spent_nanos, balance.unknown_nanos, balance.held_nanos) == (
            tally["spent"],
            tally["unknown"],
            tally["held"],
        )
        funded = GRANT + TOPUP * len(await entries(store, "topup"))
        assert tally["gifts"] == len(await entries(store, "topup"))
        assert balance.available_nanos == funded - RESERVE - tally["spent"] - tally["unknown"] - tally["held"]
        assert balance.available_nanos >= 0
    finally:
        store.close()


@pytest.mark.parametrize("keep", [True, False])
async def test_processes_that_race_never_exceed_the_account_by_one_nano_dollar(tmp_path: Path, keep: bool) -> None:
    data_dir = fresh_store(tmp_path / "shared")
    tally = await asyncio.to_thread(race, data_dir, 5, 20, "0.1537", keep=keep)
    assert tally["granted"] + tally["refused"] == 5 * 20
    assert tally["refused"] > 0
    if keep:
        assert tally["granted"] == (GRANT - RESERVE) // parse_usd("0.1537")
    await the_books_agree(data_dir, tally)
