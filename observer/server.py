"""Runs the page inside somebody else's event loop, and stops when told, whoever is still watching."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from ai.errors import AliveError

GRACE_S = 0.7  # how long requests under way may take to end before they are cut off

Announce = Callable[[str], None]


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to `host` and `port` (0: any free one), so that a port in use is known before anything starts.

    Raises AliveError with one sentence when it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except OSError:
            listener.close()
            raise
    except OSError as exc:
        raise _refusal(host, port, exc) from exc
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address a browser on this machine would open."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: FastAPI,
    host: str,
    port: int,
    *,
    stop: asyncio.Event,
    announce: Announce | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Serve `app` until `stop` is set, then return within about a second.

    `announce` is called with the page's address once it answers; `listener` is a socket from `listen` to be used
    instead of binding now. Signals are left to the caller. Raises AliveError when the port cannot be had.
    """
    listener = listener or listen(host, port)
    server = _Server(app, lambda: announce and announce(url_of(listener)))
    running = asyncio.create_task(server.serve(sockets=[listener]), name="observer")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # uvicorn waits for every connection, and a watcher's never ends by itself: first the streams are told to
        # end, then the server; whoever does not read what is sent is cut off.
        stopping.cancel()
        app.state.tail.close()
        server.should_exit = True
        await asyncio.wait({running}, timeout=GRACE_S)
        server.cut_off()
        await running


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers and its log."""

    def __init__(self, app: FastAPI, started: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                app, http="h11", ws="none", lifespan="on", log_config=None, access_log=False,
                server_header=False, proxy_headers=False,
            )
        )  # fmt: skip
        self._announce_started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they belong to whoever runs the loop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce_started()

    def cut_off(self) -> None:
        """Drop every connection that is still open."""
        for connection in list(self.server_state.connections):
            with suppress(AttributeError):  # a connection not yet made has no transport
                connection.transport.abort()


def _refusal(host: str, port: int, error: OSError) -> AliveError:
    where = f"Port {port} on {host}"
    if error.errno == errno.EADDRINUSE:
        return AliveError(f"{where} is in use.", hint="Set OBSERVER_PORT to another.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return AliveError(f"{where} may not be opened by this user.", hint="Set OBSERVER_PORT above 1023.")
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return AliveError(f"{host} is no address of this machine.", hint="Set OBSERVER_HOST to one.")
    return AliveError(f"{where} cannot be opened: {error.strerror}.", hint="Set OBSERVER_HOST and OBSERVER_PORT.")
