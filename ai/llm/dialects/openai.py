"""OpenAI itself, whose reasoning models know only `max_completion_tokens` and who says 429 when credit has run out."""

from ai.llm.dialects.base import Dialect
from ai.llm.failures import Rule, Scope, Until

OPENAI = Dialect(
    name="openai",
    base_url="https://api.openai.com/v1",
    default_model="gpt-4o-mini",
    cap_field="max_completion_tokens",
    rules=(Rule(None, "insufficient_quota", Scope.FUNDS, "has no credits left", Until.TOPUP),),
)
