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

DESPITE_CLOCK = click.option(
    "--despite-clock", is_flag=True, help="Go on although the clock stands before the last entry."
)


@click.command()
@DESPITE_CLOCK
def up(despite_clock: bool) -> None:
    """Live, with the page: the being and its window in one process."""

    async def live(chosen: Settings, secrets: vault.Secrets, stop: asyncio.Event) -> None:
        from ai.window import open_window  # only `up` has a page

        async with (
            open_being(chosen, secrets, despite_clock=despite_clock) as being,
            open_window(chosen, secrets) as address,  # closed when the last thought has ended
        ):
            log.logger.info("[OBSERVER] 🌐 %s", address)
            await _greet(being)
            await being.daemon.run(stop)

    _until_stopped(live)


@click.command()
@DESPITE_CLOCK
def run(despite_clock: bool) -> None:
    """Live, without the page."""

    async def live(chosen: Settings, secrets: vault.Secrets, stop: asyncio.Event) -> None:
        async with open_being(chosen, secrets, despite_clock=despite_clock) as being:
            await _greet(being)
            await being.daemon.run(stop)

    _until_stopped(live)


@click.command()
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="How many thoughts.")
@DESPITE_CLOCK
def think(count: int, despite_clock: bool) -> None:
    """Think now, one thought after another, and exit. Exits 1 when no model could think."""

    async def live(chosen: Settings, secrets: vault.Secrets, stop: asyncio.Event) -> None:
        async with open_being(chosen, secrets, despite_clock=despite_clock) as being:
            await _greet(being)
            thinking = asyncio.create_task(_think(being, count))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([thinking, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not thinking.done():
                thinking.cancel()
                await asyncio.wait([thinking])
            else:
                thinking.result()

    _until_stopped(live)


Life = Callable[[Settings, vault.Secrets, asyncio.Event], Awaitable[None]]


def _until_stopped(live: Life) -> None:
    chosen, secrets = settings.load()
    log.set_up(chosen.log_format, vault.Redactor(secrets))

    async def main() -> None:
        async with _asked_to_stop() as stop:
            await live(chosen, secrets, stop)

    asyncio.run(main())


async def _think(being: Being, count: int) -> None:
    await being.catch_up()
    await being.birth.ensure()
    try:
        for _ in range(count):
            await being.brain.live()
    except NobodyThought as exc:
        await being.books.journal.write("failure", {"where": "thought", "error": str(exc)})
        raise
    finally:
        await being.postman.deliver()


async def _greet(being: Being) -> None:
    """Say who is here; a first life begins when there is time to think."""
    before = await being.books.lifecycle.current()
    for line in voice.banner(before.name if before else being.name):
        log.logger.info(line)
    if before is not None and before.state == "dead":
        log.logger.info("[BRAIN] 🪦 Life #%d is over, after %d thoughts...", before.number, before.thoughts)
    elif before is not None:
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
