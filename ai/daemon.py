"""The heartbeat: a thought when the timer rings, a pulse in between, and an ordered end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from ai.clock import Clock
from ai.errors import NobodyAlive, StoreError
from ai.moment import Plan
from ai.store.pulse import EVERY_S
from ai.timer import Timer

T = TypeVar("T")

GRACE_S = 4.0  # how long a thought in mid-stream may go on after the end was asked for
RETRY_S = 60.0  # a thought that failed before it was planned is tried again after this long


class Brain(Protocol):
    async def live(self, kind: str | None = ..., *, may_skip: bool = ...) -> Plan: ...


class Afterlife(Protocol):
    async def pass_on(self) -> float | None: ...


class Pulse(Protocol):
    async def beat(self) -> None: ...
    async def thinking(self) -> None: ...
    async def resting(self, until: datetime | None) -> None: ...


Chore = Callable[[], Coroutine[Any, Any, None]]
"""Something that goes on beside the thoughts for as long as the being runs."""


class Daemon:
    """Runs one being until told to stop. `on_failure` hears of every thought that did not happen."""

    def __init__(
        self,
        brain: Brain,
        afterlife: Afterlife,
        pulse: Pulse,
        timer: Timer,
        clock: Clock,
        on_failure: Callable[[Exception], Awaitable[None]],
        chores: Sequence[Chore] = (),
    ) -> None:
        self._brain = brain
        self._afterlife = afterlife
        self._pulse = pulse
        self._timer = timer
        self._clock = clock
        self._on_failure = on_failure
        self._chores = chores
        self._due = asyncio.Event()
        self._ending = False

    async def run(self, stop: asyncio.Event) -> None:
        """Think at once and then whenever the timer rings, until `stop` is set.

        One thought at a time; ticks that were missed while one took long are merged into one. Raises StoreError when
        the books cannot be written: without them no thought may be paid for, so it ends rather than pretend.

        The end, in order: the timer rings no more, so no new thought begins; the thought under way gets a moment to
        finish and is then cut, which accounts for its hold; the chores and the heartbeat end last, so that until then
        the page sees us.
        """
        background = [asyncio.create_task(work()) for work in (self._beat, *self._chores)]
        thinking = asyncio.create_task(self._think_on_time())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([thinking, stopping, *background], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._timer.stop()
            self._ending = True
            self._due.set()
            await asyncio.wait([thinking], timeout=GRACE_S)
            await _end(thinking, stopping, *background)
        for task in (thinking, *background):
            if not task.cancelled():
                task.result()  # whatever ended it before its time is raised here
        await self._pulse.resting(None)

    async def _think_on_time(self) -> None:
        self._due.set()  # the first thought comes at once
        while not self._ending:
            await self._due.wait()
            self._due.clear()
            if not self._ending:
                await self._think()

    async def _think(self) -> None:
        """One thought, or what is due between two lives, and the timer armed for the next, whatever became of it."""
        started = self._clock.now()
        failed_s: float | None = RETRY_S
        look_again_s = await self._guarded(self._afterlife.pass_on, failed_s)
        interval_s = RETRY_S if look_again_s is None else look_again_s
        if look_again_s is None:
            await self._pulse.thinking()
            plan = await self._guarded(lambda: self._brain.live(may_skip=True), None)
            interval_s = plan.interval_s if plan else RETRY_S
        if self._ending:
            return
        next_at = max(started + timedelta(seconds=interval_s), self._clock.now())
        self._timer.arm(next_at, self._ring)
        await self._pulse.resting(next_at if look_again_s is None else None)

    async def _guarded(self, step: Callable[[], Awaitable[T]], failed: T) -> T:
        """What a step gives, or `failed`, which is told of; only books that cannot be written end it all."""
        try:
            return await step()
        except StoreError:
            raise
        except NobodyAlive:
            self._due.set()  # it ended or was paused this moment: what is due between two lives comes next
            return failed
        except Exception as exc:
            await self._on_failure(exc)
            return failed

    def wake(self) -> None:
        """Think now, or as soon as the thought under way has ended: something has happened."""
        self._due.set()

    async def _ring(self) -> None:
        self._due.set()

    async def _beat(self) -> None:
        while True:
            await self._pulse.beat()
            await self._clock.sleep(EVERY_S)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """All at once: who needs a moment to end well takes it beside the others."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
