"""Groq: open models, fast; some of OpenAI's fields are answered with 400, and 498 is a status of its own."""

from ai.llm.dialects.base import Dialect
from ai.llm.failures import Rule, Scope

GROQ = Dialect(
    name="groq",
    base_url="https://api.groq.com/openai/v1",
    default_model="llama-3.3-70b-versatile",
    cap_field="max_completion_tokens",
    refused_fields=frozenset({"logprobs", "top_logprobs", "logit_bias", "n"}),
    refused_message_fields=frozenset({"name"}),
    rules=(Rule(498, "", Scope.MODEL, "has no capacity left for this model"),),
)
