"""A reply while it comes in: chunks are added, and at the end it is a Completion or a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ai.llm.base import Completion, OnText, ToolCall, Usage
from ai.llm.failures import CallFailed, Fate, Remedy, Rule, Scope, error_message, from_error
from ai.wellformed import well_formed

DEAREST_CALL_USD = 1_000_000  # beyond it somebody mistyped: no call and no month of a key costs as much
MOST_TOKENS = 1_000_000_000


@dataclass(slots=True)
class _Call:
    """A tool call while its fragments come in."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""


class Reply:
    """Collects one reply of `model` at `provider`. The rest is what its dialect says of its answers."""

    def __init__(
        self,
        provider: str,
        model: str,
        *,
        rules: Sequence[Rule] = (),
        hides_thinking: bool = False,
        failures_are_free: bool = False,
    ) -> None:
        self.generation_id: str | None = None
        self._provider = provider
        self._model = model
        self._rules = rules
        self._hides_thinking = hides_thinking
        self._failures_are_free = failures_are_free
        self._text: list[str] = []
        self._calls: list[_Call] = []
        self._finish_reason: str | None = None
        self._usage: Usage | None = None

    def add_chunk(self, chunk: Any, on_text: OnText) -> None:
        """Add one streamed chunk; `on_text` gets its visible text. Raises CallFailed when it carries an error."""
        self._add(chunk, "delta", on_text)

    def add_whole(self, body: Any, on_text: OnText) -> None:
        """Add a reply that came in one piece."""
        self._add(body, "message", on_text)

    def completion(self) -> Completion:
        """The whole reply. Raises CallFailed when it says nothing: that may have been billed all the same."""
        text = well_formed("".join(self._text))
        calls = tuple(
            ToolCall(call.id or f"call_{position}", call.name, call.arguments)
            for position, call in enumerate(self._calls)
        )
        if not text.strip() and not calls:
            raise self._said_nothing()
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

    def _said_nothing(self) -> CallFailed:
        if self._finish_reason == "tool_calls":
            return self._failure(f"{self._model} meant to use a tool and named none (finish reason: tool_calls)")
        why = f" (finish reason: {self._finish_reason})" if self._finish_reason else ""
        remedy = Remedy.LENGTHEN if self._finish_reason == "length" else Remedy.NONE
        return self._failure(f"{self._model} said nothing{why}", remedy)

    def _failure(self, message: str, remedy: Remedy = Remedy.NONE) -> CallFailed:
        return CallFailed(
            message,
            scope=Scope.MODEL,
            fate=self._fate(),
            remedy=remedy,
            usage=self._usage,
            generation_id=self.generation_id,
        )

    def _fate(self) -> Fate:
        """What a failed reply cost. Facts: OpenRouter charges no reply without a token and none ended by an error."""
        used = self._usage
        if used is None:
            free = self._failures_are_free and self._finish_reason == "error"
            return Fate.FREE if free else Fate.UNKNOWN
        return Fate.FREE if self._failures_are_free and not used.tokens_out and not used.cost_usd else Fate.CHARGED

    def _take_frame(self, frame: Mapping[str, Any]) -> None:
        self.generation_id = self.generation_id or frame.get("id")
        self._model = frame.get("model") or self._model
        if isinstance(frame.get("usage"), Mapping):
            self._usage = parse_usage(frame["usage"], hides_thinking=self._hides_thinking)

    def _take_choice(self, choice: Mapping[str, Any], part: Mapping[str, Any], on_text: OnText) -> None:
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        if text := part.get("content"):
            if not isinstance(text, str):
                raise TypeError("content that is no text")
            self._text.append(text)
            on_text(text)
        for fragment in part.get("tool_calls") or ():
            self._take_call(fragment, fragment.get("function") or {})

    def _take_call(self, fragment: Mapping[str, Any], function: Mapping[str, Any]) -> None:
        index, call_id = fragment.get("index"), fragment.get("id") or ""
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        call = self._continued(index, call_id, name)
        call.id = call_id or call.id
        call.name += name if name != call.name else ""  # some say the name with every fragment
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments, default=float)

    def _continued(self, index: int | None, call_id: str, name: str) -> _Call:
        """The call this fragment goes on with: the one with its id, else its index, else the last if it is nameless.

        Some send no index, some no id, and some the index 0 with every call.
        """
        for call in reversed(self._calls):
            if call_id and call.id:
                goes_on = call.id == call_id
            elif index is not None:
                goes_on = call.index == index
            else:
                goes_on = not name
            if goes_on:
                return call
        self._calls.append(_Call(index))
        return self._calls[-1]

    def _refuse_error(self, frame: Mapping[str, Any]) -> None:
        error = next((said["error"] for said in (frame, *(frame.get("choices") or ())) if said.get("error")), None)
        if error is None and self._finish_reason != "error":
            return
        self._finish_reason = "error"
        if error is None:
            raise self._failure(f"{self._provider} stopped in the middle of a reply without a reason")
        if self._text or self._calls or (self._usage is not None and self._usage.tokens_out):
            raise self._failure(f"{self._provider} failed in the middle of a reply ({error_message({'error': error})})")
        failed = from_error(self._provider, _code(error), {"error": error}, own_rules=self._rules)
        if self._usage is not None:  # an error status that came too late to be one, unless it says it costs
            failed.fate, failed.usage = self._fate(), self._usage
        failed.generation_id = self.generation_id
        raise failed


def _code(error: Any) -> int:
    """The status an error in a 200 names: an integer, once seen as a string; else the 200 it came with."""
    code = str(error.get("code")) if isinstance(error, Mapping) else ""
    return int(code) if re.fullmatch(r"[45]\d\d", code) else 200


def parse_usage(usage: Mapping[str, Any], *, hides_thinking: bool = False) -> Usage:
    """Usage in the OpenAI shape, with OpenRouter's `cost` (US dollars; a JSON number, parsed as a decimal).

    `hides_thinking`: whatever the total has beyond prompt and completion was thought, and is billed as completion.
    """
    details = {name: usage.get(f"{name}_tokens_details") or {} for name in ("prompt", "completion")}
    tokens_in, tokens_out = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    hidden = max(0, _count(usage.get("total_tokens")) - tokens_in - tokens_out) if hides_thinking else 0
    return Usage(
        tokens_in=tokens_in,
        tokens_out=tokens_out + hidden,
        tokens_cached=_count(details["prompt"].get("cached_tokens")),
        tokens_reasoning=_count(details["completion"].get("reasoning_tokens")) or hidden,
        tokens_cache_write=_count(details["prompt"].get("cache_write_tokens")),
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
