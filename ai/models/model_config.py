"""One readable table: what a model is, its class by price, how clever and how quick it is held to be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ai.models.pricing import FREE, Price

CLASSES = ("local", "free", "ultra_cheap", "cheap", "premium")

# A class reaches up to this blended price, in US dollars per million tokens; above the last one it is premium.
CEILINGS = (("ultra_cheap", Decimal("0.15")), ("cheap", Decimal("2.00")))

# The first pattern that matches an id says how intelligent the model is held to be, from 1 to 10.
INTELLIGENCE = (
    (r"opus|gpt-5(?!.*(mini|nano|image|oss))|(^|/)o3(?!-mini)|gemini-3[\d.]*-pro|grok-4\.[2-9](?!.*fast)", 10),
    (r"sonnet|gemini-[\d.]+-pro|grok-4(?!.*fast)|deepseek-(r1(?!-distill)|v3\.[2-9]|v[4-9])", 9),
    (r"kimi-k2|glm-[5-9]|glm-4\.[6-9](?!.*flash)|qwen3[\d.]*-(max|235b|397b)|o4-mini|minimax-m[2-9]", 9),
    (r"gpt-4o(?!-mini)|gpt-4\.1(?!-(mini|nano))|deepseek|o[13]-mini|(^|/)o1|grok-[34](?!.*mini)", 8),
    (r"kimi|glm-4(?!.*(flash|air))|gemini-3[\d.]*-flash|mistral-(large|medium-3)|gpt-5[\d.]*-mini|llama-4-maverick", 8),
    (r"haiku-4|gemini-2\.5-flash(?!-lite)|gpt-4\.1-mini|gpt-oss-120b|qwen3-next|glm-4|(70|72|120|122|405)b", 7),
    (r"qwen3-coder|haiku|devstral|mistral-(small|medium)|gpt-oss-20b|gpt-5[\d.]*-nano|(27|30|32)b", 6),
    (r"gemini-2\.0-flash(?!-lite)|gpt-4o-mini|llama-4-scout|mimo|nova-(pro|premier)", 6),
    (r"nemotron|gemma-3-12b|(?<!ge)mini|nano|flash|nemo|nova|(12|14|24)b", 5),
    (r"(7|8|9)b", 4),
    (r"(3|4)b|e4b", 3),
    (r"smollm|(^|[^\d.])(1|2|0\.\d)b|135m", 1),
)

# Names that makers give to the models that answer quickly: what short moments ask for.
FAST = (
    r"flash|(?<!ge)mini(?!max)|nano|micro|haiku|instant|turbo|fast|lite|small|nemo|oss-20b|a3b"
    r"|(^|[^\d.])([1-9]|1[0-4])b(?![a-z])"
)

# What an id alone says against a model, for providers that say nothing else about it.
ROUTERS = r"^~|^openrouter/(auto|free|bodybuilder)|^switchpoint/router"
NOT_CHAT = r"embed|whisper|tts|dall-e|moderation|guard|rerank|image|imagen|veo|realtime|audio|transcribe|orpheus"

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # OpenRouter's OpenAPI, `ReasoningEffort`

DEFAULT_CONTEXT_TOKENS = 4096  # when nobody says how much a model can read
DEFAULT_OPENROUTER_MODEL = "qwen/qwen3-coder:free"
LOCAL_MODEL_ID = "local/smollm2-135m-instruct"
LOCAL_REPLY_CAP_TOKENS = 120  # a model this small rambles: short replies are its best ones


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model as this program sees it. `price` None means unknown, and unknown is not free.

    `efforts` are the reasoning efforts it knows, the lowest first; `expires_on` is the last day it is promised for;
    `unfit` says why it can have no part in thinking at all, and is empty for nearly all.
    """

    id: str
    name: str
    provider: str
    price: Price | None
    context_tokens: int
    supports_tools: bool
    reasons: bool = False  # spends hidden reasoning tokens and gets headroom for them
    reply_cap_tokens: int | None = None
    supports_schema: bool = False
    efforts: tuple[str, ...] = ()
    expires_on: date | None = None
    max_completion_tokens: int | None = None
    unfit: str = ""

    @property
    def cls(self) -> str | None:
        """The class by price, or None when the price is unknown."""
        if self.provider == "local":
            return "local"
        if self.price is None:
            return None
        if self.price.free:
            return "free"
        blended = self.price.blended_per_million
        return next((name for name, ceiling in CEILINGS if blended <= ceiling), "premium")

    @property
    def intelligence(self) -> int:
        """How clever it is held to be, from 1 to 10; 5 when nobody has said."""
        return next((rating for pattern, rating in INTELLIGENCE if re.search(pattern, self.id.lower())), 5)

    @property
    def fast(self) -> bool:
        """Whether its name says that it answers quickly."""
        return re.search(FAST, self.id.lower()) is not None

    def obstacle_on(self, day: date) -> str:
        """Why it may not think on this day (UTC), or nothing. Whether it can be paid for is another question."""
        if self.expires_on is not None and day > self.expires_on:
            return f"expired on {self.expires_on}"
        return self.unfit

    def usable_on(self, day: date) -> bool:
        """Whether it may think on this day (UTC), if it can be paid for."""
        return not self.obstacle_on(day)


def unfit_by_name(model_id: str, *, chats: bool | None = None) -> str:
    """Why a model of this name can have no part in thinking, or nothing.

    `chats` is whether its provider says that it answers in text; None when the provider says nothing.
    """
    if re.search(ROUTERS, model_id.lower()):
        return "it is only a name for other models"
    if chats is None:
        chats = re.search(NOT_CHAT, model_id.lower()) is None
    return "" if chats else "it does not answer in text"


def local_model(name: str = "SmolLM2 135M", model_id: str = LOCAL_MODEL_ID) -> ModelInfo:
    """The model on this machine: free, always there, without tools, but with replies under a schema."""
    return ModelInfo(
        model_id,
        name,
        "local",
        FREE,
        2048,
        supports_tools=False,
        reply_cap_tokens=LOCAL_REPLY_CAP_TOKENS,
        supports_schema=True,
    )
