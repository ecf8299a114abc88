"""When the next thought is due: one re-armed job, so that the interval may change with the tier."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

JOB = "next-thought"


class Timer(Protocol):
    """Rings once at a moment; arming it again replaces the former moment."""

    def arm(self, at: datetime, ring: Callable[[], Awaitable[None]]) -> None: ...

    def stop(self) -> None: ...


class SchedulerTimer:
    """The real one. It only rings: whoever is rung runs the thought, because the scheduler's own shutdown would
    cancel a running coroutine."""

    def __init__(self) -> None:
        self._scheduler: Any = None

    def arm(self, at: datetime, ring: Callable[[], Awaitable[None]]) -> None:
        """Ring at `at`; a moment that has passed rings at once (misfire_grace_time=None: late is not never)."""
        if self._scheduler is None:
            from apscheduler.schedulers.asyncio import AsyncIOScheduler  # loaded after the first thought, not before

            self._scheduler = AsyncIOScheduler(timezone="UTC")
            self._scheduler.start()
        self._scheduler.add_job(
            ring, "date", run_date=at, id=JOB, replace_existing=True, misfire_grace_time=None, max_instances=1
        )

    def stop(self) -> None:
        """Ring no more."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
