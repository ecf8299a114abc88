"""The heartbeat: a thought when the timer rings, a pulse in between, and an ordered end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from ai.clock import Clock
from ai.moment import Plan
from ai.store.pulse import EVERY_S
from ai.timer import Timer

GRACE_S = 4.0  # how long a thought in mid-stream may go on after the end was asked for
RETRY_S = 60.0  # a thought that failed before it was planned is tried again after this long


class Brain(Protocol):
    async def live(self, kind: str = ...) -> Plan: ...


class Pulse(Protocol):
    async def beat(self) -> None: ...
    async def thinking(self) -> None: ...
    async def resting(self, until: datetime | None) -> None: ...


class Daemon:
    """Runs one being until told to stop. `on_failure` hears of every thought that did not happen."""

    def __init__(
        self, brain: Brain, pulse: Pulse, timer: Timer, clock: Clock, on_failure: Callable[[Exception], Awaitable[None]]
    ) -> None:
        self._brain = brain
        self._pulse = pulse
        self._timer = timer
        self._clock = clock
        self._on_failure = on_failure
        self._due = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Think at once and then whenever the timer rings, until `stop` is set.

        One thought at a time; ticks that were missed while one took long are merged into one. The end, in order:
        the timer rings no more, so no new thought begins; the thought under way gets a moment to finish and is then
        cut, which accounts for its hold; the heartbeat ends last, so that until then the page sees us.
        """
        beating = asyncio.create_task(self._beat())
        stopping = asyncio.create_task(stop.wait())
        thought: asyncio.Task[None] | None = None
        self._due.set()
        try:
            while not stop.is_set():
                await _first(asyncio.create_task(self._due.wait()), stopping)
                if stop.is_set():
                    break
                self._due.clear()
                thought = asyncio.create_task(self._think())
                await asyncio.wait([thought, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._timer.stop()
            if thought is not None and not thought.done():
                await asyncio.wait([thought], timeout=GRACE_S)
                thought.cancel()
            for task in (thought, stopping, beating):
                if task is not None:
                    await _ended(task)
            await self._pulse.resting(None)

    async def _think(self) -> None:
        """One thought, and the timer armed for the next, whatever became of this one."""
        started = self._clock.now()
        interval_s = RETRY_S
        await self._pulse.thinking()
        try:
            interval_s = (await self._brain.live()).interval_s
        except Exception as exc:
            await self._on_failure(exc)
        next_at = max(started + timedelta(seconds=interval_s), self._clock.now())
        self._timer.arm(next_at, self._ring)
        await self._pulse.resting(next_at)

    async def _ring(self) -> None:
        self._due.set()

    async def _beat(self) -> None:
        while True:
            await self._pulse.beat()
            await self._clock.sleep(EVERY_S)


async def _first(task: asyncio.Task[bool], other: asyncio.Task[bool]) -> None:
    """Wait for either; `task` is not left behind."""
    await asyncio.wait([task, other], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()


async def _ended(task: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
