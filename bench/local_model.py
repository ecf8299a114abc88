"""The local model in our hands beside the bare library, in one run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from ai.llm.base import CompletionRequest
from ai.llm.local import PACKAGED, LocalModel
from bench.figure import Figure

TOKENS = 100
MESSAGES: tuple[dict[str, Any], ...] = (
    {"role": "system", "content": "You are a small mind that lives inside a computer. " * 8},
    {"role": "user", "content": "Tell me a long story about the sea."},
)


def measure() -> Iterator[Figure]:
    """Tokens a second against bare xllamacpp, and how much of the second prompt comes from the cache."""
    model = LocalModel(PACKAGED, timeout_s=120)
    ours_per_s, cached = asyncio.run(_ours(model))
    bare_per_s = _bare(model)
    asyncio.run(model.aclose())
    how = f"{TOKENS} tokens on the same loaded model, one after the other"
    yield Figure("local model against bare xllamacpp", ours_per_s / bare_per_s, "×", 0.95, how, larger_is_better=True)
    yield Figure("local model", ours_per_s, "tokens/s", None, how)
    yield Figure("second thought's prompt from the cache", cached * 100, "%", 90, "cached of all prompt tokens", True)


async def _ours(model: LocalModel) -> tuple[float, float]:
    request = CompletionRequest("local", MESSAGES, TOKENS)
    await model.complete(request, lambda _: None)  # loads and fills the cache
    started = time.perf_counter()
    done = await model.complete(request, lambda _: None)
    took_s = time.perf_counter() - started
    assert done.usage is not None
    return done.usage.tokens_out / took_s, done.usage.tokens_cached / done.usage.tokens_in


def _bare(model: LocalModel) -> float:
    body = {"messages": list(MESSAGES), "max_tokens": TOKENS, "cache_prompt": True}
    started = time.perf_counter()
    answer = model.engine.handle_chat_completions(body)
    return float(answer["usage"]["completion_tokens"]) / (time.perf_counter() - started)
