"""OpenRouter: hundreds of models behind one key, with their prices (its OpenAPI; facts tried by others)."""

from ai.llm.dialects.base import Dialect

OPENROUTER = Dialect(
    name="openrouter",
    base_url="https://openrouter.ai/api/v1",
    default_model="qwen/qwen3-coder:free",
    effort_path=("reasoning", "effort"),
    takes_max_price=True,
    cache_marked=("anthropic/",),  # the others cache by themselves; Gemini's own caching is implicit since 2.5
    headers={"X-OpenRouter-Title": "Am I Alive?"},
    failures_are_free=True,
    lists_prices=True,
    tells_key=True,
    tells_cost=True,
    free_calls_a_minute=20,
)
