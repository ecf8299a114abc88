"""Living: up, run, think."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import click

import vault
from ai import log, settings, voice
from ai.app import Being, open_being
from ai.errors import NobodyThought
from ai.settings import Settings


@click.command()
def up() -> None:
    """Live, with the page: the being and its window in one process."""
    _live(_with_page)


@click.command()
def run() -> None:
    """Live, without the page."""
    _live(_alone)


@click.command()
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="How many thoughts.")
def think(count: int) -> None:
    """Think now, one thought after another, and exit. Exits 1 when no model could think."""

    async def think_now(chosen: Settings, secrets: vault.Secrets, stop: asyncio.Event) -> None:
        async with open_being(chosen, secrets) as being:
            await _greet(being)
            for _ in range(count):
                if stop.is_set():
                    return
                try:
                    await being.brain.live()
                except NobodyThought as exc:
                    await being.books.journal.write("failure", {"where": "thought", "error": str(exc)})
                    raise

    _live(think_now)


Life = Callable[[Settings, vault.Secrets, asyncio.Event], Awaitable[None]]


def _live(life: Life) -> None:
    chosen, secrets = settings.load()
    log.set_up(chosen.log_format, vault.Redactor(secrets))

    async def main() -> None:
        async with _asked_to_stop() as stop:
            await life(chosen, secrets, stop)

    asyncio.run(main())


async def _alone(chosen: Settings, secrets: vault.Secrets, stop: asyncio.Event) -> None:
    async with open_being(chosen, secrets) as being:
        await _greet(being)
        await being.daemon.run(stop)


async def _with_page(chosen: Settings, secrets: vault.Secrets, stop: asyncio.Event) -> None:
    from ai.window import open_window  # only `up` has a page

    async with open_window(chosen, secrets) as address:
        log.logger.info("[OBSERVER] 🌐 %s", address)
        await _alone(chosen, secrets, stop)


async def _greet(being: Being) -> None:
    """Say who is here; begin its life if nobody is."""
    before = await being.books.lifecycle.current()
    for line in voice.banner(before.name if before else being.name):
        log.logger.info(line)
    if before is None:
        await being.birth.ensure()
    else:
        log.logger.info("[BRAIN] ♻️  Life #%d goes on, after %d thoughts...", before.number, before.thoughts)


@asynccontextmanager
async def _asked_to_stop() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal ends at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def asked(signum: int) -> None:
        if stop.is_set():
            sys.stdout.flush()
            os._exit(128 + signum)
        log.logger.info("[BRAIN] 🌙 Going to sleep...")
        stop.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, asked, signum)
    try:
        yield stop
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signum)
