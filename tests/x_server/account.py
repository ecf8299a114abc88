"""The books of the test server: credits, prices, bills. US dollars are exact Decimals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

NANOS = 1_000_000_000


class Item(StrEnum):
    """What X charges for."""

    POST = "post created"
    POST_WITH_URL = "post with a URL created"
    SUMMONED_REPLY = "reply to a post that mentions the author created"
    POST_READ = "post read"
    OWNED_READ = "own post, or mention of oneself, read"
    USER_READ = "user read"


# X's price list since 2026-04-20, pay per use; own posts and mentions are both among its owned reads.
PRICES: dict[Item, Decimal] = {
    Item.POST: Decimal("0.015"),
    Item.POST_WITH_URL: Decimal("0.200"),
    Item.SUMMONED_REPLY: Decimal("0.010"),
    Item.POST_READ: Decimal("0.005"),
    Item.OWNED_READ: Decimal("0.001"),
    Item.USER_READ: Decimal("0.010"),
}


@dataclass(frozen=True)
class Bill:
    """One resource as it was charged. `resource` is the id of the post or user."""

    item: Item
    resource: str
    dollars: Decimal
    when: datetime

    @property
    def nanos(self) -> int:
        """Nano-US-dollars."""
        return int(self.dollars * NANOS)


@dataclass
class Account:
    """One account with X.

    credits_usd: US dollars bought; None never runs out. deduplicates: whether a resource that was read and charged
    is free for the rest of the UTC day (docs.x.com: "a soft guarantee").
    """

    credits_usd: Decimal | None = None
    deduplicates: bool = True
    bills: list[Bill] = field(default_factory=list)
    _charged: set[tuple[date, Item, str]] = field(default_factory=set)

    @property
    def total_usage(self) -> Decimal:
        """US dollars used."""
        return sum((bill.dollars for bill in self.bills), Decimal(0))

    @property
    def is_depleted(self) -> bool:
        """Whether nothing is served any more: the last charge may take the balance a little below nought."""
        return self.credits_usd is not None and self.total_usage >= self.credits_usd

    def charge(self, item: Item, resource: str, now: datetime) -> None:
        """Books one resource, unless it is a repeated read."""
        key = (now.date(), item, resource)
        if self.deduplicates and key in self._charged:
            return
        self._charged.add(key)
        self.bills.append(Bill(item, resource, PRICES[item], now))
