"""What the being keeps: notes it writes itself, beside the journal in which everything stands anyway."""

from __future__ import annotations

from ai.clock import Clock, to_ms
from ai.errors import ActionError
from ai.said import OUTSIDE, SELF, Note
from ai.store.engine import Store, Transaction
from ai.store.journal import KEEPER, PUBLIC, Journal
from ai.store.lives import read_life
from ai.store.notes import add_note, find_notes

FOUND = 5


class Memory:
    """The notes of one being's present life. What came from outside stays marked as such for ever."""

    def __init__(self, store: Store, journal: Journal, clock: Clock, being: str) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being

    async def remember(self, text: str, *, outside: bool = False) -> None:
        """Keep a note; `outside` when others' words may be in it. Raises ActionError when it is kept already."""
        note = self._journal.clean({"text": text, "source": OUTSIDE if outside else SELF})

        def work(transaction: Transaction) -> None:
            if not add_note(transaction, self._being, note["text"], to_ms(self._clock.now()), note["source"]):
                raise ActionError("You remember that already.")
            self._journal.append(transaction, "memory", note, visibility=KEEPER if outside else PUBLIC)

        await self._store.write(work)

    async def recall(self, words: str) -> list[Note]:
        """Notes with any of these words in them, the best first."""

        def work(transaction: Transaction) -> list[Note]:
            life = read_life(transaction, self._being)
            return find_notes(transaction, self._being, life.number, words, FOUND) if life else []

        return await self._store.read(work)
