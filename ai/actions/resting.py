"""Doing nothing, on purpose."""

from __future__ import annotations

from ai.actions.base import Action, Hands, Occasion


class Rest(Action):
    """Do nothing."""

    name = "rest"
    summary = "Do nothing until the next thought."
    small = True
    tool = False  # to call no tool is to rest

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        return "You rest."
