"""What a call may cost at worst, and what it did cost by the table. Prices are decimals of US dollars per token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ai.economy.money import NANOS_PER_USD, round_up

PER_MILLION = Decimal(1_000_000)
REASONING_HEADROOM_TOKENS = 1024  # on top of the visible tokens, in the cap that is sent and in the hold
DEAREST_USD = Decimal(1_000)  # nobody charges as much for one token or one request: such a price is a mistake
LONGEST_PRICE = 40  # characters; a longer number is no price but a trick
FINEST_EXPONENT = -30


@dataclass(frozen=True, slots=True)
class Override:
    """Other rates under a condition (OpenRouter's OpenAPI, schema `PricingOverride`).

    They hold for prompts of strictly more than `min_prompt_tokens`, and from `utc_start` until before `utc_end`, which
    are HHMM clock numbers and may cross midnight; None is no condition. `rates` are pairs of a field of Price and its
    US dollars.
    """

    rates: tuple[tuple[str, Decimal], ...]
    min_prompt_tokens: Decimal | None = None
    utc_start: int | None = None
    utc_end: int | None = None

    def reached_by(self, prompt_tokens: int) -> bool:
        """Whether a prompt of that size is long enough."""
        return self.min_prompt_tokens is None or prompt_tokens > self.min_prompt_tokens

    def open_at(self, hhmm: int) -> bool:
        """Whether it holds at that time of the day."""
        start, end = self.utc_start, self.utc_end
        if start is None or end is None:
            return True
        return start <= hhmm < end if start <= end else hhmm >= start or hhmm < end


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token, and per request. Only what is known is a Price: an unknown price is None, not zero.

    `cache_read` and `cache_write` replace `prompt` for the tokens they concern, a positive `internal_reasoning`
    replaces `completion`; of the `overrides` that apply, later ones win rate by rate.
    """

    prompt: Decimal
    completion: Decimal
    request: Decimal = Decimal(0)
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    internal_reasoning: Decimal = Decimal(0)
    overrides: tuple[Override, ...] = ()

    @property
    def free(self) -> bool:
        """Whether no call can cost anything, at any length and at any hour."""
        return not any(self._worst_rates(None))

    @property
    def blended_per_million(self) -> Decimal:
        """One figure to compare models by: three parts prompt to one part completion, US dollars per million."""
        return (3 * self.prompt + self.completion) / 4 * PER_MILLION

    def ceiling(self, prompt_bound_tokens: int) -> Price:
        """The dearest both sides get at any hour, in prompts up to that size: what a provider may be bound to."""
        return Price(self._dearest("prompt", prompt_bound_tokens), self._dearest("completion", prompt_bound_tokens))

    def worst_case_nanos(self, prompt_bound_tokens: int, completion_cap_tokens: int) -> int:
        """The most a call may cost, given upper bounds of both its sides, at any hour."""
        prompt, completion, request = self._worst_rates(prompt_bound_tokens)
        return round_up(prompt * prompt_bound_tokens + completion * completion_cap_tokens + request)

    def affordable_tokens(self, amount_nanos: int, prompt_bound_tokens: int) -> int:
        """The longest reply whose worst case fits into `amount_nanos`."""
        prompt, completion, request = self._worst_rates(prompt_bound_tokens)
        left = Decimal(amount_nanos) / NANOS_PER_USD - prompt * prompt_bound_tokens - request
        return max(0, int(left // completion)) if completion else 0

    def cost_nanos(
        self,
        tokens_in: int,
        tokens_out: int,
        tokens_cached: int,
        *,
        tokens_cache_written: int = 0,
        tokens_reasoning: int = 0,
        at: datetime | None = None,
    ) -> int:
        """What a call cost by the table, for a provider that does not say.

        `tokens_in` contains the cached and the cache-written tokens, `tokens_out` the reasoning ones. Without `at` it
        is priced by the dearest hour of the day, since books never lie to look good.
        """
        cached = min(tokens_cached, tokens_in)
        written = min(tokens_cache_written, tokens_in - cached)
        reasoned = min(tokens_reasoning, tokens_out)
        hours = self._turning_points() if at is None else [_hhmm(at)]
        return max(
            round_up(self._at(tokens_in, hhmm)._total(tokens_in, cached, written, tokens_out, reasoned))
            for hhmm in hours
        )

    def saved_nanos(self, tokens_cached: int) -> int:
        """What cached tokens saved against the full prompt price, rounded down; 0 when no cache price is known."""
        if self.cache_read is None:
            return 0
        return max(0, int((self.prompt - self.cache_read) * tokens_cached * NANOS_PER_USD))

    def _total(self, tokens_in: int, cached: int, written: int, tokens_out: int, reasoned: int) -> Decimal:
        read = self.prompt if self.cache_read is None else self.cache_read
        write = self.prompt if self.cache_write is None else self.cache_write
        prompt = self.prompt * (tokens_in - cached - written) + read * cached + write * written
        completion = self.completion * (tokens_out - reasoned) + (self.internal_reasoning or self.completion) * reasoned
        return prompt + completion + self.request

    def _at(self, tokens_in: int, hhmm: int) -> Price:
        """The plain price of a prompt of that size at that time of the day."""
        rates: dict[str, Any] = {}
        for override in self.overrides:
            if override.reached_by(tokens_in) and override.open_at(hhmm):
                rates |= override.rates
        return replace(self, overrides=(), **rates)

    def _turning_points(self) -> set[int]:
        """The times of the day between which no price changes."""
        return {0, *(hhmm for o in self.overrides for hhmm in (o.utc_start, o.utc_end) if hhmm is not None)}

    def _worst_rates(self, prompt_bound_tokens: int | None) -> tuple[Decimal, Decimal, Decimal]:
        """The dearest a prompt token, a completion token and the request can be, whatever applies."""
        return (
            max(self._dearest(rate, prompt_bound_tokens) for rate in ("prompt", "cache_read", "cache_write")),
            max(self._dearest(rate, prompt_bound_tokens) for rate in ("completion", "internal_reasoning")),
            self._dearest("request", prompt_bound_tokens),
        )

    def _dearest(self, rate: str, prompt_bound_tokens: int | None) -> Decimal:
        """The dearest one rate gets, in prompts up to that size (None: of any size)."""
        possible = (o for o in self.overrides if prompt_bound_tokens is None or o.reached_by(prompt_bound_tokens))
        return max([getattr(self, rate) or Decimal(0), *(dict(o.rates).get(rate, Decimal(0)) for o in possible)])


FREE = Price(Decimal(0), Decimal(0))


def parse_prices(text: str) -> dict[str, Price]:
    """The keeper's own prices, by model id: "gpt-4o-mini=0.15/0.60, my-model=0/0".

    US dollars per million tokens of prompt and completion. Raises ValueError with a plain sentence.
    """
    return dict(_parse_pair(part.strip()) for part in text.split(",") if part.strip())


def _parse_pair(part: str) -> tuple[str, Price]:
    model_id, _, amounts = part.rpartition("=")
    sides = amounts.split("/")
    prompt, completion = (read_rate(side.strip().removeprefix("$")) for side in (*sides, "", "")[:2])
    if not model_id.strip() or len(sides) != 2 or prompt is None or completion is None:
        raise ValueError(f"“{part}” is no price: write model=prompt/completion in US dollars per million tokens.")
    return model_id.strip(), Price(prompt / PER_MILLION, completion / PER_MILLION)


def read_rate(value: Any) -> Decimal | None:
    """US dollars from whatever stands where a price should; None when it makes no sense or is negative."""
    text = str(value)
    try:
        rate = Decimal(text) if len(text) <= LONGEST_PRICE else None
    except InvalidOperation:
        return None
    if rate is None or not rate.is_finite() or not 0 <= rate <= DEAREST_USD:
        return None
    return Decimal(0) if rate == 0 else rate if rate.adjusted() >= FINEST_EXPONENT else None


def _hhmm(at: datetime) -> int:
    utc = at.astimezone(UTC)
    return utc.hour * 100 + utc.minute
