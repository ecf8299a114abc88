"""What is asked of the line of models, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ai.llm.base import Completion, Message, Tool
from ai.models.model_config import ModelInfo


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate in the line and what came of it: thought, failed or skipped."""

    model: str
    provider: str
    outcome: str
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"model": self.model, "provider": self.provider, "outcome": self.outcome, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of whom. `compose` writes the messages for the model that is about to be called."""

    purpose: str
    wanted: str
    classes: Sequence[str]
    reply_cap_tokens: int
    compose: Callable[[ModelInfo], Sequence[Message]]
    tools: Sequence[Tool] = ()
    schema: Mapping[str, Any] | None = None
    use_reserve: bool = False
    fallback: bool = True
    thought_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, from whom, for how much (nano-dollars), and the line that led there."""

    completion: Completion
    model: ModelInfo
    asked: Sequence[Message]
    attempts: Sequence[Attempt]
    why: str
    cost_nanos: int
    latency_s: Decimal
