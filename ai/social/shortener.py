"""Saying a post in fewer characters: a model is asked before a text is cut at a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ai.errors import NobodyThought
from ai.llm.question import Mind, Question, unheard
from ai.models.model_config import ModelInfo

CLASSES = ("free", "ultra_cheap")  # the smallest model shortens worse than a cut does
REPLY_CAP_TOKENS = 120


class Models(Protocol):
    """Who is quick."""

    def fast(self, classes: Sequence[str]) -> ModelInfo | None: ...


class Shortener:
    """Asks a quick and cheap model."""

    def __init__(self, mind: Mind, models: Models) -> None:
        self._mind = mind
        self._models = models

    async def __call__(self, text: str, longest: int) -> str | None:
        """`text` in at most `longest` characters as far as the model keeps to it; None when nobody answered."""
        quick = self._models.fast(CLASSES)
        if quick is None:
            return None
        asked = f"Say this post in at most {longest - 20} characters, in the same voice. Answer with it alone:\n{text}"
        question = Question(
            purpose="shorten",
            wanted=quick.id,
            classes=CLASSES,
            reply_cap_tokens=REPLY_CAP_TOKENS,
            compose=lambda _: [{"role": "user", "content": asked}],
        )
        try:
            answer = await self._mind.ask(question, unheard)
        except NobodyThought:
            return None
        return " ".join(answer.completion.text.split()).strip('"“” ') or None
