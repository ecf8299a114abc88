"""Keeping a note."""

from __future__ import annotations

from pydantic import Field

from ai.actions.base import Action, Hands, Occasion
from ai.prompt import in_mind


class Remember(Action):
    """Keep a note for later."""

    name = "remember"
    summary = "Keep a note for later."
    small = True

    text: str = Field(description="one sentence", min_length=1, max_length=300)

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        await hands.notes.remember(self.text, outside=occasion.outside)
        return "You will remember it."


class Recall(Action):
    """Search the notes."""

    name = "recall"
    summary = "Search your memory."
    informs = True

    words: str = Field(description="words to look for", min_length=1, max_length=200)

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        found = await hands.notes.recall(self.words)
        lines = [in_mind(note) for note in found]
        return "\n".join(lines) if lines else "You remember nothing of that."
