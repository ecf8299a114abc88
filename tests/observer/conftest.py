"""A page served by the real server on loopback, beside a store that tests write to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ai.clock import SystemClock
from observer.app import create_app
from observer.server import serve
from tests.observer.books import BEING, Books

TOKEN = "a-token-only-the-keeper-has"
PATIENCE_S = 10.0


@cache
def _tls() -> ssl.SSLContext:
    """Loopback speaks no TLS, but every client would load the certificates anew."""
    return ssl.create_default_context()


@dataclass
class Page:
    """A running page: its address, and how to stop it."""

    url: str
    stop: asyncio.Event
    ended: asyncio.Task[None]

    def client(self, *, keeper: bool = False) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {TOKEN}"} if keeper else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=PATIENCE_S, verify=_tls())


@asynccontextmanager
async def open_page(data_dir: Path) -> AsyncIterator[Page]:
    """Serve the page in this event loop."""
    app = create_app(data_dir=data_dir, being=BEING, clock=SystemClock(), token=SecretStr(TOKEN))
    stop = asyncio.Event()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ended = asyncio.create_task(serve(app, "127.0.0.1", 0, stop=stop, announce=address.set_result))
    try:
        yield Page(await asyncio.wait_for(address, PATIENCE_S), stop, ended)
    finally:
        stop.set()
        await ended


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with open_page(tmp_path) as page:
        yield page


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()
