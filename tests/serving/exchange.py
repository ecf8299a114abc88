"""One HTTP exchange below the level of responses: chunked writes, waiting, and dropping the connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, MutableMapping
from typing import Self

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

Connections = MutableMapping[tuple[str, int], asyncio.Transport]


class ClientGoneError(Exception):
    """The client closed the connection (or the server is stopping) before the exchange was over."""


def protocol_over(connections: Connections) -> type[H11Protocol]:
    """uvicorn's HTTP protocol, noting each connection's transport: ASGI itself has no way to hang up."""

    class TrackingProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a server's is always one
            connections[transport.get_extra_info("peername")[:2]] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.pop(self.transport.get_extra_info("peername", (None, None))[:2], None)
            super().connection_lost(exc)

    return TrackingProtocol


class Exchange:
    """A request that was read whole, and the answer to it. Use as an async context manager.

    Every write and wait raises ClientGoneError once the client has left.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, connections: Connections, stopping: asyncio.Event
    ) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._connections, self._stopping = connections, stopping
        self._gone = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._until_gone())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._gone.is_set() or self._stopping.is_set()

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Sends the status line; without Content-Length the body goes out chunked."""
        await self._check()
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """Sends a piece of the body."""
        await self._check()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Ends the body."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def wait(self, seconds: float) -> None:
        """Lets time pass, no longer than the client stays."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving(), seconds)
        await self._check()

    async def wait_for(self, event: asyncio.Event) -> None:
        """Waits until the event is set or the client leaves."""
        await _first_of(event, self._gone, self._stopping)
        await self._check()

    async def drop(self) -> None:
        """Closes the connection as it stands; what was written before still arrives."""
        transport = self._connections.get(tuple(self._scope["client"]))
        if transport is not None:
            transport.close()
        await self._leaving()

    async def _check(self) -> None:
        await asyncio.sleep(0)  # lets the loop notice that the client closed
        if self.gone:
            raise ClientGoneError

    async def _leaving(self) -> None:
        await _first_of(self._gone, self._stopping)

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()


async def _first_of(*events: asyncio.Event) -> None:
    """Returns once any of the events is set."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
