"""What OpenAI, Gemini and Groq publish about their models: their own GET /models names ids, without any price.

US dollars per million tokens as they stood in June 2026 on the publishers' pages, read in public copies of them:
https://platform.openai.com/docs/pricing, https://ai.google.dev/gemini-api/docs/pricing, https://groq.com/pricing and
the model pages beside them. They are the standard rates for text. MODEL_PRICES replaces any of them, and a model
that stands nowhere has no known price.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ai.models.pricing import PER_MILLION

OPENAI_EFFORTS = ("high", "medium", "low", "minimal")
EFFORTS = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Listed:
    """One row: the id, the longest context and reply in tokens, US dollars per million (prompt, cached, completion).

    `over_200k` are the same three prices for prompts of more than 200,000 tokens. `efforts` are the reasoning efforts
    it knows, the highest first; `reasons` says that it spends hidden tokens.
    """

    id: str
    context_tokens: int
    completion_tokens: int
    prompt: str
    cached: str | None
    completion: str
    reasons: bool = False
    efforts: tuple[str, ...] = ()
    over_200k: tuple[str, str, str] | None = None
    schema: bool = True


LIST: dict[str, tuple[Listed, ...]] = {
    "openai": (
        Listed("gpt-4o", 128_000, 16_384, "2.50", "1.25", "10.00"),
        Listed("gpt-4o-mini", 128_000, 16_384, "0.15", "0.075", "0.60"),
        Listed("gpt-4.1", 1_047_576, 32_768, "2.00", "0.50", "8.00"),
        Listed("gpt-4.1-mini", 1_047_576, 32_768, "0.40", "0.10", "1.60"),
        Listed("gpt-4.1-nano", 1_047_576, 32_768, "0.10", "0.025", "0.40"),
        Listed("gpt-5", 400_000, 128_000, "1.25", "0.125", "10.00", True, OPENAI_EFFORTS),
        Listed("gpt-5-mini", 400_000, 128_000, "0.25", "0.025", "2.00", True, OPENAI_EFFORTS),
        Listed("gpt-5-nano", 400_000, 128_000, "0.05", "0.005", "0.40", True, OPENAI_EFFORTS),
        Listed("o3", 200_000, 100_000, "2.00", "0.50", "8.00", True, EFFORTS),
        Listed("o4-mini", 200_000, 100_000, "1.10", "0.275", "4.40", True, EFFORTS),
    ),
    "gemini": (
        Listed("gemini-2.5-pro", 1_048_576, 65_536, "1.25", "0.125", "10.00", True, EFFORTS, ("2.50", "0.25", "15.00")),
        Listed("gemini-2.5-flash", 1_048_576, 65_536, "0.30", "0.03", "2.50", True, EFFORTS),
        Listed("gemini-2.5-flash-lite", 1_048_576, 65_536, "0.10", "0.01", "0.40", True, EFFORTS),
        Listed("gemini-2.0-flash", 1_048_576, 8_192, "0.10", "0.025", "0.40"),
        Listed("gemini-2.0-flash-lite", 1_048_576, 8_192, "0.075", None, "0.30"),
    ),
    "groq": (
        Listed("llama-3.3-70b-versatile", 131_072, 32_768, "0.59", None, "0.79", schema=False),
        Listed("llama-3.1-8b-instant", 131_072, 131_072, "0.05", None, "0.08", schema=False),
        Listed("openai/gpt-oss-120b", 131_072, 65_536, "0.15", "0.075", "0.60", True, EFFORTS),
        Listed("openai/gpt-oss-20b", 131_072, 65_536, "0.075", "0.0375", "0.30", True, EFFORTS),
        Listed("qwen/qwen3-32b", 131_072, 40_960, "0.29", None, "0.59", True, schema=False),
        Listed("meta-llama/llama-4-scout-17b-16e-instruct", 131_072, 8_192, "0.11", None, "0.34"),
    ),
}


def entries(provider: str) -> dict[str, dict[str, Any]]:
    """The published models of a provider by id, each in the shape of an entry of OpenRouter's GET /models."""
    return {row.id: _entry(row) for row in LIST.get(provider, ())}


def _entry(row: Listed) -> dict[str, Any]:
    supported = ["max_tokens", "tools", "tool_choice", *(["structured_outputs"] if row.schema else [])]
    pricing: dict[str, Any] = _rates(row.prompt, row.cached, row.completion)
    if row.over_200k is not None:
        pricing["overrides"] = [{"min_prompt_tokens": 200_000, **_rates(*row.over_200k)}]
    return {
        "id": row.id,
        "name": row.id,
        "context_length": row.context_tokens,
        "pricing": pricing,
        "top_provider": {"context_length": row.context_tokens, "max_completion_tokens": row.completion_tokens},
        "supported_parameters": [*supported, "reasoning"] if row.reasons else supported,
    } | ({"reasoning": {"supported_efforts": list(row.efforts)}} if row.efforts else {})


def _rates(prompt: str, cached: str | None, completion: str) -> dict[str, str]:
    per_million = {"prompt": prompt, "completion": completion}
    if cached is not None:
        per_million["input_cache_read"] = cached
    return {key: f"{Decimal(amount) / PER_MILLION:f}" for key, amount in per_million.items()}
