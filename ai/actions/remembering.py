"""Keeping a note."""

from __future__ import annotations

from pydantic import Field

from ai.actions.base import Action, Hands, Occasion


class Remember(Action):
    """Keep a note for later."""

    name = "remember"
    summary = "Keep a note for later."
    small = True

    text: str = Field(description="one sentence", min_length=1, max_length=300)

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        await hands.notes.remember(self.text)
        return "You will remember it."
