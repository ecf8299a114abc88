"""A month lived in seconds: the same seed gives the same month, and a dear model leads through all five tiers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from ai.cli import alive
from ai.economy.money import exact, parse_usd
from ai.economy.tiers import TIERS
from ai.errors import ModelChoiceError
from ai.simulator import Month, Wish, simulate
from tests.openrouter_server import CATALOGUE
from tests.parts import CHEAP, FREE, PREMIUM

ULTRA = "meta-llama/llama-3.2-3b-instruct"
BY_ID = {model.id: model for model in CATALOGUE}
MODELS: list[dict[str, Any]] = [BY_ID[name].to_json(BY_ID) for name in (FREE, ULTRA, CHEAP, PREMIUM)]

SHORT = Wish(days=3, budget_usd="0.05", interval_s=7200, models=MODELS)
# Found by trying: a being that insists on a model far too dear for 0.8 cents a month.
RUINOUS = Wish(days=30, budget_usd="0.008", interval_s=3600, model=CHEAP, models=MODELS)


async def test_the_same_seed_gives_the_same_month() -> None:
    first, again = await simulate(SHORT), await simulate(SHORT)
    assert first == again
    assert first.as_json(SHORT) == again.as_json(SHORT)


async def test_another_seed_gives_another_month() -> None:
    assert (await simulate(SHORT)).spent_nanos != (await simulate(replace(SHORT, seed=2))).spent_nanos


async def test_a_being_that_insists_on_a_dear_model_passes_through_all_five_tiers_by_spending_alone() -> None:
    month = await simulate(RUINOUS)
    assert [tier for _, tier in month.tiers] == [tier.name for tier in TIERS]
    assert month.ends_on_day is not None
    assert month.ends_on_day == month.tiers[-1][0]
    assert month.left_nanos >= 0


async def test_left_to_the_governor_the_same_budget_lasts_the_month() -> None:
    month = await simulate(replace(RUINOUS, model=None, interval_s=14_400))
    assert month.ends_on_day is None
    assert month.left_nanos > 0


async def test_the_figures_add_up() -> None:
    month = await simulate(SHORT)
    assert month.spent_nanos + month.left_nanos == parse_usd(SHORT.budget_usd)
    assert len(month.balances_nanos) == SHORT.days
    assert list(month.balances_nanos) == sorted(month.balances_nanos, reverse=True)
    assert sum(nanos for _, nanos, _ in month.spent_by_model) == month.spent_nanos
    assert sum(count for _, _, count in month.spent_by_model) == month.thoughts


async def test_over_the_months_turn_the_allowance_is_new_and_the_old_one_gone() -> None:
    month = await simulate(replace(SHORT, days=33, interval_s=43_200))
    assert len(month.balances_nanos) == 33
    assert month.balances_nanos[31] > month.balances_nanos[29]
    assert max(month.balances_nanos) <= parse_usd(SHORT.budget_usd)


async def test_without_any_money_it_lives_on_free_and_local_models() -> None:
    month = await simulate(replace(SHORT, budget_usd="0"))
    assert month.spent_nanos == month.left_nanos == 0
    assert month.thoughts > 0


async def test_interval_and_budget_are_what_was_wished() -> None:
    slow = await simulate(replace(SHORT, interval_s=86_400))
    assert slow.thoughts == 3
    rich = await simulate(replace(SHORT, budget_usd="500"))
    assert exact(rich.left_nanos + rich.spent_nanos) == "500.00"


async def test_a_model_that_does_not_exist_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ModelChoiceError, match="There is no model"):
        await simulate(replace(SHORT, model="anthropic/claude-4-haiku"))


async def test_each_day_is_told_as_it_passes() -> None:
    days: list[int] = []
    month: Month = await simulate(SHORT, days.append)
    assert days == [1, 2, 3]
    assert month.thoughts > 0


def test_the_command_prints_the_same_month_as_json_every_time() -> None:
    wish = ["simulate", "--days", "1", "--interval", "7200", "--seed", "5", "--json"]
    said = [CliRunner().invoke(alive, wish, catch_exceptions=False) for _ in range(2)]
    assert [answer.exit_code for answer in said] == [0, 0]
    assert said[0].stdout == said[1].stdout
    month = json.loads(said[0].stdout)
    assert (month["days"], month["seed"], len(month["by_day"])) == (1, 5, 1)


def test_the_command_tells_people_when_the_money_ends() -> None:
    said = CliRunner().invoke(alive, ["simulate", "--days", "1", "--interval", "21600"], catch_exceptions=False)
    assert "The money lasts" in said.stdout
    assert "comfortable (day 1)" in said.stdout
