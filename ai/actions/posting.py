"""Speaking in public."""

from __future__ import annotations

from pydantic import Field

from ai.actions.base import Action, Hands, Occasion
from ai.social.timeline import LONGEST_POST


class Post(Action):
    """Publish a post."""

    name = "post"
    summary = "Publish a short post."
    small = True

    text: str = Field(description="in your own voice", min_length=1, max_length=LONGEST_POST)

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        await hands.channel.post(self.text, posts_a_day=occasion.plan.posts_a_day)
        return "It is posted."
