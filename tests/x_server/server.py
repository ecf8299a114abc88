"""The test server itself: a world, served on loopback in a thread of its own."""

from __future__ import annotations

from typing import Self

from starlette.types import ASGIApp

from tests.serving.thread import ServedInThread
from tests.x_server import spec
from tests.x_server.routes import application
from tests.x_server.world import World


class XServer(World, ServedInThread):
    """A protocol-true X API v2 on 127.0.0.1: a context manager that serves at `url`.

    World says what can be set and read, Script what can be told to happen next. Clients sign for
    https://api.twitter.com and send to `url`. All of it may be used from the test's thread while the server runs,
    and the server by other processes.
    """

    def application(self) -> ASGIApp:
        """The whole API over this world."""
        return application(self)

    def __enter__(self) -> Self:
        if self.strict:
            _ = spec.OPENAPI.document  # read now rather than during the first request, whose time-out it would eat
        return super().__enter__()

    @property
    def url(self) -> str:
        """What takes the place of https://api.twitter.com."""
        return self.origin
