"""What the being keeps: notes it writes itself, beside the journal in which everything stands anyway."""

from __future__ import annotations

from ai.clock import Clock, to_ms
from ai.errors import ActionError
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal
from ai.store.notes import add_note


class Memory:
    """The notes of one being."""

    def __init__(self, store: Store, journal: Journal, clock: Clock, being: str) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being

    async def remember(self, text: str) -> None:
        """Keep a note. Raises ActionError when the same one is kept already."""

        def work(transaction: Transaction) -> None:
            if not add_note(transaction, self._being, text, to_ms(self._clock.now())):
                raise ActionError("You remember that already.")
            self._journal.append(transaction, "memory", {"text": text})

        await self._store.write(work)
