"""The page in the being's own process, for `alive up`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import vault
from ai.clock import SystemClock
from ai.settings import Settings
from observer.app import create_app
from observer.server import listen, serve, url_of
from observer.token import observer_token


@asynccontextmanager
async def open_window(settings: Settings, secrets: vault.Secrets) -> AsyncIterator[str]:
    """Serve the page while the block runs; gives its address. Raises AliveError when the port cannot be had.

    The page reads the store through a connection of its own, as it would from another process.
    """
    listener = listen(settings.observer_host, settings.observer_port)
    token = observer_token(settings.data_dir, secrets.get("OBSERVER_TOKEN"))
    app = create_app(data_dir=settings.data_dir, being=settings.being, clock=SystemClock(), token=token)
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve(app, settings.observer_host, settings.observer_port, stop=stop, listener=listener)
    )
    try:
        yield url_of(listener)
    finally:
        stop.set()
        await serving
