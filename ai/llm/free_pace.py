"""Our own limit on calls of the free tier, so that the provider's is never hit."""

from __future__ import annotations

from collections import deque

from ai.clock import Clock, to_ms

WINDOW_MS = 60_000


class FreePace:
    """Counts calls of `:free` models over the last minute; `calls_a_minute` None is no limit."""

    def __init__(self, clock: Clock, calls_a_minute: int | None) -> None:
        self._clock = clock
        self._limit = calls_a_minute
        self._made: deque[int] = deque(maxlen=calls_a_minute)

    def room(self) -> bool:
        """Whether one more call may be made now."""
        full = self._limit is not None and len(self._made) >= self._limit
        return not full or to_ms(self._clock.now()) - self._made[0] >= WINDOW_MS

    def take(self) -> bool:
        """Count one more call, if it may be made now."""
        if not self.room():
            return False
        self.count(to_ms(self._clock.now()))
        return True

    def count(self, at_ms: int) -> None:
        """A call was made at `at_ms` (milliseconds since the epoch)."""
        if self._limit is not None:
            self._made.append(at_ms)
