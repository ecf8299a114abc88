"""What others say to the being, and its answers: journal rows that only the keeper sees."""

from __future__ import annotations

from ai.errors import ActionError
from ai.said import Heard
from ai.store.engine import Store, Transaction
from ai.store.journal import KEEPER, Journal
from ai.store.messages import reply_to, unanswered

LONGEST_MESSAGE = 4000
IN_MIND = 3  # unanswered messages that are read at one thought
KEEPER_NAME = "keeper"


class Inbox:
    """The messages of one being."""

    def __init__(self, store: Store, journal: Journal, being: str) -> None:
        self._store = store
        self._journal = journal
        self._being = being

    async def hear(self, text: str, sender: str = KEEPER_NAME) -> int:
        """Take a message in; its number. Raises ActionError when it is empty or too long."""
        text = text.strip()
        if not 1 <= len(text) <= LONGEST_MESSAGE:
            raise ActionError(f"A message has 1 to {LONGEST_MESSAGE:,} characters.")
        return (await self._journal.write("message", {"from": sender, "text": text}, visibility=KEEPER)).id

    async def unanswered(self) -> list[Heard]:
        """The oldest messages that wait for an answer."""
        return await self._store.read(lambda t: unanswered(t, self._being, IN_MIND))

    async def answer_to(self, number: int) -> str | None:
        """What was answered to a message, or None while nothing was."""
        return await self._store.read(lambda t: reply_to(t, self._being, number))

    async def reply(self, number: int, text: str) -> None:
        """Answer a message, once. Raises ActionError when there is no such message, or it is answered."""

        def work(transaction: Transaction) -> None:
            waiting = {heard.number: heard for heard in unanswered(transaction, self._being, 1000)}
            if number not in waiting:
                raise ActionError(f"There is no unanswered message {number}.")
            told = {"to": number, "from": waiting[number].sender, "text": text}
            self._journal.append(transaction, "reply", told, visibility=KEEPER)

        await self._store.write(work)
