"""How a life begins."""

from __future__ import annotations

from contextlib import suppress

from ai.errors import ActionError
from ai.life.identity import default_identity
from ai.life.lifecycle import Lifecycle
from ai.social.outbox import BIRTH, Outbox
from ai.store.lives import Life

MODE = "basic_facts"


class Birth:
    """Begins the being's life when there is none, and has it say its first words."""

    def __init__(self, lifecycle: Lifecycle, outbox: Outbox, being: str) -> None:
        self._lifecycle = lifecycle
        self._outbox = outbox
        self._being = being

    async def ensure(self) -> Life:
        """The present life, begun now when there was none."""
        life = await self._lifecycle.current()
        if life is not None:
            return life
        identity = default_identity(self._being)
        life = await self._lifecycle.begin(identity, MODE)
        with suppress(ActionError):  # words that were said before, in another life, keep nobody from being born
            await self._outbox.post(identity.first_words, occasion=BIRTH)
        return life
