"""What thoughts will cost, told from what they did cost; and the day the money ends, as a date with a range."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.clock import VirtualClock, from_ms, month_end, to_ms
from ai.economy.account import Charge, Sample
from ai.economy.credit_tracker import CreditTracker
from ai.economy.forecast import (
    FEWEST_FOR_RUNWAY,
    FURTHEST,
    USUAL_TOKENS,
    Runway,
    pace_nanos,
    robust_mean,
    runway,
    usual_tokens,
)
from ai.economy.statement import read_budget, read_samples
from ai.store.engine import Store
from tests.parts import BEING, NOON

HOUR_S = 3600
CENT = 10_000_000


def spent(costs: Sequence[int], *, every_s: int = HOUR_S) -> list[Sample]:
    """Thoughts at these costs, newest first, the newest at noon."""
    newest = to_ms(NOON)
    return [Sample(newest - n * every_s * 1000, "vendor/model", cost, 900, 200) for n, cost in enumerate(costs)]


def ends(costs: Sequence[int], available_nanos: int) -> Runway:
    told = runway(spent(costs), available_nanos, NOON)
    assert told is not None
    return told


def test_one_outlier_moves_no_forecast() -> None:
    assert robust_mean([100] * 9) == robust_mean([*[100] * 9, 1_000_000]) == 100
    assert robust_mean([1_000_000, 100, 100]) == 100


def test_too_few_thoughts_to_tell_an_outlier_are_taken_as_they_are() -> None:
    assert robust_mean([]) == 0
    assert robust_mean([100, 300]) == 200


def test_the_usual_tokens_are_measured_as_soon_as_three_thoughts_are_known() -> None:
    assert usual_tokens(spent([1, 1])) == USUAL_TOKENS
    assert usual_tokens(spent([1, 1, 1])) == (900, 200)


@pytest.mark.parametrize("count", range(FEWEST_FOR_RUNWAY))
def test_under_ten_thoughts_nobody_knows_when_the_money_ends(count: int) -> None:
    assert runway(spent([CENT] * count), 100 * CENT, NOON) is None


def test_at_a_cent_an_hour_a_dollar_lasts_a_hundred_hours() -> None:
    told = ends([CENT] * 10, 100 * CENT)
    assert told == Runway(*[NOON + timedelta(hours=100)] * 3)


def test_the_range_is_wider_the_more_the_thoughts_differ() -> None:
    steady, uneven = ends([CENT, CENT + 10] * 10, 100 * CENT), ends([CENT // 2, CENT * 3 // 2] * 10, 100 * CENT)
    assert uneven.low < steady.low < steady.likely < steady.high < uneven.high
    assert uneven.high - uneven.low > 100 * (steady.high - steady.low)


def test_one_outlier_moves_no_runway_by_more_than_a_tenth() -> None:
    calm, shaken = ends([CENT] * 10, 100 * CENT), ends([CENT] * 9 + [100 * CENT], 100 * CENT)
    assert abs((shaken.likely - calm.likely).total_seconds()) <= (calm.likely - NOON).total_seconds() / 10
    assert abs((shaken.low - calm.low).total_seconds()) <= (calm.likely - NOON).total_seconds() / 10


def test_where_nothing_is_spent_nothing_ends() -> None:
    assert runway(spent([0] * 20), 100 * CENT, NOON) is None


def test_thoughts_of_one_moment_have_no_pace() -> None:
    assert runway(spent([CENT] * 20, every_s=0), 100 * CENT, NOON) is None


def test_money_that_is_gone_ends_now_and_a_hoard_ends_no_later_than_in_a_year() -> None:
    assert ends([CENT] * 10, 0).likely == ends([CENT] * 10, -5).likely == NOON
    assert ends([1] * 10, 10**15).high == NOON + FURTHEST


@given(
    costs=st.lists(st.integers(0, 10**10), min_size=10, max_size=100),
    available=st.integers(-(10**9), 10**13),
    every_s=st.integers(1, 86_400),
)
def test_the_range_always_surrounds_the_likely_day(costs: list[int], available: int, every_s: int) -> None:
    told = runway(spent(costs, every_s=every_s), available, NOON)
    if told is not None:
        assert NOON <= told.low <= told.likely <= told.high <= NOON + FURTHEST


@given(available=st.integers(0, 10**13), days=st.floats(0.01, 31), interval_s=st.floats(1, 10**6))
def test_at_its_pace_the_money_lasts_to_the_end_and_no_longer_than_that(
    available: int, days: float, interval_s: float
) -> None:
    until = NOON + timedelta(days=days)
    thoughts = max(1.0, days * 86_400 / interval_s)
    assert float(pace_nanos(available, NOON, until, interval_s)) * thoughts == pytest.approx(available, rel=1e-6)


def test_a_debt_and_a_month_that_is_over_leave_no_room_for_a_negative_pace() -> None:
    assert pace_nanos(-5, NOON, NOON + timedelta(days=1), 600) == 0
    assert pace_nanos(100, NOON, NOON - timedelta(days=1), 600) == 100


@pytest.mark.parametrize(
    ("month", "days"), [("2024-02", 29), ("2025-02", 28), ("2100-02", 28), ("2000-02", 29), ("2026-12", 31)]
)
def test_a_month_ends_where_the_calendar_says_leap_years_too(month: str, days: int) -> None:
    first = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)
    assert month_end(month) - first == timedelta(days=days)


async def charge(tracker: CreditTracker, thought_id: str, usd_nanos: int) -> None:
    held = await tracker.hold(
        max(usd_nanos, 1), provider="p", model="vendor/model", purpose="daily", timeout_s=60, thought_id=thought_id
    )
    await tracker.settle(held, Charge(usd_nanos, "reported", tokens_in=100, tokens_out=10))


async def budget(store: Store) -> dict[str, Any]:
    return await store.read(lambda t: read_budget(t, BEING))


async def test_the_calls_of_one_thought_are_one_sample(store: Store, tracker: CreditTracker) -> None:
    for _ in range(3):
        await charge(tracker, "first", 100)
    await charge(tracker, "second", 50)
    samples = await store.read(lambda t: read_samples(t, BEING, 10))
    assert [(s.cost_nanos, s.tokens_in, s.tokens_out) for s in samples] == [(50, 100, 10), (300, 300, 30)]


async def test_the_budget_tells_a_runway_from_the_tenth_thought_on(
    store: Store, tracker: CreditTracker, clock: VirtualClock
) -> None:
    for number in range(10):
        assert number == 0 or (await budget(store))["runway"] is None
        await charge(tracker, f"thought {number}", CENT)
        clock.advance(HOUR_S)
    told = (await budget(store))["runway"]
    assert told["low"] == told["date"] == told["high"]
    newest = NOON + timedelta(hours=9)
    hours = (datetime.fromisoformat(told["date"]) - newest).total_seconds() / HOUR_S
    assert hours == pytest.approx(480, rel=0.001)  # $4.80 are available, at a cent an hour


def test_a_moment_survives_the_store_to_the_millisecond() -> None:
    assert from_ms(to_ms(NOON)) == NOON
