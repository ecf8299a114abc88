"""Rate limits, and the headers that tell of them: requests in 15 minutes by user, posts in 24 hours by app."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)
DAY = timedelta(hours=24)
POSTS_A_DAY = 10_000
POST, ME, TIMELINE, MENTIONS = (
    "POST /2/tweets",
    "GET /2/users/me",
    "GET /2/users/{id}/tweets",
    "GET /2/users/{id}/mentions",
)
# Requests in 15 minutes of one user, from X's documentation of 2026-11.
PER_USER = {POST: 100, ME: 75, TIMELINE: 900, MENTIONS: 300}


@dataclass
class Window:
    """So many requests in so long a time; it opens with the first of them."""

    limit: int
    length: timedelta
    used: int = 0
    reset: datetime | None = None

    def count(self, now: datetime) -> bool:
        """Counts a request; whether it is within the limit."""
        if self.reset is None or now >= self.reset:
            self.used, self.reset = 0, now + self.length
        self.used += 1
        return self.used <= self.limit

    def headers(self, prefix: str, now: datetime) -> dict[str, str]:
        """Limit, what remains, and when it opens anew (epoch seconds)."""
        reset = self.reset or now + self.length
        values = {"limit": self.limit, "remaining": max(self.limit - self.used, 0), "reset": int(reset.timestamp())}
        return {f"{prefix}-{name}": str(value) for name, value in values.items()}


@dataclass
class Limits:
    """All windows: by route, and the day of the app."""

    windows: dict[str, Window] = field(
        default_factory=lambda: {route: Window(limit, WINDOW) for route, limit in PER_USER.items()}
    )
    day: Window = field(default_factory=lambda: Window(POSTS_A_DAY, DAY))

    def count(self, route: str, now: datetime) -> bool:
        """Counts a request to that route; whether it is within all limits."""
        within = self.windows[route].count(now)
        return (self.day.count(now) and within) if route == POST else within

    def headers(self, route: str, now: datetime) -> dict[str, str]:
        """What every answer of that route carries."""
        headers = self.windows[route].headers("x-rate-limit", now)
        if route == POST:
            headers |= self.day.headers("x-app-limit-24hour", now) | self.day.headers("x-user-limit-24hour", now)
        return headers
