"""What several commands need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from ai import settings
from ai.app import Books, open_books
from ai.clock import SystemClock, from_ms
from ai.settings import Settings
from ai.store.engine import Store, Transaction
from ai.store.state import STOPPED_AFTER_S, read_state

T = TypeVar("T")


def read(question: Callable[[Transaction, Settings], T]) -> T:
    """Ask the store one question, without writing. Raises StoreMissing when there is no store yet."""
    chosen, _ = settings.load()

    async def ask() -> T:
        store = Store.open(chosen.data_dir, readonly=True)
        try:
            return await store.read(lambda transaction: question(transaction, chosen))
        finally:
            store.close()

    return asyncio.run(ask())


def with_books(work: Callable[[Books, Settings], Awaitable[T]]) -> T:
    """Do some work with the books open for writing."""
    chosen, secrets = settings.load()

    async def do() -> T:
        async with open_books(chosen, secrets, SystemClock()) as books:
            return await work(books, chosen)

    return asyncio.run(do())


def nobody_runs_it() -> bool:
    """Whether no process lives the being now."""
    age_s = read(lambda t, chosen: read_state(t, chosen.being, SystemClock().now()))["heartbeat_age_s"]
    return age_s is None or age_s > STOPPED_AFTER_S


def print_json(data: Any) -> None:
    """Print `data` as indented JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def when(moment: str | int) -> str:
    """A moment (as interfaces write it, or milliseconds since the epoch) in the terminal's own time zone."""
    at = from_ms(moment) if isinstance(moment, int) else datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
