"""Google's Gemini by its OpenAI-compatible address: fields it does not know are answered with 400."""

from ai.llm.dialects.base import Dialect
from ai.llm.failures import Rule, Scope, Until

GEMINI = Dialect(
    name="gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    default_model="gemini-2.5-flash",
    refused_fields=frozenset({"provider", "usage", "reasoning", "frequency_penalty", "top_k"}),
    rules=(
        # It answers a wrong key with 400 (INVALID_ARGUMENT), which elsewhere is our own bug.
        Rule(400, "api key not valid", Scope.CREDENTIAL, "does not accept the key", Until.KEY),
        Rule(400, "api_key_invalid", Scope.CREDENTIAL, "does not accept the key", Until.KEY),
        Rule(403, "", Scope.CREDENTIAL, "does not let this key in", Until.KEY),
        Rule(429, "perday", Scope.MODEL, "has given all its calls of the day", Until.DAY),
    ),
    hides_thinking=True,
    list_prefix="models/",
)
