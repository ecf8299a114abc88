"""Looking into the purse."""

from __future__ import annotations

from ai.actions.base import Action, Hands, Occasion
from ai.clock import month_end
from ai.economy.money import short


class CheckBudget(Action):
    """See how much is left."""

    name = "check_budget"
    summary = "See what you have left and spent."
    informs = True

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        left = await hands.purse.balance()
        days = (month_end(left.month) - occasion.moment.at).days
        return (
            f"You can spend {short(left.available_nanos, 4)}; {short(left.spent_nanos, 4)} is spent this month. "
            f"You are {occasion.moment.tier.name}. The month turns in {days} days."
        )
