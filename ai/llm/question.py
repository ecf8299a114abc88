"""What is asked of the line of models, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from ai.economy.money import exact
from ai.llm.base import Completion, Message, OnText, Tool
from ai.models.model_config import ModelInfo

THOUGHT, FAILED, SKIPPED = "thought", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate in the line and what came of it: thought, failed or skipped.

    `cost_nanos` is what a failed one is known to have cost all the same; `rests_until` is when whatever it retired is
    tried again.
    """

    model: str
    provider: str
    outcome: str
    reason: str = ""
    cost_nanos: int = 0
    latency_s: Decimal = Decimal(0)
    rests_until: str | None = None

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"model": self.model, "provider": self.provider, "outcome": self.outcome}
        told["reason"] = self.reason
        if self.outcome != SKIPPED:
            told |= {"cost": exact(self.cost_nanos), "latency_s": float(self.latency_s)}
        return told | ({"rests_until": self.rests_until} if self.rests_until else {})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of whom. `compose` writes the messages for the model that is about to be called, `schema_for` the
    JSON schema of its reply.

    `because` is one plain clause on why this model is wanted; empty, it is simply the resident one. `stable_messages`
    counts the leading messages that are the same at every thought.
    """

    purpose: str
    wanted: str
    classes: Sequence[str]
    reply_cap_tokens: int
    compose: Callable[[ModelInfo], Sequence[Message]]
    tools: Sequence[Tool] = ()
    schema_for: Callable[[ModelInfo], Mapping[str, Any]] | None = None
    use_reserve: bool = False
    fallback: bool = True
    thought_id: str | None = None
    because: str = ""
    stable_messages: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, from whom, for how much (nano-dollars), and the line that led there.

    `saved_nanos` is what the provider's cache saved of the prompt's price.
    """

    completion: Completion
    model: ModelInfo
    asked: Sequence[Message]
    attempts: Sequence[Attempt]
    why: str
    cost_nanos: int
    latency_s: Decimal
    saved_nanos: int = 0


class Mind(Protocol):
    """Whoever answers questions."""

    async def ask(self, question: Question, on_attempt: Callable[[int], OnText]) -> Answer:
        """The answer; `on_attempt` is told each attempt's number and gives back where its text goes.

        Raises NobodyThought.
        """


def unheard(_: int) -> OnText:
    """Nobody listens while it is written: for `on_attempt`."""
    return lambda _: None
