"""What a call may cost at worst, and what it did cost by the table. Prices are decimals of US dollars per token."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ai.economy.money import NANOS_PER_USD, round_up

PER_MILLION = Decimal(1_000_000)
REASONING_HEADROOM_TOKENS = 1024  # on top of the visible tokens, in the cap that is sent and in the hold


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token, and per request. Only what is known is a Price: an unknown price is None, not zero."""

    prompt: Decimal
    completion: Decimal
    request: Decimal = Decimal(0)
    cache_read: Decimal | None = None

    @property
    def free(self) -> bool:
        return self.prompt == self.completion == self.request == 0

    @property
    def blended_per_million(self) -> Decimal:
        """One figure to compare models by: three parts prompt to one part completion, US dollars per million."""
        return (3 * self.prompt + self.completion) / 4 * PER_MILLION

    def worst_case_nanos(self, prompt_bound_tokens: int, completion_cap_tokens: int) -> int:
        """The most a call may cost, given upper bounds of both its sides."""
        return round_up(self.prompt * prompt_bound_tokens + self.completion * completion_cap_tokens + self.request)

    def affordable_tokens(self, amount_nanos: int, prompt_bound_tokens: int) -> int:
        """The longest reply whose worst case fits into `amount_nanos`."""
        left = Decimal(amount_nanos) / NANOS_PER_USD - self.prompt * prompt_bound_tokens - self.request
        return max(0, int(left / self.completion)) if self.completion else 0

    def cost_nanos(self, tokens_in: int, tokens_out: int, tokens_cached: int) -> int:
        """What a call cost by the table, for a provider that does not say."""
        cached = min(tokens_cached, tokens_in)
        cache_price = self.prompt if self.cache_read is None else self.cache_read
        prompt = self.prompt * (tokens_in - cached) + cache_price * cached
        return round_up(prompt + self.completion * tokens_out + self.request)

    def saved_nanos(self, tokens_cached: int) -> int:
        """What cached tokens saved against the full price of a prompt."""
        return 0 if self.cache_read is None else int((self.prompt - self.cache_read) * tokens_cached * NANOS_PER_USD)


FREE = Price(Decimal(0), Decimal(0))


def parse_prices(text: str) -> dict[str, Price]:
    """`name=prompt/completion` in US dollars per million tokens, comma separated. Raises ValueError."""
    prices = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, price = entry.rpartition("=")
        sides = price.split("/")
        if not name.strip() or len(sides) != 2:
            raise ValueError(f"“{entry}” is not name=prompt/completion")
        try:
            prompt, completion = (Decimal(side.strip()) for side in sides)
        except InvalidOperation as exc:
            raise ValueError(f"“{price}” is no price") from exc
        if not all(side.is_finite() and side >= 0 for side in (prompt, completion)):
            raise ValueError(f"“{price}” is no price")
        prices[name.strip()] = Price(prompt / PER_MILLION, completion / PER_MILLION)
    return prices
