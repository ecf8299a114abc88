"""The test server itself: uvicorn on loopback, in a thread of its own."""

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

from tests.openrouter_server import spec
from tests.openrouter_server.exchange import protocol_over
from tests.openrouter_server.routes import application
from tests.openrouter_server.world import PREFIX, World

TICK_S = 0.1
START_LIMIT_S = 10.0
STOP_LIMIT_S = 5.0


class OpenRouterServer(World):
    """A protocol-true OpenRouter on 127.0.0.1: a context manager that serves at `base_url`.

    World says what can be set and read, Script what can be told to happen next. All of it may be used from
    the test's thread while the server runs.
    """

    _loop: asyncio.AbstractEventLoop
    _thread: threading.Thread
    _server: _Uvicorn
    base_url: str

    def __enter__(self) -> Self:
        if self.strict:
            spec.document()  # read now rather than during the first call, whose time-out it would eat
        # The protocol is named: asyncio turns Nagle's delays off only for sockets that say they are TCP.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}{PREFIX}"
        config = uvicorn.Config(
            application(self),
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
        self._thread = threading.Thread(target=self._serve, args=(listening,), name="openrouter-server", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(START_LIMIT_S):
            raise RuntimeError("the OpenRouter test server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._hang_up)
        self._thread.join(STOP_LIMIT_S)
        if self._thread.is_alive():
            raise RuntimeError("the OpenRouter test server did not stop")

    def resume(self) -> None:
        """Lets every reply that stands at its `pause_after` go on."""
        self._loop.call_soon_threadsafe(self._resume)

    def wait_until(self, happened: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Waits until something is true, such as a bill that follows a disconnect; else TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError("the OpenRouter test server never came to that")
            time.sleep(0.002)

    def hang_up(self) -> None:
        """Closes every open connection at once, as a restarting load balancer does."""
        self._loop.call_soon_threadsafe(self._abort_all)

    @property
    def auth(self) -> dict[str, str]:
        """The headers that open this server."""
        return {"Authorization": f"Bearer {self.api_key}"}

    def _serve(self, listening: socket.socket) -> None:
        with asyncio.Runner() as runner, listening:
            self._loop = runner.get_loop()
            runner.run(self._server.serve(sockets=[listening]))

    def _resume(self) -> None:
        for pause in self.pauses:
            pause.set()
        self.pauses.clear()

    def _hang_up(self) -> None:
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


def unreachable_urls(server: OpenRouterServer) -> dict[str, str]:
    """Base URLs that fail below HTTP, by what fails: `connect`, `dns`, `tls`.

    RFC 6761 reserves .invalid, so that no resolver knows it; port 1 of loopback has no listener; and the
    server speaks no TLS.
    """
    return {
        "connect": f"http://127.0.0.1:1{PREFIX}",
        "dns": f"http://openrouter.invalid{PREFIX}",
        "tls": server.base_url.replace("http://", "https://"),
    }
