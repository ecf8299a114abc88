"""Money is integers: what is written and read again is the same, and nothing that is no amount passes for one."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.economy.money import LARGEST_NANOS, NANOS_PER_USD, exact, parse_usd, round_up, short
from ai.errors import MoneyError

NANOS = st.integers(-LARGEST_NANOS, LARGEST_NANOS)
TOTALS = st.decimals(min_value=0, max_value=1_000_000, places=18, allow_nan=False, allow_infinity=False)


@given(NANOS)
def test_an_amount_written_exactly_is_read_as_the_same_amount(nanos: int) -> None:
    assert parse_usd(exact(nanos)) == nanos


@given(NANOS)
def test_an_exact_amount_is_a_plain_decimal_with_at_least_cents(nanos: int) -> None:
    written = exact(nanos)
    assert Fraction(written) == Fraction(nanos, NANOS_PER_USD)
    decimals = written.split(".")[1]
    assert 2 <= len(decimals) <= 9
    assert decimals.isdigit()
    assert len(decimals) == 2 or not decimals.endswith("0")


@given(TOTALS)
def test_a_total_is_rounded_up_by_less_than_one_nano_dollar(total: Decimal) -> None:
    rounded = Fraction(round_up(total), NANOS_PER_USD)
    assert 0 <= rounded - Fraction(total) < Fraction(1, NANOS_PER_USD)


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("5", 5_000_000_000),
        ("5.00", 5_000_000_000),
        ("$3.2041", 3_204_100_000),
        (" 0.000000001 ", 1),
        ("-2.50", -2_500_000_000),
        ("0", 0),
        ("1.000000000000", NANOS_PER_USD),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, nanos: int) -> None:
    assert parse_usd(text) == nanos


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "$",
        "five",
        "5,00",
        "5.00.1",
        "5 USD",
        "--5",
        "nan",
        "inf",
        "-Infinity",
        "0.0000000001",
        "1.00000000000000000000000000001",
        "1e-1000030",
        "1000000000.01",
        "1e30",
        "1e999999999",
        "-1e999999999",
    ],
)
def test_what_is_no_amount_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(MoneyError) as refused:
        parse_usd(text)
    assert text in refused.value.message
    assert "\n" not in str(refused.value)
    assert refused.value.hint
    assert refused.value.exit_code == 2


@given(st.text(max_size=12))
def test_no_text_whatever_is_more_than_refused(text: str) -> None:
    try:
        nanos = parse_usd(text)
    except MoneyError:
        return
    assert abs(nanos) <= LARGEST_NANOS


@pytest.mark.parametrize(
    ("nanos", "decimals", "shown"),
    [
        (5_000_000_000, 2, "$5.00"),
        (4_996_000_000, 2, "$5.00"),
        (4_994_999_999, 2, "$4.99"),
        (123_456, 6, "$0.000123"),
        (-2_500_000_000, 2, "-$2.50"),
        (0, 4, "$0.0000"),
    ],
)
def test_an_amount_for_peoples_eyes_is_rounded(nanos: int, decimals: int, shown: str) -> None:
    assert short(nanos, decimals) == shown


def test_a_debt_too_small_to_show_is_not_shown_as_a_negative_nothing() -> None:
    assert short(-1) == "$0.00"
