"""What the purse speaks of: a balance, a hold, a charge. Amounts are nano-US-dollars."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left of one account, all in nano-dollars.

    `total` is the sum of all entries; `available` is what a hold may take: total less open and unknown holds and the
    reserve. `reserve_left` is the part of the reserve that no hold draws on. `granted`, `carried` and `credited` are
    this month's allowance, the top-ups carried in, and the top-ups and corrections since.
    """

    month: str
    granted_nanos: int
    carried_nanos: int
    credited_nanos: int
    spent_nanos: int
    held_nanos: int
    unknown_nanos: int
    reserve_nanos: int
    reserve_left_nanos: int
    total_nanos: int
    available_nanos: int

    @property
    def fraction(self) -> Decimal | None:
        """What is left of this month's money, from 0 to 1; None when the account was never funded."""
        funded = self.granted_nanos + self.carried_nanos + self.credited_nanos
        return Decimal(self.total_nanos - self.unknown_nanos) / funded if funded > 0 else None


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for one attempt: its month and its split say where it comes from.

    `id` None: the attempt cannot cost anything, so nothing is set aside and no row stands for it.
    """

    id: int | None
    being: str
    month: str
    allowance_nanos: int
    topup_nanos: int
    reserve_nanos: int
    life: int
    provider: str
    model: str
    thought_id: str | None = None

    @property
    def amount_nanos(self) -> int:
        return self.allowance_nanos + self.topup_nanos


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt cost. `price_basis` says how we know: reported, computed or worst_case."""

    cost_nanos: int
    price_basis: str
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    generation_id: str | None = None
    saved_nanos: int = 0  # what cached tokens would have cost on top


@dataclass(frozen=True, slots=True)
class Sample:
    """What one thought really cost, all its calls together, when, and on which model it was had."""

    at_ms: int
    model: str
    cost_nanos: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a provider says of this month (nano-dollars): what the key used, and what is left there, if it limits it."""

    usage_nanos: int
    remaining_nanos: int | None


@dataclass(frozen=True, slots=True)
class Lost:
    """A hold whose cost nobody knows yet, and what there is to find it out by."""

    hold: Hold
    opened_at_ms: int
    generation_id: str | None
