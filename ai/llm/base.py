"""What a model is asked and what it answers, whoever it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from ai.models.pricing import Price
from ai.wellformed import well_formed

Message = Mapping[str, Any]
"""One chat message in the OpenAI shape: role, content, and tool_calls or tool_call_id where they belong."""

OnText = Callable[[str], None]
"""Called with each piece of visible text as it comes; must return at once."""

OnNamed = Callable[[str], Awaitable[None]]
"""Called with a generation's id: what a call that is cut short later can be found again by."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may call. `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        function = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to use a tool. `arguments` is the JSON text it wrote, not yet trusted."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One call of one model. `schema` constrains the whole reply; `max_price` binds the provider to our table.

    `reasoning_effort` is one of the model's own words for it; `timeout_s` may only shorten the provider's bound;
    `cache_prefix` is how many leading messages never change, so that a provider that wants its caches marked is told.
    """

    model: str
    messages: Sequence[Message]
    max_tokens: int
    tools: Sequence[Tool] = ()
    schema: Mapping[str, Any] | None = None
    max_price: Price | None = None
    reasoning_effort: str | None = None
    timeout_s: float | None = None
    cache_prefix: int = 0

    def __post_init__(self) -> None:
        """Whatever a model once wrote comes back in prompts: no request carries what no wire can."""
        object.__setattr__(self, "messages", well_formed(list(self.messages)))

    def bound_s(self, longest_s: float) -> float:
        """Seconds this call may take, of a provider that gives none more than `longest_s`."""
        return longest_s if self.timeout_s is None else min(self.timeout_s, longest_s)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, and its cost in US dollars where the provider reports one."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    tokens_cache_write: int = 0
    cost_usd: Decimal | None = None

    @property
    def bookable(self) -> bool:
        """Whether it says what was used: no prompt is without a token, so a count without any is no count."""
        return self.cost_usd is not None or self.tokens_in > 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. `model` is the one that was really used."""

    text: str
    tool_calls: Sequence[ToolCall]
    finish_reason: str | None
    model: str
    usage: Usage | None
    generation_id: str | None = None
    message: Message = field(default_factory=dict)


class Provider(Protocol):
    """Somebody who runs models."""

    name: str

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        """Answer one request, streaming its visible text to `on_text`. Raises CallFailed.

        `on_named` is told the generation's id as soon as the provider gives it one, before any text.
        """

    async def aclose(self) -> None:
        """Give back what is held; nothing is asked afterwards."""


def prompt_bound_tokens(messages: Sequence[Message], tools_json_bytes: int) -> int:
    """An upper bound of a prompt's tokens: its UTF-8 bytes + 16 per message + the tools' JSON + 512."""
    written = sum(len(str(part).encode("utf-8", "replace")) for message in messages for part in message.values())
    return written + 16 * len(messages) + tools_json_bytes + 512
