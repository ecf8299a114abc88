"""Looking at the minds one could think with, and changing one's own."""

from __future__ import annotations

from pydantic import Field

from ai.actions.base import Action, Hands, Occasion

LISTED = 12


class ListModels(Action):
    """See which models can be afforded."""

    name = "list_models"
    summary = "See which models you can afford."
    informs = True

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        lines = [
            f"{model.id} ({model.cls}, intelligence {model.intelligence}/10)"
            for model in hands.models.affordable(occasion.moment.tier.classes, LISTED)
        ]
        return "You can afford: " + "; ".join(lines) if lines else "You can afford no model now."


class SwitchModel(Action):
    """Think with another model from now on."""

    name = "switch_model"
    summary = "Think with another model from now on."

    model: str | None = Field(None, description="full id; left out, one is drawn", max_length=200)

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        moment = occasion.moment
        classes = moment.tier.classes  # those of a daily thought: what this moment borrows does not stay
        if self.model is None:
            drawn = "it asked for another mind"
            chosen = await hands.rotator.rotate(moment.resident, classes, occasion.plan.pace_nanos, drawn)
        else:
            chosen = hands.models.choose(self.model, classes, moment.balance.available_nanos)
            await hands.residence.settle_in(chosen.id, by="being", reason="it chose so", leaving=moment.resident)
        return f"From the next thought on you think with {chosen.name}."
