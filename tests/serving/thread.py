"""A test server in a thread of its own: uvicorn on loopback, started and stopped by `with`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from tests.serving.exchange import Connections, protocol_over

TICK_S = 0.1
START_LIMIT_S = 10.0
STOP_LIMIT_S = 5.0


class ServedInThread:
    """An ASGI application on 127.0.0.1: a context manager that serves at `origin` (scheme, host, port).

    Whoever derives from this gives the `application`, and makes `connections` (the open ones by client address)
    and `stopping` (set once the server goes). All of it may be used from the test's thread while the server runs.
    """

    connections: Connections
    stopping: asyncio.Event
    origin: str

    _loop: asyncio.AbstractEventLoop
    _thread: threading.Thread
    _server: _Uvicorn

    def application(self) -> ASGIApp:
        """What is served; asked for once, at the start."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        # The protocol is named: asyncio turns Nagle's delays off only for sockets that say they are TCP.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            self.application(),
            http=protocol_over(self.connections),
            loop="asyncio",
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_keep_alive=60,
        )
        self._server = _Uvicorn(config, self.stopping)
        name = type(self).__name__
        self._thread = threading.Thread(target=self._serve, args=(listening,), name=name, daemon=True)
        self._thread.start()
        if not self._server.ready.wait(START_LIMIT_S):
            raise RuntimeError(f"the {name} did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._leave)
        self._thread.join(STOP_LIMIT_S)
        if self._thread.is_alive():
            raise RuntimeError(f"the {type(self).__name__} did not stop")

    def wait_until(self, happened: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Waits until something is true, such as a bill that follows a disconnect; else TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the {type(self).__name__} never came to that")
            time.sleep(0.002)

    def hang_up(self) -> None:
        """Closes every open connection at once, as a restarting load balancer does."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def in_loop(self, action: Callable[[], None]) -> None:
        """Has the server's own thread do something, soon."""
        self._loop.call_soon_threadsafe(action)

    def _serve(self, listening: socket.socket) -> None:
        with asyncio.Runner() as runner, listening:
            self._loop = runner.get_loop()
            runner.run(self._server.serve(sockets=[listening]))

    def _leave(self) -> None:
        self.stopping.set()
        self._server.force_exit = True
        self._abort_all()

    def _abort_all(self) -> None:
        for transport in list(self.connections.values()):
            transport.abort()


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it serves, and stops as soon as it is told."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        if self.server_state.tasks:  # every transport is aborted, so that these end by themselves
            await asyncio.wait(self.server_state.tasks, timeout=STOP_LIMIT_S / 2)

    async def main_loop(self) -> None:
        ticks = 0
        while not self._stopping.is_set():
            await self.on_tick(ticks)
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TICK_S)
