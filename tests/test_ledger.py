"""The purse keeps its laws: holds before, entries after, months that turn, and books that always add up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from ai.clock import VirtualClock
from ai.economy.account import Balance, Charge
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.money import parse_usd
from ai.errors import FundsError, MoneyError, StoreError
from ai.store.engine import Store
from ai.store.journal import Journal
from tests.parts import BEING, GRANT, RESERVE, entries, events, hold, hold_states, imbalance

DAY_S = 86_400
TEN_DAYS_S = 10 * DAY_S  # from 21 November over the month's end


@pytest.fixture(autouse=True)
async def the_books_add_up(store: Store) -> object:
    """Whatever a test here does, the accounts equal the sum of their entries afterwards."""
    yield
    assert await imbalance(store) == 0


def budget_of(store: Store, journal: Journal, clock: VirtualClock, usd: str) -> CreditTracker:
    """The same purse, started with another MONTHLY_BUDGET."""
    return CreditTracker(store, journal, clock, BEING, Allowance(parse_usd(usd), RESERVE))


def reported(usd: str) -> Charge:
    return Charge(parse_usd(usd), "reported", tokens_in=100, tokens_out=20, generation_id="gen-1")


async def test_the_allowance_is_granted_once_a_month(store: Store, tracker: CreditTracker) -> None:
    for _ in range(3):
        balance = await tracker.open_month()
    assert balance.granted_nanos == balance.total_nanos == GRANT
    assert [entry["amount"] for entry in await entries(store, "grant")] == ["5.00"]
    assert len(await events(store, "rollover")) == 1


async def test_a_balance_that_was_never_opened_is_told_not_shown_as_zero(tracker: CreditTracker) -> None:
    with pytest.raises(FundsError, match="never opened"):
        await tracker.balance()


async def test_the_reserve_stands_outside_what_is_available(tracker: CreditTracker) -> None:
    balance = await tracker.open_month()
    assert (balance.reserve_nanos, balance.available_nanos) == (RESERVE, GRANT - RESERVE)


async def test_a_hold_limits_what_the_next_one_may_take(store: Store, tracker: CreditTracker) -> None:
    await hold(tracker, "4.00")
    assert (await tracker.balance()).available_nanos == parse_usd("0.90")
    with pytest.raises(FundsError, match=r"may cost \$0\.900001.*\$0\.900000 is available"):
        await hold(tracker, "0.900001")
    await hold(tracker, "0.90")
    with pytest.raises(FundsError):
        await hold(tracker, "0.000000001")
    assert await hold_states(store) == ["open", "open"]


async def test_settling_books_exactly_what_the_call_cost_and_frees_the_rest(
    store: Store, tracker: CreditTracker
) -> None:
    held = await hold(tracker, "1.00")
    balance = await tracker.settle(held, reported("0.000000123"))
    assert balance.spent_nanos == 123
    assert balance.held_nanos == 0
    assert balance.available_nanos == GRANT - RESERVE - 123
    (charge,) = await entries(store, "charge")
    assert (charge["amount"], charge["basis"], charge["model"]) == ("-0.000000123", "reported", "vendor/model")
    assert (charge["tokens_in"], charge["tokens_out"], charge["generation_id"]) == (100, 20, "gen-1")
    assert charge["overrun"] is None


async def test_a_hold_is_settled_only_once(store: Store, tracker: CreditTracker) -> None:
    held = await hold(tracker, "1.00")
    await tracker.settle(held, reported("0.25"))
    await tracker.settle(held, reported("0.25"))  # an answer that comes late finds it booked
    await tracker.release(held, "too late")
    assert (await tracker.balance()).spent_nanos == parse_usd("0.25")
    assert await hold_states(store) == ["settled"]


async def test_a_call_that_cost_nothing_leaves_no_line_in_the_journal(store: Store, tracker: CreditTracker) -> None:
    await tracker.settle(await hold(tracker, "0.00"), reported("0.00"))
    assert await events(store, "charge") == []


async def test_a_released_hold_gives_everything_back(store: Store, tracker: CreditTracker) -> None:
    await tracker.release(await hold(tracker, "3.00"), "nothing was charged")
    balance = await tracker.balance()
    assert (balance.available_nanos, balance.spent_nanos) == (GRANT - RESERVE, 0)
    assert await hold_states(store) == ["released"]


async def test_an_unknown_fate_counts_as_spent_until_reconciled(store: Store, tracker: CreditTracker) -> None:
    held = await hold(tracker, "3.00")
    await tracker.forget(held, "time-out", "gen-9")
    balance = await tracker.balance()
    assert (balance.unknown_nanos, balance.held_nanos) == (held.amount_nanos, 0)
    assert balance.available_nanos == GRANT - RESERVE - held.amount_nanos
    assert balance.fraction is not None
    assert balance.fraction * GRANT == GRANT - held.amount_nanos

    balance = await tracker.settle(held, reported("0.50"))
    assert (balance.unknown_nanos, balance.spent_nanos) == (0, parse_usd("0.50"))
    assert await hold_states(store) == ["settled"]


async def test_a_cost_above_its_hold_is_booked_in_full_and_flagged(store: Store, tracker: CreditTracker) -> None:
    balance = await tracker.settle(await hold(tracker, "0.10"), reported("0.35"))
    assert balance.spent_nanos == parse_usd("0.35")
    (charge,) = await entries(store, "charge")
    assert (charge["amount"], charge["overrun"]) == ("-0.35", "0.25")
    (told,) = await events(store, "charge")
    assert told.data["overrun"] == "0.25"


async def test_an_overrun_may_take_the_balance_below_zero_because_books_never_lie(tracker: CreditTracker) -> None:
    balance = await tracker.settle(await hold(tracker, "4.90"), reported("5.50"))
    assert balance.total_nanos == parse_usd("-0.50")
    assert balance.available_nanos < 0
    with pytest.raises(FundsError):
        await hold(tracker, "0.00000001")


async def test_the_same_top_up_twice_credits_once(store: Store, tracker: CreditTracker) -> None:
    assert await tracker.topup(parse_usd("5.00"), external_id="kofi-7", note="for tea")
    assert not await tracker.topup(parse_usd("5.00"), external_id="kofi-7")
    assert await tracker.topup(parse_usd("1.00"), external_id="kofi-8")
    assert (await tracker.balance()).credited_nanos == parse_usd("6.00")
    assert [(entry["amount"], entry["note"]) for entry in await entries(store, "topup")] == [
        ("5.00", "for tea"),
        ("1.00", None),
    ]
    assert len(await events(store, "topup")) == 2


@pytest.mark.parametrize("usd", ["0", "-1.00"])
async def test_a_top_up_is_more_than_nothing(store: Store, tracker: CreditTracker, usd: str) -> None:
    with pytest.raises(MoneyError):
        await tracker.topup(parse_usd(usd), external_id="x")
    assert await entries(store, "topup") == []


async def test_the_allowance_is_spent_before_the_top_ups(store: Store, tracker: CreditTracker) -> None:
    await tracker.topup(parse_usd("2.00"), external_id="a")
    held = await hold(tracker, "6.00")
    assert (held.allowance_nanos, held.topup_nanos) == (parse_usd("5.00"), parse_usd("1.00"))
    await tracker.settle(held, reported("5.25"))
    (charge,) = await entries(store, "charge")
    assert (charge["allowance"], charge["topup"]) == ("-5.00", "-0.25")


async def test_two_holds_never_share_the_same_allowance(tracker: CreditTracker) -> None:
    await tracker.topup(parse_usd("5.00"), external_id="a")
    first, second = await hold(tracker, "3.00"), await hold(tracker, "3.00")
    assert (first.allowance_nanos, first.topup_nanos) == (parse_usd("3.00"), 0)
    assert (second.allowance_nanos, second.topup_nanos) == (parse_usd("2.00"), parse_usd("1.00"))


async def test_an_overrun_takes_free_allowance_before_it_takes_top_ups(store: Store, tracker: CreditTracker) -> None:
    await tracker.topup(parse_usd("5.00"), external_id="a")
    await tracker.settle(await hold(tracker, "1.00"), reported("1.50"))
    (charge,) = await entries(store, "charge")
    assert (charge["allowance"], charge["topup"]) == ("-1.50", "0.00")


async def test_at_the_months_turn_the_allowance_expires_and_top_ups_carry_over(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    await tracker.topup(parse_usd("2.00"), external_id="a")
    await tracker.settle(await hold(tracker, "1.00"), reported("1.00"))
    clock.advance(TEN_DAYS_S)
    balance = await tracker.open_month()
    assert balance.month == "2026-12"
    assert (balance.granted_nanos, balance.carried_nanos, balance.credited_nanos) == (GRANT, parse_usd("2.00"), 0)
    assert balance.spent_nanos == 0
    assert balance.total_nanos == GRANT + parse_usd("2.00")
    assert balance.fraction == 1
    assert [entry["amount"] for entry in await entries(store, "expire")] == ["-4.00"]
    assert (await events(store, "rollover"))[-1].data == {
        "month": "2026-12",
        "expired": "4.00",
        "granted": "5.00",
        "carried": "2.00",
    }


async def test_the_month_turns_at_midnight_utc_and_not_before(
    store: Store, journal: Journal, tracker: CreditTracker
) -> None:
    clock = VirtualClock(datetime(2026, 11, 30, 23, 59, 59, 999_000, tzinfo=UTC))
    tracker = CreditTracker(store, journal, clock, BEING, Allowance(GRANT, RESERVE))
    assert (await tracker.open_month()).month == "2026-11"
    clock.advance(0.001)
    assert (await tracker.open_month()).month == "2026-12"


async def test_months_in_which_nobody_ran_it_grant_nothing_and_lose_no_top_up(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    await tracker.topup(parse_usd("2.00"), external_id="a")
    clock.advance(100 * DAY_S)
    balance = await tracker.open_month()
    assert balance.month == "2027-03"
    assert balance.total_nanos == GRANT + parse_usd("2.00")
    assert [entry["month"] for entry in await entries(store, "grant")] == ["2026-11", "2027-03"]


async def test_a_clock_set_back_over_the_months_end_grants_nothing_again(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    clock.advance(TEN_DAYS_S)
    await tracker.open_month()
    clock.advance(-TEN_DAYS_S)
    assert (await tracker.open_month()).month == "2026-12"
    clock.advance(TEN_DAYS_S)
    await tracker.open_month()
    assert len(await entries(store, "grant")) == 1


async def turned_with_a_hold_open(tracker: CreditTracker, clock: VirtualClock) -> Balance:
    clock.advance(TEN_DAYS_S)
    return await tracker.open_month()


async def test_a_hold_open_across_the_turn_settles_against_its_own_month_and_the_rest_expires(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    held = await hold(tracker, "2.00")
    balance = await turned_with_a_hold_open(tracker, clock)
    assert (balance.held_nanos, balance.available_nanos) == (held.amount_nanos, GRANT - RESERVE)

    balance = await tracker.settle(held, reported("0.50"))
    assert (balance.spent_nanos, balance.total_nanos, balance.available_nanos) == (0, GRANT, GRANT - RESERVE)
    (charge,) = await entries(store, "charge")
    assert (charge["month"], charge["amount"]) == ("2026-11", "-0.50")
    assert [(entry["month"], entry["amount"]) for entry in await entries(store, "expire")] == [
        ("2026-11", "-3.00"),
        ("2026-11", "-1.50"),
    ]


async def test_what_is_released_into_a_month_that_is_over_expires_at_once(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    held = await hold(tracker, "2.00")
    await turned_with_a_hold_open(tracker, clock)
    await tracker.release(held, "nothing was charged")
    balance = await tracker.balance()
    assert (balance.total_nanos, balance.available_nanos) == (GRANT, GRANT - RESERVE)
    assert [entry["amount"] for entry in await entries(store, "expire")] == ["-3.00", "-2.00"]


async def test_top_ups_held_across_the_turn_come_back_to_the_new_month(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    await tracker.topup(parse_usd("2.00"), external_id="a")
    held = await hold(tracker, "6.00")  # all the allowance and one dollar of the top-ups
    await turned_with_a_hold_open(tracker, clock)
    balance = await tracker.settle(held, reported("5.25"))
    assert balance.total_nanos == GRANT + parse_usd("1.75")
    assert balance.available_nanos == balance.total_nanos - RESERVE
    assert await entries(store, "expire") == []


async def test_an_unknown_hold_of_a_past_month_takes_nothing_from_the_new_one(
    tracker: CreditTracker, clock: VirtualClock
) -> None:
    await tracker.forget(await hold(tracker, "2.00"), "time-out")
    balance = await turned_with_a_hold_open(tracker, clock)
    assert balance.available_nanos == GRANT - RESERVE
    assert balance.fraction == 1


async def test_a_raised_budget_is_one_adjust_in_mid_month(
    store: Store, journal: Journal, clock: VirtualClock, tracker: CreditTracker
) -> None:
    await tracker.open_month()
    richer = budget_of(store, journal, clock, "8.00")
    for _ in range(2):
        balance = await richer.open_month()
    assert balance.granted_nanos == balance.total_nanos == parse_usd("8.00")
    assert [entry["amount"] for entry in await entries(store, "adjust")] == ["3.00"]
    assert len(await entries(store, "grant")) == 1


async def test_a_lowered_budget_never_takes_more_than_is_left(
    store: Store, journal: Journal, clock: VirtualClock, tracker: CreditTracker
) -> None:
    await tracker.settle(await hold(tracker, "4.00"), reported("4.00"))
    await hold(tracker, "0.25")
    balance = await budget_of(store, journal, clock, "1.00").open_month()
    assert [entry["amount"] for entry in await entries(store, "adjust")] == ["-0.75"]
    assert balance.total_nanos == parse_usd("0.25")
    assert balance.available_nanos >= 0


async def test_lowering_the_budget_and_raising_it_again_makes_no_money(
    store: Store, journal: Journal, clock: VirtualClock, tracker: CreditTracker
) -> None:
    await tracker.settle(await hold(tracker, "4.00"), reported("4.00"))
    await budget_of(store, journal, clock, "3.00").open_month()
    balance = await budget_of(store, journal, clock, "5.00").open_month()
    assert balance.granted_nanos == GRANT
    assert balance.total_nanos == GRANT - parse_usd("4.00")


async def test_a_lowered_budget_sets_aside_no_more_than_there_is(
    store: Store, journal: Journal, clock: VirtualClock, tracker: CreditTracker
) -> None:
    await tracker.settle(await hold(tracker, "4.90"), reported("4.90"))
    balance = await budget_of(store, journal, clock, "4.00").open_month()
    assert balance.total_nanos == 0
    assert balance.available_nanos == 0


async def test_a_budget_lowered_while_the_reserve_is_lent_makes_nothing_available(
    store: Store, journal: Journal, clock: VirtualClock, tracker: CreditTracker
) -> None:
    await tracker.settle(await hold(tracker, "4.90"), reported("4.90"))
    await hold(tracker, "0.10", use_reserve=True)
    poorer = budget_of(store, journal, clock, "1.00")
    assert (await poorer.open_month()).available_nanos <= 0
    with pytest.raises(FundsError):
        await hold(poorer, "0.05")


async def test_only_an_existential_moment_reaches_the_reserve(tracker: CreditTracker) -> None:
    await tracker.settle(await hold(tracker, "4.90"), reported("4.90"))
    with pytest.raises(FundsError):
        await hold(tracker, "0.05")
    held = await hold(tracker, "0.05", use_reserve=True)
    assert (held.amount_nanos, held.reserve_nanos) == (parse_usd("0.05"), parse_usd("0.05"))
    assert (await tracker.balance()).available_nanos == 0
    with pytest.raises(FundsError):
        await hold(tracker, "0.050000001", use_reserve=True)


async def test_what_the_last_words_cost_is_no_longer_set_aside(tracker: CreditTracker) -> None:
    await tracker.settle(await hold(tracker, "4.90"), reported("4.90"))
    balance = await tracker.settle(await hold(tracker, "0.05", use_reserve=True), reported("0.03"))
    assert (balance.reserve_nanos, balance.total_nanos, balance.available_nanos) == (
        parse_usd("0.07"),
        parse_usd("0.07"),
        0,
    )


async def test_the_reserve_lends_last(tracker: CreditTracker) -> None:
    held = await hold(tracker, "4.95", use_reserve=True)
    assert held.reserve_nanos == parse_usd("0.05")
    balance = await tracker.settle(held, reported("4.90"))
    assert (balance.reserve_nanos, balance.available_nanos) == (RESERVE, 0)


async def test_a_hold_past_its_deadline_is_unknown_after_a_restart(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    held = await hold(tracker, "1.00", timeout_s=60)
    assert await tracker.recover() == 0
    clock.advance(61)
    assert await tracker.recover() == 1
    assert await tracker.recover() == 0
    assert await hold_states(store) == ["unknown"]
    assert (await tracker.balance()).unknown_nanos == held.amount_nanos


@pytest.mark.parametrize("table", ["entries", "journal"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id + 1000", "DELETE FROM {}"])
async def test_what_was_written_is_never_changed_or_removed(
    store: Store, tracker: CreditTracker, table: str, change: str
) -> None:
    await tracker.topup(parse_usd("1.00"), external_id="a")
    with pytest.raises(StoreError, match="append-only"):
        await store.write(lambda t: t.execute(text(change.format(table))))


async def test_an_ended_hold_neither_reopens_nor_disappears(store: Store, tracker: CreditTracker) -> None:
    await tracker.release(await hold(tracker, "1.00"), "nothing was charged")
    for change in ("UPDATE holds SET state = 'open'", "DELETE FROM holds"):
        with pytest.raises(StoreError):
            await store.write(lambda t, change=change: t.execute(text(change)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert await hold_states(store) == ["released"]


async def test_nothing_is_held_when_the_money_was_never_there(
    store: Store, journal: Journal, clock: VirtualClock
) -> None:
    penniless = budget_of(store, journal, clock, "0.00")
    balance = await penniless.open_month()
    assert (balance.available_nanos, balance.fraction) == (0, None)
    with pytest.raises(FundsError):
        await hold(penniless, "0.000000001")
    assert (await hold(penniless, "0.00")).amount_nanos == 0
