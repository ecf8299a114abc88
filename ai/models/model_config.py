"""One readable table: what a model is, its class by price, and how clever it is held to be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from ai.models.pricing import FREE, Price

CLASSES = ("local", "free", "ultra_cheap", "cheap", "premium")

# A class reaches up to this blended price, in US dollars per million tokens; above the last one it is premium.
CEILINGS = (("ultra_cheap", Decimal("0.15")), ("cheap", Decimal("2.00")))

# The first pattern that matches an id says how intelligent the model is held to be, from 1 to 10.
INTELLIGENCE = (
    (r"opus|gpt-5(?!.*(mini|nano))|o3(?!-mini)", 10),
    (r"sonnet|gemini-[\d.]+-pro|grok-4(?!.*fast)|deepseek-r1", 9),
    (r"gpt-4o(?!-mini)|gpt-4\.1(?!-(mini|nano))|deepseek|qwen3-235b|kimi|glm-4", 8),
    (r"haiku-4|gemini-[\d.]+-flash(?!-lite)|gpt-5-mini|120b|70b|72b", 7),
    (r"qwen3-coder|haiku|devstral|mistral-(small|medium)|gpt-oss-20b|(27|30|32)b", 6),
    (r"nemotron|gemma-3-12b|mini|nano|flash-lite|(12|14|24)b", 5),
    (r"(7|8|9)b", 4),
    (r"(3|4)b", 3),
    (r"smollm|(^|[^\d.])(1|2|0\.\d)b|135m", 1),
)

DEFAULT_OPENROUTER_MODEL = "qwen/qwen3-coder:free"
LOCAL_MODEL_ID = "local/smollm2-135m-instruct"
LOCAL_REPLY_CAP_TOKENS = 120  # a model this small rambles: short replies are its best ones


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model as this program sees it. `price` None means unknown, and unknown is not free."""

    id: str
    name: str
    provider: str
    price: Price | None
    context_tokens: int
    supports_tools: bool
    reasons: bool = False  # spends hidden reasoning tokens and gets headroom for them
    reply_cap_tokens: int | None = None
    supports_schema: bool = True
    efforts: tuple[str, ...] = ()
    fast: bool = False

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


def local_model(name: str = "SmolLM2 135M", model_id: str = LOCAL_MODEL_ID) -> ModelInfo:
    """The model on this machine: free, always there, without tools."""
    return ModelInfo(model_id, name, "local", FREE, 2048, supports_tools=False, reply_cap_tokens=LOCAL_REPLY_CAP_TOKENS)
