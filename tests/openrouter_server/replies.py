"""What the models of the test server say: scripted, computed, or a deterministic paragraph."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

from tests.openrouter_server.catalogue import Model
from tests.openrouter_server.pricing import Usage
from tests.openrouter_server.schema_text import conforming

CHARS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4


class UsageShape(StrEnum):
    """How the last chunk of a stream carries usage; real ones come in both shapes."""

    EMPTY_CHOICES = "empty_choices"
    REPEATED_FINISH = "repeated_finish"


@dataclass(frozen=True)
class ToolCall:
    """One function call: `arguments` is a mapping, or raw text (which may then be broken JSON on purpose)."""

    name: str
    arguments: Mapping[str, Any] | str = ""
    id: str | None = None

    @property
    def arguments_text(self) -> str:
        """The arguments as the wire carries them: JSON in a string."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class Reply:
    """One scripted answer. Whatever is None is worked out from the request.

    text: what it says; None with tool calls says nothing, None without says the default paragraph.
    prompt_tokens, completion_tokens: as billed and reported; completion_tokens includes reasoning, and when
    it is given
        the text is not cut to the cap (a cap is no hard bound at the real one either).
    cached_tokens, cache_write_tokens: the part of the prompt read from, written to, the provider's cache.
    served_by: the model id the answer names, e.g. a dated slug.
    cost_reported: False gives `usage.cost: null`; usage_reported: False leaves `usage` out (billed all the
    same).
    delay_s, chunk_delay_s: seconds before the first byte, and between the pieces of a stream.
    pause_after: stop the stream after so many pieces of content until the client leaves or `server.resume()`.
    error: makes the answer a failed one: `choices[0].error`, or an error event in a stream.
    """

    text: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    reasoning: str | None = None
    reasoning_tokens: int | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    served_by: str | None = None
    cost_reported: bool = True
    usage_reported: bool = True
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    pause_after: int | None = None
    error: Mapping[str, Any] | None = None


class ReplyFields(TypedDict, total=False):
    """The fields of Reply but its text, as keyword arguments."""

    tool_calls: Sequence[ToolCall]
    reasoning: str | None
    reasoning_tokens: int | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int
    cache_write_tokens: int
    served_by: str | None
    cost_reported: bool
    usage_reported: bool
    delay_s: float
    chunk_delay_s: float
    pause_after: int | None
    error: Mapping[str, Any] | None


@dataclass(frozen=True)
class Speech:
    """A reply worked out for one request: the pieces it is streamed in, and what it uses."""

    pieces: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]
    reasoning: str | None
    finish_reason: str
    usage: Usage

    @property
    def text(self) -> str:
        """The whole visible text."""
        return "".join(self.pieces)


def tokens_of(text: str) -> list[str]:
    """Cuts a text into tokens of at most four characters; joined they are the text again."""
    return re.findall(rf"(?s).{{1,{CHARS_PER_TOKEN}}}", text)


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """The prompt tokens of a request: its messages, its tools and its response schema."""
    text = "".join(_text(message) for message in body.get("messages") or [])
    extra = [body[key] for key in ("tools", "response_format") if body.get(key)]
    size = len(text.encode()) + sum(len(json.dumps(value)) for value in extra)
    return math.ceil(size / CHARS_PER_TOKEN) + TOKENS_PER_MESSAGE * len(body.get("messages") or [])


def token_cap(body: Mapping[str, Any]) -> int | None:
    """The request's cap on completion tokens (`max_tokens` is deprecated but accepted), or None."""
    cap = body.get("max_completion_tokens")
    return cap if cap is not None else body.get("max_tokens")


def speak(reply: Reply, body: Mapping[str, Any], model: Model) -> Speech:
    """Works a reply out for a request: text, tool calls, the cut at the token cap, finish_reason, usage."""
    calls = tuple(reply.tool_calls) or _calls_wanted(reply, body, model)
    text = reply.text if reply.text is not None else "" if calls else _default_text(body, model)
    reasoning = reply.reasoning_tokens if reply.reasoning_tokens is not None else model.default_reasoning_tokens
    pieces = tokens_of(text)
    arguments = sum(len(tokens_of(call.name)) + len(tokens_of(call.arguments_text)) for call in calls)
    finish = "tool_calls" if calls else "stop"
    cap = token_cap(body) or model.max_completion_tokens
    completion = reasoning + len(pieces) + arguments
    if reply.completion_tokens is not None:
        completion = reply.completion_tokens
        reasoning = min(reasoning, completion)
    elif cap is not None and completion > cap:
        reasoning = min(reasoning, cap)
        pieces, calls, finish = pieces[: cap - reasoning], (), "length"
        completion = reasoning + len(pieces)
    prompt = reply.prompt_tokens if reply.prompt_tokens is not None else prompt_tokens(body)
    thought = reply.reasoning or ("I weigh what I was asked." if reasoning else None)
    usage = Usage(prompt, completion, reasoning, reply.cached_tokens, reply.cache_write_tokens)
    return Speech(tuple(pieces), calls, thought, reply.finish_reason or finish, usage)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    calls = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
    return "".join(str(part.get("text", "")) for part in parts) + calls


def _default_text(body: Mapping[str, Any], model: Model) -> str:
    wanted = body.get("response_format") or {}
    said = len("".join(_text(message) for message in body.get("messages") or []))
    paragraph = (
        f"I have read {said} characters in {len(body.get('messages') or [])} messages. "
        "I am here, I think about them for a moment, and I keep my answer short because every word costs."
    )
    # A provider that does not know response_format ignores it, unless the request says require_parameters.
    if wanted.get("type") == "json_schema" and model.supports("structured_outputs"):
        return json.dumps(conforming(wanted["json_schema"].get("schema") or {}), ensure_ascii=False)
    if wanted.get("type") == "json_object" and model.supports("response_format"):
        return json.dumps({"reply": paragraph})
    return paragraph


def _calls_wanted(reply: Reply, body: Mapping[str, Any], model: Model) -> tuple[ToolCall, ...]:
    """The call a request insists on (`tool_choice` required or named); `auto` is answered in prose."""
    choice = body.get("tool_choice")
    tools = [tool["function"] for tool in body.get("tools") or [] if tool.get("type") == "function"]
    if isinstance(choice, Mapping):
        tools = [tool for tool in tools if tool["name"] == choice.get("function", {}).get("name")]
    elif choice != "required":
        return ()
    if reply.text is not None or not tools:
        return ()
    return (ToolCall(tools[0]["name"], conforming(tools[0].get("parameters") or {"type": "object"})),)
