"""Keeps the catalogue as the provider has it, without delaying anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ai.clock import Clock
from ai.errors import ModelFailure
from ai.models.catalogue import Catalogue

EVERY_S = 24 * 3600.0
RETRY_S = 15 * 60.0
PATIENCE_S = 5.0  # how long a start waits for the list when the wanted model is not in the copy we have


class Source(Protocol):
    """A provider that can list its models."""

    async def list_models(self) -> list[dict[str, Any]]: ...


async def _nothing() -> None:
    """What follows a refresh when nobody asked for anything."""


class Refresher:
    """Fetches the list at the start and then daily; the last good copy stays while that does not work.

    `on_failure` hears when it did not, `on_refresh` is awaited after each time it did: whatever was put off until the
    catalogue is read anew ends then.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        source: Source,
        clock: Clock,
        on_failure: Callable[[Exception], Awaitable[None]],
        on_refresh: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._catalogue = catalogue
        self._source = source
        self._clock = clock
        self._on_failure = on_failure
        self._on_refresh = on_refresh

    async def ensure(self, wanted: str) -> None:
        """Wait for the list only when `wanted` is in no copy we have, and not for long."""
        if self._catalogue.find(wanted) is None:
            await self._fetch_soon()

    async def catch_up(self) -> None:
        """For who does not `keep` the list: wait for it, not for long, when the copy we have is older than a day."""
        if not await self._catalogue.is_fresh(EVERY_S):
            await self._fetch_soon()

    async def keep(self) -> None:
        """Fetch now and then daily, for ever."""
        while True:
            await self._clock.sleep(EVERY_S if await self._fetch() else RETRY_S)

    async def _fetch_soon(self) -> None:
        await asyncio.wait([asyncio.ensure_future(self._fetch())], timeout=PATIENCE_S)

    async def _fetch(self) -> bool:
        try:
            listed = await self._source.list_models()
            if not self._catalogue.makes_sense(listed):
                raise ModelFailure("The provider's list names no model that could think, so the last good copy stays.")
        except ModelFailure as exc:
            await self._on_failure(exc)
            return False
        await self._catalogue.update(listed)
        await self._on_refresh()
        return True
