"""How much is left decides what is allowed: one table, enforced by the governor and shown on the page."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

HYSTERESIS = Decimal("0.02")  # climbing back needs this much more than falling, so that a tier does not flicker


@dataclass(frozen=True, slots=True)
class Tier:
    """One row of the table.

    `floor` is the smallest fraction of this month's money that still counts as this tier; `classes` are the
    classes of model a daily thought may use; `post_classes` those a post or a message may use; `existential_classes`
    those an existential moment may use; `reply_cap_tokens` counts visible tokens; `context_bytes` is the most told
    before a thought, in UTF-8, its tools aside; `interval_factor` stretches THINK_INTERVAL_SECONDS.
    """

    name: str
    floor: Decimal
    classes: tuple[str, ...]
    post_classes: tuple[str, ...]
    existential_classes: tuple[str, ...]
    reply_cap_tokens: int
    context_bytes: int
    interval_factor: Decimal
    posts_a_day: int

    def classes_for(self, kind: str) -> tuple[str, ...]:
        """The classes of model a moment of this kind may use."""
        special = {"post": self.post_classes, "important": self.post_classes, "existential": self.existential_classes}
        return special.get(kind, ALL_CLASSES if kind == "last_words" else self.classes)


_FREE = ("local", "free")
_ULTRA = (*_FREE, "ultra_cheap")
_CHEAP = (*_ULTRA, "cheap")
ALL_CLASSES = (*_CHEAP, "premium")

COMFORTABLE = Tier("comfortable", Decimal("0.60"), _CHEAP, _CHEAP, ALL_CLASSES, 700, 2400, Decimal(1), 8)
MODERATE = Tier("moderate", Decimal("0.20"), _CHEAP, _CHEAP, _CHEAP, 500, 2200, Decimal(1), 6)
CAUTIOUS = Tier("cautious", Decimal("0.10"), _ULTRA, _ULTRA, _ULTRA, 350, 2000, Decimal("1.5"), 4)
CRITICAL = Tier("critical", Decimal(0), _FREE, _ULTRA, _ULTRA, 250, 1800, Decimal(2), 2)
BANKRUPT = Tier("bankrupt", Decimal(0), _FREE, _FREE, _FREE, 200, 1800, Decimal(6), 0)

TIERS = (COMFORTABLE, MODERATE, CAUTIOUS, CRITICAL, BANKRUPT)
BY_NAME = {tier.name: tier for tier in TIERS}


def judge(
    fraction: Decimal | None,
    *,
    available_nanos: int,
    cheapest_call_nanos: int,
    previous: str | None = None,
) -> Tier:
    """The tier for what is left.

    `fraction` is what is left of this month's money (None: the account was never funded, which acts as critical);
    below `cheapest_call_nanos` of available money no paid call is possible, and that is bankruptcy. `previous`
    names the tier until now, for the hysteresis.
    """
    if fraction is None:
        return CRITICAL
    if available_nanos < cheapest_call_nanos:
        return BANKRUPT
    fallen_to = TIERS.index(BY_NAME[previous]) if previous else 0
    for rank, tier in enumerate((COMFORTABLE, MODERATE, CAUTIOUS)):
        climbing = rank < fallen_to
        if fraction >= tier.floor + (HYSTERESIS if climbing else 0):
            return tier
    return CRITICAL
