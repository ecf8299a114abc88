"""Time is a parameter: whoever needs it is handed a Clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how to wait."""

    def now(self) -> datetime:
        """The moment, timezone-aware, in UTC."""

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start that never run backwards."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualClock:
    """Time that passes only when somebody moves it: `advance` wakes whoever slept until then."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed_s + seconds, waking))
        await waking

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a negative number sets the wall clock back, as an operator can."""
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += max(0.0, seconds)
        for until_s, waking in self._sleepers:
            if until_s <= self._elapsed_s and not waking.done():
                waking.set_result(None)
        self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].done()]


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since the epoch, as the store keeps them."""
    return int(moment.timestamp() * 1000)


def from_ms(moment_ms: int) -> datetime:
    """The UTC moment of `moment_ms` milliseconds since the epoch."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC)


def iso(moment_ms: int | None) -> str | None:
    """ISO 8601 in UTC with milliseconds and a Z, as every JSON answer writes a moment."""
    if moment_ms is None:
        return None
    return from_ms(moment_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def month_of(moment: datetime) -> str:
    """The UTC month a moment belongs to, as "2026-11"."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def month_end(month: str) -> datetime:
    """The first moment after `month` ("2026-11"), in UTC."""
    year, number = int(month[:4]), int(month[5:])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
