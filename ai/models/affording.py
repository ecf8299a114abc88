"""Why a model may not think at this balance: one answer for the line, for who chooses, and for who looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ai.models.model_config import ModelInfo

# The least a paid thought can be: the bound of a prompt counts bytes, those of a critical prompt and its tools.
SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS = 4800, 200


def smallest_call_nanos(model: ModelInfo) -> int:
    """The worst case of the shortest thought with a model whose price is known (nano-dollars)."""
    return model.price.worst_case_nanos(SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS) if model.price else 0


def why_not(model: ModelInfo, day: date, classes: Sequence[str], spare_nanos: int | None = None) -> str:
    """Why a model may not think on this day (UTC) with these classes allowed, or nothing.

    `spare_nanos` is what there is to pay a thought from; None leaves that to the hold.
    """
    if model.cls is None or model.price is None:
        return "its price is unknown, and unknown is not free"
    if unfit := model.obstacle_on(day):
        return unfit
    if model.cls not in classes:
        return f"{model.cls} models are too dear at this balance"
    if spare_nanos is not None and smallest_call_nanos(model) > spare_nanos:
        return "the balance does not cover even a short thought with it"
    return ""
