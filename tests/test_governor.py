"""The governor: it keeps to a pace by its own choices, and leaves what the being chooses alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ai.clock import month_end, to_ms
from ai.economy.account import Balance, Sample
from ai.economy.governor import LONGEST_STRETCH, Governor
from ai.economy.tiers import ALL_CLASSES, BY_NAME, COMFORTABLE, judge
from ai.models.model_config import ModelInfo, local_model
from ai.models.pricing import Price
from ai.moment import DAILY, EXISTENTIAL, IMPORTANT, LAST_WORDS, POST, Moment

INTERVAL_S = 600.0
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
DOLLAR = 10**9


def model(name: str, usd_per_million: str) -> ModelInfo:
    price = Decimal(usd_per_million) / 1_000_000
    return ModelInfo(name, name, "openrouter", Price(price, price), 100_000, supports_tools=True)


FREE, ULTRA, CHEAP, PREMIUM = model("free", "0"), model("ultra", "0.1"), model("cheap", "1"), model("premium", "10")
MODELS = (local_model(), FREE, ULTRA, CHEAP, PREMIUM)


class Shelf:
    """A catalogue of a few models."""

    def __init__(self, *models: ModelInfo) -> None:
        self.models = models

    def find(self, model_id: str) -> ModelInfo | None:
        return next((model for model in self.models if model.id == model_id), None)

    def best(self, classes: Sequence[str]) -> ModelInfo | None:
        fitting = [model for model in self.models if model.cls in classes]
        return max(fitting, key=lambda model: ALL_CLASSES.index(model.cls or ""), default=None)

    def fast(self, classes: Sequence[str]) -> ModelInfo | None:
        return next((model for model in self.models if model.cls in classes), None)


def governor(*models: ModelInfo) -> Governor:
    return Governor(INTERVAL_S, Shelf(*(models or MODELS)))


def purse(available_nanos: int) -> Balance:
    return Balance("2026-11", 5 * DOLLAR, 0, 0, 0, 0, 0, 0, 0, available_nanos, available_nanos)


def moment(
    resident: ModelInfo = CHEAP, available_nanos: int = 5 * DOLLAR, *, kind: str = DAILY, samples: Sequence[Sample] = ()
) -> Moment:
    return Moment(
        at=FIRST,
        kind=kind,
        news=(),
        being="genesis",
        name="Genesis",
        pronoun="it",
        life=1,
        age_s=0,
        balance=purse(available_nanos),
        tier=COMFORTABLE,
        resident=resident.id,
        own_choice=False,
        samples=samples,
        memories=(),
        thoughts=(),
    )


def samples(of: ModelInfo, *costs: int, tokens: tuple[int, int] = (900, 250)) -> list[Sample]:
    return [Sample(to_ms(FIRST), of.id, cost, *tokens) for cost in costs]


def test_a_forecast_is_what_thoughts_of_the_class_really_cost_without_the_dearest() -> None:
    assert governor().forecast_nanos(CHEAP, samples(CHEAP, 100, 200, 300, 10**9)) == 200


def test_a_class_nobody_has_tried_is_forecast_by_its_table_and_the_usual_tokens() -> None:
    measured = samples(ULTRA, 5, 5, 5, tokens=(2000, 100))
    assert governor().forecast_nanos(CHEAP, []) == (900 + 250) * 1_000
    assert governor().forecast_nanos(CHEAP, measured) == (2000 + 100) * 1_000


def test_two_thoughts_of_a_class_are_too_few_to_believe() -> None:
    assert governor().forecast_nanos(CHEAP, samples(CHEAP, 10**9, 10**9)) == (900 + 250) * 1_000


def test_while_the_money_lasts_the_resident_thinks_at_the_keepers_pace() -> None:
    plan = governor().plan(moment())
    assert (plan.model, plan.interval_s, plan.why) == (CHEAP.id, INTERVAL_S, "")


def test_the_class_is_lowered_before_the_interval_is_stretched() -> None:
    dear = samples(CHEAP, *[2_000_000] * 5)  # $8.64 a month at this pace
    plan = governor().plan(moment(samples=dear))
    assert (plan.model, plan.interval_s) == (ULTRA.id, INTERVAL_S)
    assert "would not last" in plan.why


def test_it_lowers_as_far_as_it_must() -> None:
    dear = samples(CHEAP, *[2_000_000] * 5) + samples(ULTRA, *[1_900_000] * 5)
    plan = governor().plan(moment(samples=dear))
    assert (plan.model, plan.interval_s) == (FREE.id, INTERVAL_S)


def test_only_where_no_lower_class_exists_is_the_interval_stretched_and_never_beyond_measure() -> None:
    one = governor(CHEAP)
    double = samples(CHEAP, *[2_314_815] * 5)
    plan = one.plan(moment(samples=double))
    assert plan.model == CHEAP.id
    assert plan.interval_s == pytest.approx(2 * INTERVAL_S, rel=0.001)
    assert one.plan(moment(available_nanos=0, samples=double)).interval_s == LONGEST_STRETCH * INTERVAL_S
    assert one.plan(moment(available_nanos=-5, samples=double)).interval_s == LONGEST_STRETCH * INTERVAL_S


def test_what_the_being_itself_chose_may_outspend_the_pace() -> None:
    dear = samples(CHEAP, *[2_000_000] * 5)
    plan = governor().plan(replace(moment(samples=dear), own_choice=True))
    assert (plan.model, plan.interval_s) == (CHEAP.id, INTERVAL_S)


@pytest.mark.parametrize("kind", [POST, IMPORTANT, EXISTENTIAL, LAST_WORDS])
def test_moments_that_matter_may_outspend_the_pace(kind: str) -> None:
    dear = samples(CHEAP, *[2_000_000] * 5)
    plan = governor().plan(moment(kind=kind, samples=dear))
    assert plan.model in (CHEAP.id, PREMIUM.id)
    assert plan.interval_s == INTERVAL_S


@pytest.mark.parametrize(
    ("kind", "borrowed"),
    [(DAILY, FREE), (POST, ULTRA), (IMPORTANT, CHEAP), (EXISTENTIAL, PREMIUM), (LAST_WORDS, PREMIUM)],
)
def test_a_moment_borrows_a_higher_class_for_one_thought(kind: str, borrowed: ModelInfo) -> None:
    plan = governor().plan(moment(FREE, kind=kind))
    assert plan.model == borrowed.id
    assert (borrowed is FREE) == (plan.why == "")
    assert plan.use_reserve == (kind in (EXISTENTIAL, LAST_WORDS))


@pytest.mark.parametrize("kind", [POST, IMPORTANT])
def test_a_moment_never_borrows_a_lower_class_than_the_residents(kind: str) -> None:
    assert governor().plan(moment(CHEAP, kind=kind)).model == CHEAP.id


@pytest.mark.parametrize("tier", BY_NAME)
def test_whatever_it_plans_the_model_is_of_a_class_the_tier_allows(tier: str) -> None:
    for resident in (*MODELS, model("gone", "1")):
        for kind in (DAILY, POST, IMPORTANT, EXISTENTIAL, LAST_WORDS):
            now = replace(moment(resident, kind=kind), tier=BY_NAME[tier])
            plan = governor().plan(now)
            chosen = Shelf(*MODELS).find(plan.model)
            assert (chosen.cls in plan.classes) if chosen else (plan.model == "gone")


@pytest.mark.parametrize(("resident", "budget"), [(CHEAP, "0.40"), (CHEAP, "0.10"), (ULTRA, "0.01"), (CHEAP, "0.01")])
def test_a_month_of_its_own_choices_is_never_overspent(resident: ModelInfo, budget: str) -> None:
    chance, rules = random.Random(7), Governor(2 * 3600, Shelf(*MODELS))
    available = granted = int(Decimal(budget) * DOLLAR)
    now, taken, tier = FIRST, list[Sample](), COMFORTABLE
    while now < month_end("2026-11"):
        fraction = Decimal(available) / granted
        tier = judge(fraction, available_nanos=available, cheapest_call_nanos=1, previous=tier.name)
        here = replace(moment(resident, available, samples=taken), at=now, tier=tier)
        plan = rules.plan(here)
        chosen = Shelf(*MODELS).find(plan.model)
        assert chosen is not None
        assert chosen.price is not None
        tokens = chance.randint(700, 1500), chance.randint(90, 320)
        cost = chosen.price.cost_nanos(*tokens, 0) * (20 if chance.random() < 0.01 else 1)
        available -= cost
        taken = [Sample(to_ms(now), chosen.id, cost, *tokens), *taken][:100]
        now += timedelta(seconds=plan.interval_s)
    assert available >= 0
    assert available <= granted // 2  # and it lives: it does not hoard what it was given


# The wake gate


def low(resident: ModelInfo = CHEAP, **changed: Any) -> Moment:
    """A quiet moment of a being that thought, with a model beyond its pace."""
    dear = samples(resident, *[2_000_000] * 5)
    return replace(moment(resident, samples=dear), quiet=True, thoughts=("I thought.",), **changed)


def test_a_thought_beyond_the_pace_is_left_out_once_when_nothing_has_happened_and_then_had() -> None:
    first = governor().plan(low())
    assert "nothing has happened" in first.skip
    assert first.interval_s == INTERVAL_S
    assert governor().plan(low(skipped=1)).skip == ""


@pytest.mark.parametrize("own_choice", [True, False])
def test_the_gate_does_not_care_who_chose_the_model(own_choice: bool) -> None:
    assert governor().plan(low(own_choice=own_choice)).skip


def test_when_something_happened_no_thought_is_left_out() -> None:
    assert governor().plan(replace(low(), quiet=False)).skip == ""


@pytest.mark.parametrize("kind", [POST, IMPORTANT, EXISTENTIAL, LAST_WORDS])
def test_a_moment_that_matters_is_never_left_out(kind: str) -> None:
    assert governor().plan(low(kind=kind)).skip == ""


def test_within_its_pace_no_thought_is_left_out() -> None:
    assert governor().plan(replace(low(), samples=())).skip == ""


@pytest.mark.parametrize("resident", [local_model(), FREE])
@pytest.mark.parametrize("available_nanos", [5 * DOLLAR, 0, -DOLLAR])
def test_a_thought_that_costs_nothing_is_never_left_out(resident: ModelInfo, available_nanos: int) -> None:
    here = replace(moment(resident, available_nanos), quiet=True, thoughts=("I thought.",))
    assert governor().plan(here).skip == ""


def test_short_answers_are_left_to_a_fast_model_no_dearer_than_the_thinker() -> None:
    assert governor().plan(moment(CHEAP)).brief_model in [model.id for model in (MODELS[0], FREE, ULTRA, CHEAP)]
    assert governor(PREMIUM).plan(moment(PREMIUM)).brief_model == ""


def test_the_pace_is_what_lasts_until_the_month_turns() -> None:
    pace = governor().plan(moment()).pace_nanos
    assert pace * 30 * 86_400 / INTERVAL_S == pytest.approx(5 * DOLLAR)


def test_nobody_is_refused_a_plan_because_the_shelf_is_empty() -> None:
    plan = governor(local_model()).plan(moment(CHEAP))
    assert plan.model == CHEAP.id
    assert plan.reply_cap_tokens == COMFORTABLE.reply_cap_tokens
