"""Money is integers: nano-US-dollars (1e-9 USD).

Prices stay decimals per token; only a total is rounded, once, up.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from ai.errors import MoneyError

NANOS_PER_USD = 1_000_000_000
DECIMALS = 9
LARGEST_NANOS = 1_000_000_000 * NANOS_PER_USD  # a billion dollars: beyond it somebody mistyped


AMOUNT = re.compile(r"([+-]?)\$?(\d{0,10})(?:\.(\d*))?")
EXAMPLE = "Write US dollars, for example 5.00."


def parse_usd(text: str) -> int:
    """Nano-dollars of a decimal string such as "5", "5.00" or "$3.2041".

    Raises MoneyError for anything that is not a plain amount with at most nine decimals.
    """
    match = AMOUNT.fullmatch(text.strip().replace("_", ""))
    sign, whole, decimals = match.groups(default="") if match else ("", "", "")
    if not whole and not decimals:
        raise MoneyError(f"“{text}” is not an amount of money.", hint=EXAMPLE)
    decimals = decimals.rstrip("0")
    if len(decimals) > DECIMALS:
        raise MoneyError(f"“{text}” has more than nine decimals.", hint="A nano-dollar is the smallest amount.")
    nanos = int(whole or "0") * NANOS_PER_USD + int(decimals.ljust(DECIMALS, "0") or "0")
    if nanos > LARGEST_NANOS:
        raise MoneyError(f"“{text}” is not an amount anyone could pay.", hint=EXAMPLE)
    return -nanos if sign == "-" else nanos


def round_up(amount_usd: Decimal) -> int:
    """Nano-dollars of an exact total in US dollars, rounded up: the only rounding there is."""
    return int((amount_usd * NANOS_PER_USD).to_integral_value(rounding=ROUND_CEILING))


def exact(nanos: int) -> str:
    """The exact decimal string of an amount, with at least two decimals ("5.00", "0.000000123")."""
    sign, whole = ("-" if nanos < 0 else ""), abs(nanos)
    cents_and_more = f"{whole % NANOS_PER_USD:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole // NANOS_PER_USD}.{cents_and_more}"


def short(nanos: int, decimals: int = 2) -> str:
    """A rounded string for people's eyes ("$5.00"); never parsed, never summed."""
    step = Decimal(1).scaleb(-decimals)
    rounded = (Decimal(nanos) / NANOS_PER_USD).quantize(step, rounding=ROUND_HALF_UP)
    return f"-${-rounded}" if rounded < 0 else f"${abs(rounded)}"
