"""What the balance allows this thought: classes of model, length of the reply, time until the next one."""

from __future__ import annotations

from ai.economy.tiers import Tier
from ai.moment import Moment, Plan


class Governor:
    """Plans a thought from the tier table. `interval_s` is the keeper's THINK_INTERVAL_SECONDS."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s

    def plan(self, moment: Moment) -> Plan:
        """The plan for one thought."""
        tier = moment.tier
        return Plan(
            kind=moment.kind,
            classes=tier.classes,
            reply_cap_tokens=tier.reply_cap_tokens,
            interval_s=self.interval_s(tier),
            posts_a_day=tier.posts_a_day,
        )

    def interval_s(self, tier: Tier) -> float:
        """Seconds from one thought to the next in this tier."""
        return self._interval_s * float(tier.interval_factor)
