"""The books of the test server: keys, credits, bills, generation records. US dollars are exact Decimals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.openrouter_server.pricing import Cost, Usage, nanos

FREE_PER_MINUTE = 20
FREE_PER_DAY = 50
FREE_PER_DAY_AFTER_PURCHASE = 1_000
PURCHASE_FOR_MORE_FREE = Decimal(10)


@dataclass(frozen=True)
class Bill:
    """One generation as it was charged; `nanos` is nano-US-dollars, 0 where nothing was.

    aborted: the client was gone before the end, so that it cannot have read the cost.
    """

    generation_id: str
    model: str
    nanos: int
    when: datetime
    aborted: bool
    usage: Usage
    dollars: Decimal


@dataclass
class Key:
    """An API key; `limit` is US dollars or None, `limit_reset` daily, weekly, monthly or None."""

    secret: str
    label: str = "sk-or-v1-tes...t00"
    limit: Decimal | None = None
    limit_reset: str | None = None
    charges: list[tuple[datetime, Decimal]] = field(default_factory=list)

    def usage(self, now: datetime, period: str | None = None) -> Decimal:
        """What this key spent, in the current UTC period or (None) ever."""
        since = _start_of(period, now)
        return sum((amount for when, amount in self.charges if when >= since), Decimal(0))

    def remaining(self, now: datetime) -> Decimal | None:
        """What is left of its limit until the next reset; None without a limit."""
        return None if self.limit is None else self.limit - self.usage(now, self.limit_reset)

    def to_json(self, now: datetime, is_free_tier: bool, free_used: int, free_limit: int) -> dict[str, Any]:
        """`data` of `GET /key`."""
        zero = Decimal(0)
        remaining = self.remaining(now)
        budgets = [] if remaining is None else [self._budget(now, remaining)]
        return {
            "label": self.label,
            "limit": self.limit,
            "limit_remaining": None if remaining is None else max(remaining, zero),
            "limit_reset": self.limit_reset,
            "include_byok_in_limit": False,
            "usage": self.usage(now),
            "usage_daily": self.usage(now, "daily"),
            "usage_weekly": self.usage(now, "weekly"),
            "usage_monthly": self.usage(now, "monthly"),
            "byok_usage": zero,
            "byok_usage_daily": zero,
            "byok_usage_weekly": zero,
            "byok_usage_monthly": zero,
            "is_free_tier": is_free_tier,
            "is_management_key": False,
            "is_provisioning_key": False,
            "creator_user_id": None,
            # From here on: the official SDK (1.3) requires them, the OpenAPI does not know them.
            "organization_id": None,
            "workspace_id": None,
            "allowed_data_regions": ["global"],
            "budgets": budgets,
            "effective_budget": next(iter(budgets), None),
            "expires_at": None,
            "rate_limit": {
                "requests": -1,
                "interval": "10s",
                "note": "This field is deprecated and safe to ignore.",
            },
            "free_model_daily_requests": {
                "used": free_used,
                "limit": free_limit,
                "remaining": max(free_limit - free_used, 0),
            },
        }

    def _budget(self, now: datetime, remaining: Decimal) -> dict[str, Any]:
        """The key's own limit as a budget layer (component `KeyBudget` of the official SDK)."""
        return {
            "scope": "key_limit",
            "budget_id": None,
            "guardrail_id": None,
            "include_byok": False,
            "limit_usd": self.limit,
            "spend_usd": self.usage(now, self.limit_reset),
            "remaining_usd": remaining,
            "reset_interval": self.limit_reset,
            "resets_at": None,
        }


@dataclass
class Account:
    """One OpenRouter account: what was bought, what was used, and by which key.

    total_credits: US dollars bought, ever. prior_usage: US dollars used before the server began.
    in_flight: US dollars held for calls that run now.
    """

    total_credits: Decimal = Decimal(25)
    prior_usage: Decimal = Decimal(0)
    keys: dict[str, Key] = field(default_factory=dict)
    bills: list[Bill] = field(default_factory=list)
    generations: dict[str, dict[str, Any]] = field(default_factory=dict)
    generation_asks: Counter[str] = field(default_factory=Counter)
    in_flight: Decimal = Decimal(0)
    free_requests: list[datetime] = field(default_factory=list)

    @property
    def total_usage(self) -> Decimal:
        """US dollars used, exact."""
        return self.prior_usage + sum((bill.dollars for bill in self.bills), Decimal(0))

    @property
    def balance(self) -> Decimal:
        """US dollars left; may be negative, as at the real one."""
        return self.total_credits - self.total_usage

    @property
    def free_daily_limit(self) -> int:
        """Requests to `:free` models a UTC day."""
        bought = self.total_credits >= PURCHASE_FOR_MORE_FREE
        return FREE_PER_DAY_AFTER_PURCHASE if bought else FREE_PER_DAY

    def free_used(self, since: datetime) -> int:
        """Requests to `:free` models since then, failed ones included."""
        return sum(when >= since for when in self.free_requests)

    def charge(self, key: Key, bill: Bill) -> None:
        """Books a bill on the account and on the key that made the call."""
        self.bills.append(bill)
        key.charges.append((bill.when, bill.dollars))


def bill_for(generation_id: str, model: str, usage: Usage, cost: Cost, when: datetime, aborted: bool) -> Bill:
    """A bill over the whole cost: rounded once, up."""
    return Bill(generation_id, model, nanos(cost.total), when, aborted, usage, cost.total)


def generation_record(
    bill: Bill, provider: str, finish_reason: str | None, streamed: bool, headers: Mapping[str, str]
) -> dict[str, Any]:
    """`data` of `GET /generation` (schema `GenerationResponse` of OpenRouter's OpenAPI)."""
    absent = (
        "upstream_id",
        "cache_discount",
        "app_id",
        "moderation_latency",
        "service_tier",
        "num_media_prompt",
        "num_input_audio_prompt",
        "num_media_completion",
        "num_search_results",
        "num_fetches",
        "web_search_engine",
        "external_user",
        "preset_id",
        "router",
        "provider_responses",
        "session_id",
        "request_id",
        "workspace_id",
    )
    return dict.fromkeys(absent) | {
        "id": bill.generation_id,
        "total_cost": bill.dollars,
        "usage": bill.dollars,
        "upstream_inference_cost": Decimal(0),
        "created_at": bill.when.astimezone(UTC).isoformat(),
        "model": bill.model,
        "provider_name": provider,
        "streamed": streamed,
        "cancelled": bill.aborted,
        "latency": 12,
        "generation_time": 34,
        "finish_reason": finish_reason,
        "native_finish_reason": finish_reason,
        "tokens_prompt": bill.usage.prompt,
        "tokens_completion": bill.usage.completion,
        "native_tokens_prompt": bill.usage.prompt,
        "native_tokens_completion": bill.usage.completion,
        "native_tokens_completion_images": 0,
        "native_tokens_reasoning": bill.usage.reasoning,
        "native_tokens_cached": bill.usage.cached,
        "origin": headers.get("http-referer", ""),
        "http_referer": headers.get("http-referer"),
        "user_agent": headers.get("user-agent"),
        "is_byok": False,
        "api_type": "completions",
        "data_region": "global",
    }


def next_utc_midnight(now: datetime) -> datetime:
    """When the free models' daily count begins anew."""
    return _start_of("daily", now) + timedelta(days=1)


def _start_of(period: str | None, now: datetime) -> datetime:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period is None:
        return datetime.min.replace(tzinfo=UTC)
    if period == "weekly":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1) if period == "monthly" else midnight
