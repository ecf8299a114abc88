"""Killed at any moment, the being accounts for every nano-dollar that the server really billed.

What is proved, after every one of the kills: nothing is held, no entry is lost, the books add up, and what is spent
together with what is unknown is at least what was billed. After reconciliation every call whose generation is known
costs exactly what was billed for it. A call that was killed before its generation's name reached the books is charged
in full after a day, which is never less than its bill.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from ai.economy.money import parse_usd
from ai.store.engine import Store
from tests.openrouter_server import OpenRouterServer
from tests.parts import entries, fresh_store, hold_states, imbalance
from tests.soak.house import DAY_AND_A_BIT_S, MOMENTS, House, check, run

SMALL, FULL = 15, 200


@pytest.fixture
def house(tmp_path: Path, child_environ: Mapping[str, str]) -> Iterator[House]:
    with OpenRouterServer(total_credits=Decimal(10_000)) as server:
        yield House(fresh_store(tmp_path / "data"), server, child_environ, seed=2026)
        assert server.violations == []


def test_killed_at_any_moment_it_accounts_for_everything_that_was_billed(house: House, small: bool) -> None:
    seen: list[int] = []

    async def look(number: int) -> None:
        async with house.restarted() as being:
            await being.books.tracker.topup(parse_usd("0.01"), external_id=f"round {number}")
            assert not await being.books.tracker.topup(parse_usd("0.01"), external_id=f"round {number}")
            await check(house, being, seen, topups=number)

    for number, moment in enumerate(itertools.islice(itertools.cycle(MOMENTS), SMALL if small else FULL), start=1):
        house.live_and_die(moment)
        run(look(number))
    run(settle_up(house))


async def settle_up(house: House) -> None:
    """Reconcile, then let a day pass: no hold is left, and nothing that was billed is missing from the books."""
    async with house.restarted() as being:
        tracker, store = being.books.tracker, being.books.store
        await house.reconcile(being)
        before = await tracker.balance()
        assert before.spent_nanos + before.unknown_nanos >= house.billed_nanos
        nameless = await tracker.lost()
        assert all(lost.generation_id is None for lost in nameless)
        await house.reconcile(being, after_s=DAY_AND_A_BIT_S)
        assert set(await hold_states(store)) <= {"settled", "released"}
        await the_books_equal_the_bills(house, store, len(nameless))
        after = await tracker.balance()
        assert after.unknown_nanos == after.held_nanos == 0
        assert after.spent_nanos >= house.billed_nanos


async def the_books_equal_the_bills(house: House, store: Store, nameless: int) -> None:
    """Spent is the sum of the bills that are known by name and of the holds that are charged in full, exactly."""
    booked = await entries(store, "charge")
    names = {entry["generation_id"] for entry in booked if entry["basis"] == "reported"}
    in_full = [-parse_usd(entry["amount"]) for entry in booked if entry["basis"] == "worst_case"]
    unnamed = [bill.nanos for bill in house.server.bills if bill.generation_id not in names and bill.nanos]
    assert len(in_full) == nameless
    assert len(unnamed) <= len(in_full)
    # The dearest unnamed bill is no dearer than the largest hold, and so on down: each has a hold that covers it.
    pairs = zip(sorted(unnamed, reverse=True), sorted(in_full, reverse=True), strict=False)
    assert all(bill <= held for bill, held in pairs)
    assert await imbalance(store) == 0


def test_killed_in_mid_stream_it_is_reconciled_to_exactly_what_was_billed(house: House, small: bool) -> None:
    for _ in range(3 if small else 12):
        house.die_in_mid_stream()

    async def settled() -> None:
        async with house.restarted() as being:
            await house.reconcile(being)
            balance = await being.books.tracker.balance()
            assert balance.unknown_nanos == 0
            assert balance.spent_nanos == house.billed_nanos

    run(settled())
