"""What may differ from one OpenAI-compatible provider to the next, as data that the one client reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ai.llm.failures import Rule


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider. The defaults are the plain protocol; whoever differs says where.

    A new provider is one more file beside this one with a `Dialect` in it, and its secret's name in the vault.
    """

    name: str
    base_url: str
    default_model: str  # thinks until somebody chooses another: one that a daily thought can afford
    needs_key: bool = True

    # What it takes
    cap_field: str = "max_tokens"  # or max_completion_tokens
    effort_path: Sequence[str] = ("reasoning_effort",)  # where in the body the reasoning effort goes
    refused_fields: frozenset[str] = frozenset()  # answered with 400, so never sent
    refused_message_fields: frozenset[str] = frozenset()
    takes_max_price: bool = False  # `provider.max_price` binds it to our table
    cache_marked: Sequence[str] = ()  # ids that begin so cache a prompt only up to an explicit mark
    headers: Mapping[str, str] = field(default_factory=dict)

    # What it answers
    rules: Sequence[Rule] = ()  # errors that mean something else here, read before the common ones
    hides_thinking: bool = False  # thinking is billed but missing from completion_tokens: total − prompt has it
    failures_are_free: bool = False  # a reply without one token, or ended by an error, is not charged

    # What it offers
    list_prefix: str = ""  # stands before each id in its list of models, and nowhere else
    lists_prices: bool = False
    tells_key: bool = False  # GET /key: what the key used and what is left of it
    tells_cost: bool = False  # GET /generation: what one call cost
    free_calls_a_minute: int | None = None  # of models whose id ends with `:free`, by the whole account
    everything_free: bool = False  # it runs on the keeper's own machine

    @property
    def secret(self) -> str:
        """The name of its key in the vault."""
        return f"{self.name.upper()}_API_KEY"
