"""Reading what others say, and answering."""

from __future__ import annotations

from pydantic import Field

from ai.actions.base import Action, Hands, Occasion
from ai.fence import from_outside
from ai.prompt import LONGEST_REPLY


class ReadMessages(Action):
    """See the messages that wait for an answer."""

    name = "read_messages"
    answers = True
    summary = "Read messages that wait for your answer."
    informs = True

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        waiting = await hands.inbox.unanswered()
        lines = [from_outside(heard) for heard in waiting]
        return "\n".join(lines) if lines else "No message waits for an answer."


class Reply(Action):
    """Answer a message."""

    name = "reply"
    answers = True
    summary = "Answer a message."

    message: int = Field(description="its number")
    text: str = Field(description="your answer", min_length=1, max_length=LONGEST_REPLY)

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        await hands.inbox.reply(self.message, self.text)
        return "It is answered."
