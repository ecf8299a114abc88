"""What thoughts will cost, told from what they did cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import fmean, stdev

from ai.economy.account import Sample

FEWEST = 3  # samples of a class before its own figures are believed
FEWEST_FOR_RUNWAY = 10
USUAL_TOKENS = (900, 250)  # a thought nobody has measured yet: prompt and reply
FURTHEST = timedelta(days=366)  # beyond it a runway is no forecast but a wish


def robust_mean(values: Sequence[int]) -> float:
    """The mean without the largest value: one outlier moves nothing."""
    kept = sorted(values)[:-1] if len(values) >= FEWEST else list(values)
    return fmean(kept) if kept else 0.0


def usual_tokens(samples: Sequence[Sample]) -> tuple[int, int]:
    """(prompt, reply) tokens of an ordinary thought."""
    if len(samples) < FEWEST:
        return USUAL_TOKENS
    return int(robust_mean([s.tokens_in for s in samples])), int(robust_mean([s.tokens_out for s in samples]))


@dataclass(frozen=True, slots=True)
class Runway:
    """When the money ends if things go on as they do: the likely moment, and the range it lies in."""

    likely: datetime
    low: datetime
    high: datetime


def runway(samples: Sequence[Sample], available_nanos: int, now: datetime) -> Runway | None:
    """When `available_nanos` end at the pace of `samples` (newest first).

    None under ten samples, and while nothing is spent. The range is two standard errors of the mean cost either way.
    """
    if len(samples) < FEWEST_FOR_RUNWAY:
        return None
    costs = [sample.cost_nanos for sample in samples]
    mean = robust_mean(costs)
    span_s = (samples[0].at_ms - samples[-1].at_ms) / 1000
    if mean <= 0 or span_s <= 0:
        return None
    error = stdev(sorted(costs)[:-1]) / len(costs) ** 0.5
    every_s = span_s / (len(samples) - 1)

    def ends(cost: float) -> datetime:
        furthest_s = FURTHEST.total_seconds()
        left_s = max(0, available_nanos) / cost * every_s if cost > 0 else furthest_s
        return now + timedelta(seconds=min(left_s, furthest_s))

    return Runway(ends(mean), ends(mean + 2 * error), ends(mean - 2 * error))


def pace_nanos(available_nanos: int, now: datetime, until: datetime, interval_s: float) -> Decimal:
    """What each thought may cost so that the money lasts until `until` at one thought every `interval_s`."""
    thoughts = max(Decimal(1), Decimal((until - now).total_seconds()) / Decimal(interval_s))
    return Decimal(max(0, available_nanos)) / thoughts
