"""Our own limit on calls of the free tier, so that the provider's is never hit."""

from __future__ import annotations

from collections import deque

from ai.clock import Clock, to_ms

WINDOW_MS = 60_000
CALLS_A_MINUTE = 20  # facts: OpenRouter's free tier


class FreePace:
    """Counts calls of `:free` models over the last minute."""

    def __init__(self, clock: Clock, calls_a_minute: int = CALLS_A_MINUTE) -> None:
        self._clock = clock
        self._made: deque[int] = deque(maxlen=calls_a_minute)

    def room(self) -> bool:
        """Whether one more call may be made now."""
        full = len(self._made) == self._made.maxlen
        return not full or to_ms(self._clock.now()) - self._made[0] >= WINDOW_MS

    def take(self) -> bool:
        """Count one more call, if it may be made now."""
        if not self.room():
            return False
        self._made.append(to_ms(self._clock.now()))
        return True
