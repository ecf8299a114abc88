"""The heartbeat: that somebody runs the being, whether it is thinking, and when it will next."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.sqlite import insert

from ai.clock import Clock, to_ms
from ai.store.engine import Store
from ai.store.schema import heartbeats

EVERY_S = 2.0


class Pulse:
    """The heartbeat row of one being."""

    def __init__(self, store: Store, clock: Clock, being: str) -> None:
        self._store = store
        self._clock = clock
        self._being = being
        self._thinking = False
        self._next_thought_at: datetime | None = None

    async def beat(self) -> None:
        """Say once more that it is running."""
        row = {
            "being": self._being,
            "at_ms": to_ms(self._clock.now()),
            "thinking": int(self._thinking),
            "next_thought_at_ms": to_ms(self._next_thought_at) if self._next_thought_at else None,
        }
        await self._store.jot(lambda t: t.execute(insert(heartbeats).values(**row).on_conflict_do_update(set_=row)))

    async def thinking(self) -> None:
        """A thought begins."""
        self._thinking, self._next_thought_at = True, None
        await self.beat()

    async def resting(self, until: datetime | None) -> None:
        """A thought has ended; the next one comes at `until`."""
        self._thinking, self._next_thought_at = False, until
        await self.beat()
