"""A provider that says what it was told to: for tests and for living a month in seconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from decimal import Decimal

from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText, ToolCall, Usage
from ai.llm.failures import CallFailed

Line = str | Completion | CallFailed
Script = Callable[[CompletionRequest], Line]


class Scripted:
    """Answers each request from a script: a list of lines, repeated when it ends, or a function of the request.

    A line is a text, a whole Completion, or a CallFailed to raise. A plain text costs no money; `asked` keeps every
    request.
    """

    def __init__(self, script: Iterable[Line] | Script = ("I am here.",), *, name: str = "scripted") -> None:
        self.name = name
        self.asked: list[CompletionRequest] = []
        self._script = script if callable(script) else _repeat(list(script))

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        """The next line of the script."""
        self.asked.append(request)
        await asyncio.sleep(0)  # as any real call, it lets others run
        line = self._script(request)
        if isinstance(line, CallFailed):
            raise line
        completion = says(line, model=request.model) if isinstance(line, str) else line
        if completion.text:
            on_text(completion.text)
        return completion

    async def aclose(self) -> None:
        """Nothing is held."""


def says(
    text: str = "",
    *,
    model: str = "scripted",
    calls: Iterable[tuple[str, dict[str, object]]] = (),
    cost_usd: Decimal | None = Decimal(0),
    tokens: tuple[int, int] = (100, 20),
) -> Completion:
    """A completion with `text`, tool calls as (name, arguments), its cost, and (prompt, completion) tokens."""
    tool_calls = tuple(ToolCall(f"call_{i}", name, json.dumps(args)) for i, (name, args) in enumerate(calls))
    message: dict[str, object] = {"role": "assistant", "content": text}
    if tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in tool_calls
        ]
    usage = Usage(tokens_in=tokens[0], tokens_out=tokens[1], cost_usd=cost_usd)
    return Completion(text, tool_calls, "tool_calls" if tool_calls else "stop", model, usage, None, message)


def _repeat(lines: list[Line]) -> Script:
    position = 0

    def next_line(_: CompletionRequest) -> Line:
        nonlocal position
        line = lines[position % len(lines)]
        position += 1
        return line

    return next_line
