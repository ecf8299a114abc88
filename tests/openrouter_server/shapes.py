"""The JSON of chat completions: `ChatResult` and `ChatStreamChunk` of the OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.openrouter_server.catalogue import Model
from tests.openrouter_server.pricing import Cost
from tests.openrouter_server.replies import Reply, Speech, ToolCall, UsageShape, tokens_of

TOKENS_PER_ARGUMENT_FRAGMENT = 2


@dataclass
class Generation:
    """One answer of one model: its id, what was scripted, what it says, what it costs if it is charged.

    hold: US dollars that stand reserved for it until it is billed.
    """

    id: str
    model: Model
    reply: Reply
    speech: Speech
    cost: Cost
    created: int
    hold: Decimal = Decimal(0)
    billed: bool = False
    error: Mapping[str, Any] | None = field(default=None)

    @property
    def charged(self) -> bool:
        """Whether its end is charged: zero completion tokens and finish_reason error are not."""
        return self.speech.usage.completion > 0 and self.speech.finish_reason != "error"

    @property
    def named_model(self) -> str:
        """The model id the answer carries."""
        return self.reply.served_by or self.model.id


def result(generation: Generation) -> dict[str, Any]:
    """The body of a plain answer."""
    speech = generation.speech
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if speech.tool_calls and not speech.text else speech.text,
        "refusal": None,
        "reasoning": speech.reasoning,
    }
    if speech.tool_calls:
        message["tool_calls"] = [_tool_call(generation, i, call) for i, call in enumerate(speech.tool_calls)]
    choice: dict[str, Any] = {
        "index": 0,
        "logprobs": None,
        "finish_reason": speech.finish_reason,
        "native_finish_reason": speech.finish_reason,
        "message": message,
    }
    if generation.error is not None:
        choice["error"] = generation.error
    body = _head(generation, "chat.completion") | {"choices": [choice], "system_fingerprint": None}
    return body | ({"usage": usage(generation)} if generation.reply.usage_reported else {})


def chunk(generation: Generation, delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    """One chunk of a stream."""
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": "", **delta},
        "finish_reason": finish_reason,
        "native_finish_reason": finish_reason,
        "logprobs": None,
    }
    return _head(generation, "chat.completion.chunk") | {"choices": [choice]}


def error_chunk(generation: Generation, error: Mapping[str, Any]) -> dict[str, Any]:
    """The event in which a stream that began with a 200 fails."""
    return chunk(generation, {}, "error") | {"error": error}


def content_chunks(generation: Generation, tokens_per_chunk: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The pieces of the text, each with how many tokens of it are out after it."""
    pieces = generation.speech.pieces
    for start in range(0, len(pieces), tokens_per_chunk):
        end = min(start + tokens_per_chunk, len(pieces))
        yield end, chunk(generation, {"content": "".join(pieces[start:end])})


def tool_chunks(generation: Generation) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tool calls in fragments, first id and name, then the arguments; each with how many tokens it is."""
    for index, call in enumerate(generation.speech.tool_calls):
        opening = _tool_call(generation, index, call)
        opening["function"] = {"name": call.name, "arguments": ""}
        yield len(tokens_of(call.name)), chunk(generation, _fragment({"index": index} | opening))
        tokens = tokens_of(call.arguments_text)
        for start in range(0, len(tokens), TOKENS_PER_ARGUMENT_FRAGMENT):
            arguments = "".join(tokens[start : start + TOKENS_PER_ARGUMENT_FRAGMENT])
            fragment = {"index": index, "type": "function", "function": {"arguments": arguments}}
            yield len(tokens_of(arguments)), chunk(generation, _fragment(fragment))


def _fragment(tool_call: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": None, "tool_calls": [tool_call]}


def last_chunk(generation: Generation, shape: UsageShape) -> dict[str, Any]:
    """The chunk with the usage: without choices, or with a content-free delta that repeats finish_reason."""
    body = chunk(generation, {}, generation.speech.finish_reason)
    if shape is UsageShape.EMPTY_CHOICES:
        body["choices"] = []
    return body | ({"usage": usage(generation)} if generation.reply.usage_reported else {})


def usage(generation: Generation) -> dict[str, Any]:
    """The `usage` object; `cost` is US dollars as an exact number, or null."""
    used = generation.speech.usage
    cost = generation.cost if generation.charged else Cost()
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.completion,
        "total_tokens": used.prompt + used.completion,
        "cost": cost.total if generation.reply.cost_reported else None,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": used.cached,
            "cache_write_tokens": used.cache_write,
            "audio_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": cost.prompt,
            "upstream_inference_completions_cost": cost.completion,
        },
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }


def _head(generation: Generation, kind: str) -> dict[str, Any]:
    return {
        "id": generation.id,
        "object": kind,
        "created": generation.created,
        "model": generation.named_model,
        "provider": generation.model.provider,
    }


def _tool_call(generation: Generation, index: int, call: ToolCall) -> dict[str, Any]:
    name = call.id or f"call_{generation.id.rsplit('-', 1)[1]}_{index}"
    function = {"name": call.name, "arguments": call.arguments_text}
    return {"id": name, "type": "function", "function": function}
