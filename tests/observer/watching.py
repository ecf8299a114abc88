"""A watcher: reads server-sent events from a page as any client would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Sent:
    """One event as it came: `id` is None for those without a number."""

    id: int | None
    name: str
    data: Any


@dataclass
class Watcher:
    """Collects what a stream sends."""

    sent: list[Sent] = field(default_factory=list)
    ended: bool = False

    @property
    def numbers(self) -> list[int]:
        return [event.id for event in self.sent if event.id is not None]

    @property
    def drafts(self) -> list[str]:
        return [event.data["text"] for event in self.sent if event.name == "draft"]

    @property
    def kinds(self) -> list[str]:
        return [event.data["kind"] for event in self.sent if event.id is not None]

    async def until(self, enough: Any) -> None:
        """Wait until `enough(self)` holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not enough(self):  # noqa: ASYNC110 - what is awaited happens in another program
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(
    client: httpx.AsyncClient, *, after: int | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Watcher]:
    """Watch `/api/stream`; returns once it has answered."""
    watcher = Watcher()
    params = {} if after is None else {"after": after}
    async with client.stream("GET", "/api/stream", params=params, headers=headers, timeout=None) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert (await anext(lines)).startswith("retry:")  # only then is the watcher's place taken
        reading = asyncio.create_task(_read(lines, watcher))
        try:
            yield watcher
        finally:
            reading.cancel()
            await asyncio.wait([reading])


async def _read(lines: AsyncIterator[str], watcher: Watcher) -> None:
    fields: dict[str, str] = {}
    try:
        async for line in lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and "data" in fields:
                number = int(fields["id"]) if "id" in fields else None
                watcher.sent.append(Sent(number, fields.get("event", "message"), json.loads(fields["data"])))
                fields = {}
    except httpx.HTTPError:
        pass
    watcher.ended = True
