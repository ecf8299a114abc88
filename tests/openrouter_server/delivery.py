"""How an answer goes out: whole, or as server-sent events, or broken off in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from tests.openrouter_server import shapes, wire
from tests.openrouter_server.fault import Fault, Kind
from tests.openrouter_server.gate import Answer
from tests.openrouter_server.replies import UsageShape
from tests.openrouter_server.shapes import Generation
from tests.openrouter_server.world import Call
from tests.serving.exchange import Exchange

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
PROCESSING = b": OPENROUTER PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"
PARTS = 4  # pieces in which a slow plain answer goes out


class Settings(Protocol):
    """What of the server's settings shapes a delivery."""

    usage_shape: UsageShape
    tokens_per_chunk: int
    slow_delay_s: float


class Settle(Protocol):
    """Books the generation; more than once has no effect."""

    def __call__(self, aborted: bool = False) -> None:
        """`aborted` says that the client cannot have read the cost."""


async def send_answer(exchange: Exchange, call: Call, answer: Answer) -> None:
    """Sends a whole answer, chunked and without Content-Length, as the real one sends its errors."""
    call.status = answer.status
    is_html = isinstance(answer.body, str)
    await exchange.start(answer.status, {**(HTML if is_html else JSON), **answer.headers})
    await exchange.write(answer.body.encode() if is_html else wire.dumps(answer.body))
    await exchange.end()


async def send_plain(
    exchange: Exchange,
    call: Call,
    generation: Generation,
    fault: Fault | None,
    settings: Settings,
    pause: asyncio.Event,
    settle: Settle,
    heard: Callable[[int], None],
) -> None:
    """Sends a plain completion; it is charged before the first byte, as nothing can stop a plain call."""
    del heard
    if generation.reply.pause_after is not None:
        await exchange.wait_for(pause)
    kind = fault.kind if fault else None
    failed_alone = kind is Kind.ERROR_ONLY
    body = wire.dumps({"error": generation.error} if failed_alone else shapes.result(generation))
    settle(aborted=kind is Kind.DROP_MIDWAY)
    call.status = 200
    await exchange.start(200, {**JSON, "X-Generation-Id": generation.id})
    if kind is Kind.DROP_MIDWAY:
        await exchange.write(body[: len(body) // 2])
        await exchange.drop()
        return
    delay_s = settings.slow_delay_s if kind is Kind.SLOW else 0.0
    size = -(-len(body) // PARTS) if kind is Kind.SLOW else len(body)
    for start in range(0, len(body), size):
        await exchange.wait(delay_s)
        await exchange.write(body[start : start + size])
    await exchange.end()


async def send_stream(
    exchange: Exchange,
    call: Call,
    generation: Generation,
    fault: Fault | None,
    settings: Settings,
    pause: asyncio.Event,
    settle: Settle,
    heard: Callable[[int], None],
) -> None:
    """Sends a completion as server-sent events; `heard` is told how many tokens of text are out."""
    kind = fault.kind if fault else None
    delay_s = settings.slow_delay_s if kind is Kind.SLOW else generation.reply.chunk_delay_s
    break_at = len(generation.speech.pieces) // 2 if kind is Kind.DROP_MIDWAY else None
    call.status = 200
    await exchange.start(200, {**EVENTS, "X-Generation-Id": generation.id})
    await exchange.write(PROCESSING)
    if kind is not Kind.ERROR_ONLY:
        async for said, chunk in _chunks(exchange, generation, settings, pause):
            await exchange.wait(delay_s)
            await exchange.write(wire.event(chunk))
            heard(said)
            if break_at is not None and said >= break_at:
                settle(aborted=True)
                await exchange.drop()
                return
    settle()
    for chunk in _ending(generation, settings, kind):
        await exchange.write(wire.event(chunk))
    await exchange.write(DONE)
    await exchange.end()


async def _chunks(
    exchange: Exchange, generation: Generation, settings: Settings, pause: asyncio.Event
) -> AsyncIterator[tuple[int, Mapping[str, Any]]]:
    """All but the end, each with how many tokens of text are out after it; pauses as the reply says."""
    pause_after = generation.reply.pause_after
    yield 0, shapes.chunk(generation, {})
    if generation.speech.reasoning is not None:
        yield 0, shapes.chunk(generation, {"reasoning": generation.speech.reasoning})
    said = 0
    for count, (now_said, chunk) in enumerate(shapes.content_chunks(generation, settings.tokens_per_chunk)):
        if count == pause_after:
            await exchange.wait_for(pause)
        said = now_said
        yield said, chunk
    for tokens, chunk in shapes.tool_chunks(generation):
        said += tokens
        yield said, chunk


def _ending(generation: Generation, settings: Settings, kind: Kind | None) -> list[Mapping[str, Any]]:
    if generation.error is not None:
        return [shapes.error_chunk(generation, generation.error)]
    finish = shapes.chunk(generation, {}, generation.speech.finish_reason)
    return [finish, shapes.last_chunk(generation, settings.usage_shape)]
