"""Our own limit on calls of the free tier, so that the provider's is never hit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ai.clock import Clock, to_ms

WINDOW_MS = 60_000


class FreePace:
    """Counts calls of `:free` models over the last minute; `calls_a_minute` None is no limit."""

    def __init__(self, clock: Clock, calls_a_minute: int | None, made_ms: Iterable[int] = ()) -> None:
        """`made_ms` are the moments of calls made before a restart, oldest first."""
        self._clock = clock
        self._limit = calls_a_minute
        self._made: deque[int] = deque(made_ms, maxlen=calls_a_minute)

    def room(self) -> bool:
        """Whether one more call may be made now."""
        full = self._limit is not None and len(self._made) >= self._limit
        return not full or to_ms(self._clock.now()) - self._made[0] >= WINDOW_MS

    def take(self) -> bool:
        """Count one more call, if it may be made now."""
        if not self.room():
            return False
        if self._limit is not None:
            self._made.append(to_ms(self._clock.now()))
        return True
