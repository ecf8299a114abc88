"""The models the test server offers: a small catalogue with one of every kind of price and trap.

Prices are decimal strings, US dollars per token, as `GET /models` gives them. Their size and shape follow
real entries of OpenRouter's catalogue (autumn 2026); the numbers themselves are only as true as a test needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

# Providers at which breaking off a stream stops the bill; at the others it runs on (OpenRouter's
# documentation,
# "Stream cancellation"). Never for plain calls.
STOPS_BILLING_ON_ABORT = frozenset({"OpenAI", "Anthropic", "DeepSeek", "Together", "Fireworks", "DeepInfra"})

BASIC = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed")
STRUCTURED = (*BASIC, "response_format", "structured_outputs")
TOOLS = (*STRUCTURED, "tools", "tool_choice")
THINKS = (*TOOLS, "reasoning", "include_reasoning", "reasoning_effort")


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue.

    `prompt`, `completion`: US dollars per token as decimal strings. `prices`: the optional price keys and
    `overrides`. `alias_of`: the id that answers in its place. `default_reasoning_tokens`: what its default
    reply thinks.
    """

    id: str
    name: str
    provider: str
    prompt: str
    completion: str
    prices: Mapping[str, Any] = field(default_factory=dict)
    context_length: int = 131_072
    max_completion_tokens: int | None = 16_384
    parameters: tuple[str, ...] = TOOLS
    tokenizer: str = "Other"
    expiration_date: str | None = None
    alias_of: str | None = None
    is_moderated: bool = False
    default_reasoning_tokens: int = 0

    @property
    def pricing(self) -> dict[str, Any]:
        """The `pricing` object of the catalogue."""
        return {"prompt": self.prompt, "completion": self.completion, **self.prices}

    @property
    def is_free(self) -> bool:
        """Whether a call costs nothing: the `:free` suffix (any case) or both prices explicitly zero."""
        return self.id.lower().endswith(":free") or Decimal(self.prompt) == Decimal(self.completion) == 0

    def supports(self, parameter: str) -> bool:
        """Whether some provider of this model takes the request parameter."""
        return parameter in self.parameters

    def to_json(self, by_id: Mapping[str, Model]) -> dict[str, Any]:
        """The entry as `GET /models` lists it (schema `Model` of OpenRouter's OpenAPI)."""
        entry: dict[str, Any] = {
            "id": self.id,
            "canonical_slug": self.id.removeprefix("~").split(":", maxsplit=1)[0],
            "hugging_face_id": None,
            "name": self.name,
            "created": 1_762_000_000,
            "description": f"{self.name}, as the test server offers it.",
            "context_length": self.context_length,
            "architecture": {
                "modality": "text->text",
                "input_modalities": ["text"],
                "output_modalities": ["text"],
                "tokenizer": self.tokenizer,
                "instruct_type": None,
            },
            "pricing": self.pricing,
            "top_provider": {
                "context_length": self.context_length,
                "max_completion_tokens": self.max_completion_tokens,
                "is_moderated": self.is_moderated,
            },
            "per_request_limits": None,
            "supported_parameters": list(self.parameters),
            "default_parameters": {"temperature": None, "top_p": None, "frequency_penalty": None},
            "supported_voices": None,
            "knowledge_cutoff": None,
            "expiration_date": self.expiration_date,
            "links": {"details": f"/api/v1/models/{self.id}/endpoints"},
        }
        if self.supports("reasoning"):
            entry["reasoning"] = {"mandatory": True, "supported_efforts": ["high", "medium", "low"]}
        if self.alias_of is not None and self.id.startswith("~"):
            entry["alias_target"] = {"slug": self.alias_of, "name": by_id[self.alias_of].name}
        return entry


CATALOGUE: tuple[Model, ...] = (
    Model(
        "openai/gpt-oss-20b:free",
        "OpenAI: gpt-oss-20b (free)",
        "OpenInference",
        "0",
        "0",
        parameters=THINKS,
        tokenizer="GPT",
        default_reasoning_tokens=12,
    ),
    Model("qwen/qwen3-coder:free", "Qwen: Qwen3 Coder (free)", "Venice", "0", "0", tokenizer="Qwen3"),
    Model(  # zero prices do not come with tools or structured output as of right
        "google/gemma-3-4b-it:free",
        "Google: Gemma 3 4B (free)",
        "Google AI Studio",
        "0",
        "0",
        parameters=BASIC,
        tokenizer="Gemma",
        context_length=32_768,
        max_completion_tokens=8_192,
    ),
    Model("openrouter/pony-alpha", "Pony Alpha", "Stealth", "0", "0"),  # free without the suffix
    Model(
        "openrouter/free",
        "Free Models Router",
        "OpenRouter",
        "0",
        "0",
        alias_of="openai/gpt-oss-20b:free",
        tokenizer="Router",
        parameters=THINKS,
    ),
    Model(
        "meta-llama/llama-3.2-3b-instruct",
        "Meta: Llama 3.2 3B Instruct",
        "DeepInfra",
        "0.00000002",
        "0.00000002",
        tokenizer="Llama3",
    ),
    Model(  # prices of a fraction of a nano-dollar: only a total may be rounded
        "liquid/lfm2-8b-a1b",
        "LiquidAI: LFM2 8B A1B",
        "Liquid",
        "0.0000000125",
        "0.0000000333",
        parameters=BASIC,
        context_length=32_768,
        max_completion_tokens=None,
    ),
    Model(  # a suffix that merely begins like `:free` is paid
        "acme/atlas:freedom",
        "Acme: Atlas Freedom",
        "Together",
        "0.00000005",
        "0.0000002",
    ),
    Model(
        "openai/gpt-oss-20b",
        "OpenAI: gpt-oss-20b",
        "Groq",
        "0.00000003",
        "0.00000014",
        parameters=THINKS,
        tokenizer="GPT",
        default_reasoning_tokens=12,
    ),
    Model(
        "anthropic/claude-3-haiku",
        "Anthropic: Claude 3 Haiku",
        "Anthropic",
        "0.00000025",
        "0.00000125",
        prices={"request": "0", "input_cache_read": "0.00000003", "input_cache_write": "0.0000003"},
        context_length=200_000,
        max_completion_tokens=4_096,
        tokenizer="Claude",
    ),
    Model(
        "anthropic/claude-sonnet-4.5",
        "Anthropic: Claude Sonnet 4.5",
        "Anthropic",
        "0.000003",
        "0.000015",
        prices={
            "input_cache_read": "0.0000003",
            "input_cache_write": "0.00000375",
            "overrides": [
                {
                    "min_prompt_tokens": 200_000,
                    "prompt": "0.000006",
                    "completion": "0.0000225",
                    "input_cache_read": "0.0000006",
                    "input_cache_write": "0.0000075",
                },
            ],
        },
        context_length=1_000_000,
        max_completion_tokens=64_000,
        tokenizer="Claude",
        parameters=THINKS,
    ),
    Model(
        "perplexity/sonar",
        "Perplexity: Sonar",
        "Perplexity",
        "0.000001",
        "0.000001",
        prices={"request": "0.005", "web_search": "0.005"},
        parameters=STRUCTURED,
        max_completion_tokens=None,
    ),
    Model(
        "perplexity/sonar-deep-research",
        "Perplexity: Sonar Deep Research",
        "Perplexity",
        "0.000002",
        "0.000008",
        prices={"internal_reasoning": "0.000003", "web_search": "0.005"},
        parameters=(*STRUCTURED, "reasoning", "include_reasoning"),
        default_reasoning_tokens=40,
    ),
    Model(  # cheaper by night: an override with a time of day that crosses midnight
        "deepseek/deepseek-chat-v3.1",
        "DeepSeek: DeepSeek V3.1",
        "DeepSeek",
        "0.00000027",
        "0.0000011",
        prices={"overrides": [{"utc_start": 1630, "utc_end": 30, "prompt": "0.000000135", "completion": "0.00000055"}]},
        tokenizer="DeepSeek",
    ),
    Model(
        "google/gemini-2.0-flash-001",
        "Google: Gemini 2.0 Flash",
        "Google AI Studio",
        "0.0000001",
        "0.0000004",
        prices={"input_cache_read": "0.000000025"},
        context_length=1_048_576,
        max_completion_tokens=8_192,
        tokenizer="Gemini",
        expiration_date="2027-03-31",
    ),
    Model(
        "openrouter/auto",
        "Auto Router",
        "OpenRouter",
        "-1",
        "-1",
        alias_of="anthropic/claude-3-haiku",
        tokenizer="Router",
        context_length=2_000_000,
        max_completion_tokens=None,
    ),
    Model(
        "~anthropic/claude-sonnet-latest",
        "Anthropic: Claude Sonnet (latest)",
        "Anthropic",
        "0.000003",
        "0.000015",
        prices={"input_cache_read": "0.0000003"},
        alias_of="anthropic/claude-sonnet-4.5",
        context_length=1_000_000,
        tokenizer="Claude",
        parameters=THINKS,
    ),
)
