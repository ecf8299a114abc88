"""The test server itself: a world, served on loopback in a thread of its own."""

from __future__ import annotations

from typing import Self

from starlette.types import ASGIApp

from tests.openrouter_server import spec
from tests.openrouter_server.routes import application
from tests.openrouter_server.world import PREFIX, World
from tests.serving.thread import ServedInThread


class OpenRouterServer(World, ServedInThread):
    """A protocol-true OpenRouter on 127.0.0.1: a context manager that serves at `base_url`.

    World says what can be set and read, Script what can be told to happen next. All of it may be used from
    the test's thread while the server runs.
    """

    def application(self) -> ASGIApp:
        """The whole API over this world."""
        return application(self)

    def __enter__(self) -> Self:
        if self.strict:
            spec.document()  # read now rather than during the first call, whose time-out it would eat
        return super().__enter__()

    @property
    def base_url(self) -> str:
        """Where its API begins."""
        return f"{self.origin}{PREFIX}"

    def resume(self) -> None:
        """Lets every reply that stands at its `pause_after` go on."""
        self.in_loop(self._resume)

    @property
    def auth(self) -> dict[str, str]:
        """The headers that open this server."""
        return {"Authorization": f"Bearer {self.api_key}"}

    def _resume(self) -> None:
        for pause in self.pauses:
            pause.set()
        self.pauses.clear()


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
