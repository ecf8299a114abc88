"""How a life begins."""

from __future__ import annotations

from ai.life.identity import default_identity
from ai.life.lifecycle import Lifecycle
from ai.social.timeline import Timeline
from ai.store.lives import Life

MODE = "basic_facts"


class Birth:
    """Begins the being's life when there is none, and has it say its first words."""

    def __init__(self, lifecycle: Lifecycle, timeline: Timeline, being: str) -> None:
        self._lifecycle = lifecycle
        self._timeline = timeline
        self._being = being

    async def ensure(self) -> Life:
        """The present life, begun now when there was none."""
        life = await self._lifecycle.current()
        if life is not None:
            return life
        identity = default_identity(self._being)
        life = await self._lifecycle.begin(identity, MODE)
        await self._timeline.post(identity.first_words, occasion="birth")
        return life
