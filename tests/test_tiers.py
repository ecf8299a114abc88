"""The tier table: what each fraction of the month's money allows, and how a tier is left again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ai.app import Being
from ai.economy.tiers import BY_NAME, TIERS, judge

FREE, ULTRA, CHEAP = {"local", "free"}, {"local", "free", "ultra_cheap"}, {"local", "free", "ultra_cheap", "cheap"}

# The design's table: classes for daily thoughts, for posts and messages; reply cap in visible tokens, think interval
# factor, posts a day.
TABLE = {
    "comfortable": (CHEAP, CHEAP, 700, 1, 8),
    "moderate": (CHEAP, CHEAP, 500, 1, 6),
    "cautious": (ULTRA, ULTRA, 350, 1.5, 4),
    "critical": (FREE, ULTRA, 250, 2, 2),
    "bankrupt": (FREE, FREE, 200, 6, 0),
}


def tier_at(fraction: str | None, *, available: int = 10**9, cheapest: int = 1_000, before: str | None = None) -> str:
    left = None if fraction is None else Decimal(fraction)
    return judge(left, available_nanos=available, cheapest_call_nanos=cheapest, previous=before).name


def test_there_are_five_tiers_from_plenty_to_nothing() -> None:
    assert [tier.name for tier in TIERS] == list(TABLE)
    assert list(BY_NAME) == list(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_each_tier_allows_what_the_table_says(name: str) -> None:
    tier = BY_NAME[name]
    daily, posts, cap, factor, posts_a_day = TABLE[name]
    assert (set(tier.classes), set(tier.post_classes)) == (daily, posts)
    assert (tier.reply_cap_tokens, float(tier.interval_factor), tier.posts_a_day) == (cap, factor, posts_a_day)


def test_an_existential_moment_may_borrow_never_less_than_a_daily_one_and_premium_only_in_comfort() -> None:
    for tier in TIERS:
        existential = set(tier.existential_classes)
        assert set(tier.classes) <= existential
        assert ("premium" in existential) == (tier.name == "comfortable")
    assert set(BY_NAME["bankrupt"].existential_classes) == FREE


@pytest.mark.parametrize(
    ("fraction", "name"),
    [
        ("1", "comfortable"),
        ("0.60", "comfortable"),
        ("0.5999999", "moderate"),
        ("0.20", "moderate"),
        ("0.1999999", "cautious"),
        ("0.10", "cautious"),
        ("0.0999999", "critical"),
        ("0", "critical"),
        ("-0.1", "critical"),
    ],
)
def test_the_fraction_left_decides_the_tier(fraction: str, name: str) -> None:
    assert tier_at(fraction) == name


@pytest.mark.parametrize(
    ("before", "fraction", "name"),
    [
        ("moderate", "0.61", "moderate"),
        ("moderate", "0.62", "comfortable"),
        ("cautious", "0.21", "cautious"),
        ("cautious", "0.22", "moderate"),
        ("critical", "0.11", "critical"),
        ("critical", "0.12", "cautious"),
        ("bankrupt", "0.11", "critical"),
        ("bankrupt", "0.61", "moderate"),
        ("bankrupt", "0.62", "comfortable"),
        ("comfortable", "0.60", "comfortable"),
        ("comfortable", "0.05", "critical"),
    ],
)
def test_climbing_back_needs_two_points_more_than_falling(before: str, fraction: str, name: str) -> None:
    assert tier_at(fraction, before=before) == name


def test_an_account_that_was_never_funded_acts_as_critical_not_as_rich() -> None:
    assert tier_at(None) == "critical"
    assert tier_at(None, available=0) == "critical"


def test_below_the_cheapest_paid_call_it_is_bankrupt_whatever_the_fraction_says() -> None:
    assert tier_at("0.9", available=999) == "bankrupt"
    assert tier_at("0.9", available=1_000) == "comfortable"


def test_where_no_model_costs_anything_only_a_debt_is_bankruptcy() -> None:
    assert tier_at("0.9", available=0, cheapest=0) == "comfortable"
    assert tier_at("0.9", available=-1, cheapest=0) == "bankrupt"


@pytest.mark.parametrize("name", TABLE)
async def test_the_governor_plans_by_the_table(being: Being, name: str) -> None:
    moment = replace(await being.brain.senses.sense("daily"), tier=BY_NAME[name])
    plan = being.brain.governor.plan(moment)
    daily, _, cap, factor, posts_a_day = TABLE[name]
    assert (set(plan.classes), plan.reply_cap_tokens, plan.posts_a_day) == (daily, cap, posts_a_day)
    assert plan.interval_s == 600 * factor
    assert not plan.use_reserve
