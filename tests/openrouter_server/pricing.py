"""What a generation costs by the price table, in exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

NANOS_PER_DOLLAR = 1_000_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens of one generation: `prompt` includes `cached` and `cache_write`, `completion` `reasoning`."""

    prompt: int
    completion: int
    reasoning: int = 0
    cached: int = 0
    cache_write: int = 0


@dataclass(frozen=True)
class Cost:
    """US dollars, exact: what the input, the output and the request itself cost."""

    prompt: Decimal = Decimal(0)
    completion: Decimal = Decimal(0)
    request: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """The whole, US dollars, unrounded."""
        return self.prompt + self.completion + self.request


def nanos(dollars: Decimal) -> int:
    """US dollars to whole nano-dollars, rounded up once."""
    return int((dollars * NANOS_PER_DOLLAR).to_integral_value(ROUND_CEILING))


def prices_at(pricing: Mapping[str, Any], prompt_tokens: int, at: datetime) -> dict[str, Decimal]:
    """The prices that hold for a prompt of that size at that time, US dollars by price key.

    `overrides`: `min_prompt_tokens` is strictly greater, `utc_start`/`utc_end` are HHMM and may cross
    midnight, and a later entry wins per key (OpenRouter's OpenAPI, `PricingOverride`).
    """
    prices = {key: Decimal(value) for key, value in pricing.items() if isinstance(value, str)}
    for override in pricing.get("overrides", []):
        if prompt_tokens <= override.get("min_prompt_tokens", -1):
            continue
        if "utc_start" in override and not _within(override["utc_start"], override["utc_end"], at):
            continue
        prices |= {key: Decimal(value) for key, value in override.items() if isinstance(value, str)}
    return prices


def cost_of(pricing: Mapping[str, Any], usage: Usage, at: datetime) -> Cost:
    """Prices a generation; raises ValueError for a negative price, which means unknown and never a credit.

    Reasoning tokens cost `internal_reasoning` where that is above zero, else they are output like any other:
    the many entries with "0" there do bill them as completion.
    """
    prices = prices_at(pricing, usage.prompt, at)
    if min(prices.values()) < 0:
        raise ValueError("a negative price is unknown, so nothing can be billed by it")
    zero = Decimal(0)
    per_prompt = prices["prompt"]
    plain = usage.prompt - usage.cached - usage.cache_write
    prompt = (
        plain * per_prompt
        + usage.cached * prices.get("input_cache_read", per_prompt)
        + usage.cache_write * prices.get("input_cache_write", per_prompt)
    )
    per_reasoning = prices.get("internal_reasoning", zero) or prices["completion"]
    completion = (usage.completion - usage.reasoning) * prices["completion"] + usage.reasoning * per_reasoning
    return Cost(prompt, completion, prices.get("request", zero))


def _within(start: float, end: float, at: datetime) -> bool:
    clock = at.hour * 100 + at.minute
    return start <= clock < end if start <= end else clock >= start or clock < end
