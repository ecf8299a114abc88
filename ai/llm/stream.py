"""A reply while it comes in: chunks are added, and at the end it is a Completion or a failure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ai.llm.base import Completion, OnText, ToolCall, Usage
from ai.llm.failures import CallFailed, Fate, Scope, error_message
from ai.wellformed import well_formed

DEAREST_CALL_USD = 1_000_000  # beyond it somebody mistyped: no call and no month of a key costs as much
MOST_TOKENS = 1_000_000_000


class Reply:
    """Collects one reply of `model` at `provider`."""

    def __init__(self, provider: str, model: str) -> None:
        self.generation_id: str | None = None
        self._provider = provider
        self._model = model
        self._text: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._finish_reason: str | None = None
        self._usage: Usage | None = None

    def add_chunk(self, chunk: Any, on_text: OnText) -> None:
        """Add one streamed chunk; `on_text` gets its visible text. Raises CallFailed when it carries an error."""
        self._add(chunk, "delta", on_text)

    def add_whole(self, body: Any, on_text: OnText) -> None:
        """Add a reply that came in one piece."""
        self._add(body, "message", on_text)

    def completion(self) -> Completion:
        """The whole reply. Raises CallFailed when it says nothing: that was billed all the same."""
        text = well_formed("".join(self._text))
        calls = tuple(
            ToolCall(call["id"] or f"call_{index}", call["name"], call["arguments"])
            for index, call in sorted(self._calls.items())
        )
        if not text.strip() and not calls:
            why = f" (finish reason: {self._finish_reason})" if self._finish_reason else ""
            raise self._failure(f"{self._model} said nothing{why}")
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in calls
            ]
        return Completion(text, calls, self._finish_reason, self._model, self._usage, self.generation_id, message)

    def broken(self, message: str) -> CallFailed:
        """The failure of a connection that ended in the middle: charged if the usage came, else unknown."""
        return self._failure(message)

    def _add(self, frame: Any, part: str, on_text: OnText) -> None:
        try:
            self._take_frame(frame)
            for choice in frame.get("choices") or ():
                self._take_choice(choice, choice.get(part) or {}, on_text)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            raise self.broken(f"{self._provider} sent something of no known shape") from exc
        self._refuse_error(frame)

    def _failure(self, message: str) -> CallFailed:
        fate = Fate.UNKNOWN if self._usage is None else Fate.CHARGED
        return CallFailed(message, scope=Scope.MODEL, fate=fate, usage=self._usage, generation_id=self.generation_id)

    def _take_frame(self, frame: Mapping[str, Any]) -> None:
        self.generation_id = self.generation_id or frame.get("id")
        self._model = frame.get("model") or self._model
        if isinstance(frame.get("usage"), Mapping):
            self._usage = parse_usage(frame["usage"])

    def _take_choice(self, choice: Mapping[str, Any], part: Mapping[str, Any], on_text: OnText) -> None:
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        if text := part.get("content"):
            if not isinstance(text, str):
                raise TypeError("content that is no text")
            self._text.append(text)
            on_text(text)
        for position, fragment in enumerate(part.get("tool_calls") or ()):
            call = self._calls.setdefault(int(fragment.get("index", position)), {"id": "", "name": "", "arguments": ""})
            function = fragment.get("function") or {}
            call["id"] = fragment.get("id") or call["id"]
            call["name"] += function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""

    def _refuse_error(self, frame: Mapping[str, Any]) -> None:
        if "error" not in frame and self._finish_reason != "error":
            return
        said = error_message(frame.get("error") or "the model stopped with an error")
        message = f"{self._provider} failed in the middle of a reply ({said})"
        if self._usage is None:  # facts: a reply that ends in an error is not charged
            raise CallFailed(message, scope=Scope.MODEL, fate=Fate.FREE, generation_id=self.generation_id)
        raise self._failure(message)


def parse_usage(usage: Mapping[str, Any]) -> Usage:
    """Usage in the OpenAI shape, with OpenRouter's `cost` (US dollars; a JSON number, parsed as a decimal)."""
    details = {name: usage.get(f"{name}_tokens_details") or {} for name in ("prompt", "completion")}
    return Usage(
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        tokens_cached=_count(details["prompt"].get("cached_tokens")),
        tokens_reasoning=_count(details["completion"].get("reasoning_tokens")),
        cost_usd=parse_cost(usage.get("cost")),
    )


def parse_cost(cost: Any) -> Decimal | None:
    """US dollars, or None when nothing was said or what was said is no amount anyone could have spent.

    Raises ArithmeticError when it is no number at all.
    """
    if cost is None:
        return None
    dollars = Decimal(str(cost))
    return dollars if dollars.is_finite() and 0 <= dollars <= DEAREST_CALL_USD else None


def _count(tokens: Any) -> int:
    """Tokens as they may be booked; a count no model could reach is none."""
    number = Decimal(str(tokens or 0))
    return int(number) if number.is_finite() and 0 <= number <= MOST_TOKENS else 0
