"""A copy of the store every day, without anybody having to think of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from ai.clock import Clock
from ai.errors import StoreError
from ai.store.backup import back_up, backups, taken_at

EVERY = timedelta(days=1)
LOOK_EVERY_S = 3600.0


class BackupKeeper:
    """Backs up the store in `data_dir` once a day. `on_failure` hears when that did not work."""

    def __init__(self, data_dir: Path, clock: Clock, on_failure: Callable[[Exception], Awaitable[None]]) -> None:
        self._data_dir = data_dir
        self._clock = clock
        self._on_failure = on_failure

    async def keep(self) -> None:
        """Look every hour whether a copy is due, for ever."""
        while True:
            try:
                await asyncio.to_thread(self._back_up_if_due)
            except StoreError as exc:
                await self._on_failure(exc)
            await self._clock.sleep(LOOK_EVERY_S)

    def _back_up_if_due(self) -> None:
        newest = next(iter(backups(self._data_dir)), None)
        now = self._clock.now()
        if newest is None or now - taken_at(newest) >= EVERY:
            back_up(self._data_dir, now)
