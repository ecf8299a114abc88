"""Prices: a worst case no call can exceed, what a call cost by the table, what a malformed price is worth."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.models.pricing import FREE, Override, Price, parse_prices
from ai.models.reading import read_price
from tests.openrouter_server import CATALOGUE, Usage, cost_of, nanos
from tests.parts import NOON

PLAIN = {"prompt": "0.000001", "completion": "0.000002"}
LONG = {"min_prompt_tokens": 200_000, "prompt": "0.000002", "completion": "0.000004"}
NIGHT = {"utc_start": 1630, "utc_end": 30, "prompt": "0.0000005"}

RATES = st.decimals(0, Decimal("0.0001"), places=10)
HHMM = st.builds(lambda hour, minute: hour * 100 + minute, st.integers(0, 23), st.integers(0, 59))
WINDOWS = st.one_of(st.just((None, None)), st.tuples(HHMM, HHMM))
KEYS = ("prompt", "completion", "request", "internal_reasoning", "cache_read", "cache_write")
OVERRIDES = st.builds(
    lambda rates, least, window: Override(tuple(rates.items()), least, *window),
    st.dictionaries(st.sampled_from(KEYS), RATES, min_size=1),
    st.one_of(st.none(), st.integers(0, 3_000).map(Decimal)),
    WINDOWS,
)
PRICES = st.builds(
    Price,
    prompt=RATES,
    completion=RATES,
    request=RATES,
    cache_read=st.none() | RATES,
    cache_write=st.none() | RATES,
    internal_reasoning=RATES | st.just(Decimal(0)),
    overrides=st.lists(OVERRIDES, max_size=4).map(tuple),
)
TOKENS = st.integers(0, 4_000)
TIMES = st.none() | st.builds(lambda hour, minute: NOON.replace(hour=hour, minute=minute), *[st.integers(0, 23)] * 2)


@given(PRICES, TOKENS, TOKENS, TIMES, st.data())
def test_no_call_within_its_bounds_costs_more_than_its_worst_case(
    price: Price, bound: int, cap: int, at: datetime | None, data: st.DataObject
) -> None:
    tokens_in, tokens_out = data.draw(st.integers(0, bound)), data.draw(st.integers(0, cap))
    cost = price.cost_nanos(
        tokens_in,
        tokens_out,
        data.draw(TOKENS),
        tokens_cache_written=data.draw(TOKENS),
        tokens_reasoning=data.draw(TOKENS),
        at=at,
    )
    assert 0 <= cost <= price.worst_case_nanos(bound, cap)
    assert not price.free or cost == 0


@given(PRICES, TOKENS, st.integers(0, 10**9))
def test_the_affordable_reply_is_the_longest_whose_worst_case_fits(price: Price, bound: int, amount: int) -> None:
    tokens = price.affordable_tokens(amount, bound)
    if tokens:
        assert price.worst_case_nanos(bound, tokens) <= amount < price.worst_case_nanos(bound, tokens + 1)


@given(
    st.sampled_from([model for model in CATALOGUE if not model.prompt.startswith("-")]),
    st.builds(lambda tokens, part: (tokens, min(tokens, part)), st.integers(0, 300_000), TOKENS),
    st.builds(lambda tokens, part: (tokens, min(tokens, part)), TOKENS, TOKENS),
    st.integers(0, 23),
)
def test_the_table_prices_a_call_as_its_provider_does(
    model: Any, prompt: tuple[int, int], completion: tuple[int, int], hour: int
) -> None:
    price = read_price(model.id, model.pricing)
    assert price is not None
    usage, at = Usage(prompt[0], completion[0], completion[1], prompt[1]), NOON.replace(hour=hour)
    ours = price.cost_nanos(prompt[0], completion[0], prompt[1], tokens_reasoning=completion[1], at=at)
    assert ours == nanos(cost_of(model.pricing, usage, at).total)


def test_a_long_prompt_is_dearer_only_beyond_its_threshold() -> None:
    price = read_price("v/m", PLAIN | {"overrides": [LONG]})
    assert price is not None
    assert price.cost_nanos(200_000, 0, 0) == 200_000_000
    assert price.cost_nanos(200_001, 0, 0) == 400_002_000
    assert price.worst_case_nanos(200_000, 0) == 200_000_000
    assert price.worst_case_nanos(200_001, 0) == 400_002_000
    assert price.ceiling(200_000) == Price(price.prompt, price.completion)
    assert price.ceiling(200_001) == Price(Decimal("0.000002"), Decimal("0.000004"))


def test_the_worst_case_counts_the_dearest_hour_and_so_does_a_cost_without_a_time() -> None:
    price = read_price("v/m", PLAIN | {"overrides": [NIGHT]})
    assert price is not None
    hours = {hour: price.cost_nanos(1_000, 0, 0, at=NOON.replace(hour=hour)) for hour in (0, 12, 16, 17, 23)}
    assert hours == {0: 500_000, 12: 1_000_000, 16: 1_000_000, 17: 500_000, 23: 500_000}
    assert price.cost_nanos(1_000, 0, 0) == price.worst_case_nanos(1_000, 0) == 1_000_000


def test_of_two_overrides_that_apply_the_later_one_wins_rate_by_rate() -> None:
    price = read_price("v/m", PLAIN | {"overrides": [LONG, {"min_prompt_tokens": 100_000, "prompt": "0.000003"}]})
    assert price is not None
    assert price.cost_nanos(200_001, 1, 0) == 200_001 * 3_000 + 4_000


def test_writing_the_cache_and_thinking_count_where_they_are_dearer() -> None:
    dear = {"input_cache_read": "0.0000001", "input_cache_write": "0.00000125", "internal_reasoning": "0.000003"}
    price = read_price("v/m", PLAIN | dear)
    assert price is not None
    assert price.worst_case_nanos(1_000, 1_000) == 1_250_000 + 3_000_000
    assert price.cost_nanos(1_000, 100, 500, tokens_cache_written=500, tokens_reasoning=100) == 675_000 + 300_000


def test_cached_tokens_save_the_difference_to_the_full_price_rounded_down() -> None:
    price = read_price("v/m", PLAIN | {"input_cache_read": "0.0000001"})
    assert price is not None
    assert price.saved_nanos(1_000) == 900_000
    assert Price(Decimal("0.0000000015"), Decimal(0), cache_read=Decimal(0)).saved_nanos(1) == 1
    assert Price(Decimal(1), Decimal(1)).saved_nanos(1_000) == 0, "no cache price is known"
    assert FREE.saved_nanos(1_000) == 0


def test_a_model_that_charges_under_any_condition_is_not_free() -> None:
    zero = {"prompt": "0", "completion": "0"}
    for more in ({"overrides": [LONG]}, {"internal_reasoning": "0.000001"}, {"input_cache_write": "0.000001"}):
        price = read_price("v/m", zero | more)
        assert price is not None
        assert not price.free
    assert read_price("v/m", zero | {"overrides": [], "input_cache_read": None, "image": "0.1"}) == FREE


@pytest.mark.parametrize(
    "odd",
    [
        {"request": "much"},
        {"internal_reasoning": "-1"},
        {"input_cache_write": []},
        {"prompt": "1e999999"},
        {"prompt": "1e-999999"},
        {"prompt": "0." + "0" * 60 + "1"},
        {"prompt": True},
        {"overrides": "none"},
        {"overrides": [None]},
        {"overrides": [LONG | {"prompt": "-1"}]},
        {"overrides": [LONG | {"min_prompt_tokens": "many"}]},
        {"overrides": [LONG | {"min_prompt_tokens": True}]},
        {"overrides": [LONG | {"min_prompt_tokens": -1}]},
        {"overrides": [{"utc_start": 100, "prompt": "0"}]},
        {"overrides": [{"utc_start": 100, "utc_end": 9_999, "prompt": "0"}]},
        {"overrides": [{"utc_start": float("nan"), "utc_end": 100, "prompt": "0"}]},
    ],
    ids=str,
)
def test_a_malformed_price_is_unknown(odd: dict[str, Any]) -> None:
    assert read_price("v/m", PLAIN) is not None
    assert read_price("v/m", PLAIN | odd) is None


def test_the_keepers_prices_are_dollars_per_million() -> None:
    assert parse_prices("gpt-4o-mini=0.15/0.60, my-model=0/0 ,ft:a=b=$1/2,") == {
        "gpt-4o-mini": Price(Decimal("0.00000015"), Decimal("0.0000006")),
        "my-model": FREE,
        "ft:a=b": Price(Decimal("0.000001"), Decimal("0.000002")),
    }
    assert parse_prices("") == {}


@pytest.mark.parametrize("text", ["gpt-4o", "gpt-4o=", "gpt-4o=1", "=1/2", "m=1/2/3", "m=a/b", "m=-1/2", "m=1/nan"])
def test_a_bad_price_of_the_keepers_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=f"“{text}” is no price: write model=prompt/completion"):
        parse_prices(f"good=1/2, {text}")
