"""Speaking in public."""

from __future__ import annotations

from pydantic import Field

from ai.actions.base import Action, Hands, Occasion
from ai.moment import LAST_WORDS
from ai.social.base import LONGEST_POST
from ai.social.lengths import ended

LONGEST_DRAFT = 2_000  # what is longer than a post may be is shortened, not refused: the model has been paid already


class Post(Action):
    """Publish a post."""

    name = "post"
    summary = "Publish a short post."
    small = True
    posts = True

    text: str = Field(
        description=f"at most {LONGEST_POST} characters, in your own voice",
        min_length=1,
        max_length=LONGEST_DRAFT,
        json_schema_extra={"maxLength": LONGEST_POST},
    )

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        last, thought = occasion.moment.kind == LAST_WORDS, occasion.thought
        posted = await hands.channel.post(
            ended(self.text, LONGEST_POST),
            occasion="last_words" if last else "thought",
            posts_a_day=occasion.plan.posts_a_day,
            model=thought.model if thought else None,
            thought_id=thought.id if thought else None,
        )
        return f"It is posted, as: “{posted.text}”" if posted.changed else "It is posted."
