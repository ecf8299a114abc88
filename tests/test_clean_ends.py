"""Clean ends: what happens between the signal and the exit status, in mid-thought and with somebody watching."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ai.app import open_being
from ai.economy.money import exact, parse_usd
from tests.conftest import MakeSettings
from tests.observer.watching import Watcher, watching
from tests.openrouter_server import OpenRouterServer
from tests.parts import CHEAP, hold_states, imbalance
from tests.test_cli import ENDS_WITHIN_S, PATIENCE_S, Alive, keyed, running

LONG = "I think slowly and at length, and somebody watches every word of it. " * 20
AT_ONCE_S = 2.5  # below the 4 s that a thought under way is given


def line_of(process: subprocess.Popen[str], beginning: str) -> str:
    """Read what the process prints until a line begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line
    raise AssertionError(f"it ended without saying “{beginning}”: {process.communicate()}")


@asynccontextmanager
async def watched(alive: Alive) -> AsyncIterator[tuple[subprocess.Popen[str], Watcher]]:
    """`alive up` in the middle of a thought that somebody watches."""
    with running(alive, "up") as process:
        address = (await asyncio.to_thread(line_of, process, "[OBSERVER]")).split()[-1]
        async with (
            httpx.AsyncClient(base_url=address, timeout=PATIENCE_S, trust_env=False) as client,
            watching(client) as watcher,
        ):
            await watcher.until(lambda seen: any(seen.drafts))
            yield process, watcher


async def ended(process: subprocess.Popen[str], within_s: float) -> tuple[int, str, str]:
    out, err = await asyncio.to_thread(process.communicate, timeout=within_s)
    return process.returncode, out, err


async def balance_of(alive: Alive) -> dict[str, Any]:
    return await asyncio.to_thread(lambda: alive.account)


async def test_sigterm_cuts_a_watched_thought_that_does_not_end_and_its_hold_counts_as_spent(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("I am Genesis.")  # who it wants to be
    openrouter.reply_with(LONG, pause_after=3, times="forever")
    alive = keyed(tmp_path, openrouter)
    async with watched(alive) as (process, watcher):
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, out, err = await ended(process, PATIENCE_S)
        assert time.monotonic() - asked < ENDS_WITHIN_S
        await watcher.until(lambda seen: seen.ended)
    assert (code, err) == (0, "")
    assert "Going to sleep" in out
    account = await balance_of(alive)
    assert account["held"] == "0.00"
    assert parse_usd(account["spent"]) + parse_usd(account["unknown"]) >= openrouter.billed_nanos > 0


async def test_after_sigint_a_watched_thought_may_finish_and_is_charged_what_it_cost(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("I am Genesis.")  # who it wants to be
    openrouter.reply_with(LONG, pause_after=3, model=CHEAP)
    openrouter.reply_with("That was all.", times="forever")
    alive = keyed(tmp_path, openrouter)
    async with watched(alive) as (process, watcher):
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(line_of, process, "[BRAIN] 🌙 Going to sleep")
        openrouter.resume()
        code, out, err = await ended(process, ENDS_WITHIN_S)
        await watcher.until(lambda seen: seen.ended)
    assert (code, err) == (0, "")
    assert out.count("[BRAIN] 💬 Response") == 1, "the thought under way, and no other"
    account = await balance_of(alive)
    assert (account["held"], account["unknown"]) == ("0.00", "0.00")
    assert account["spent"] == exact(openrouter.billed_nanos) != "0.00"


async def test_a_second_signal_ends_at_once_and_the_next_start_accounts_for_the_hold(
    settings: MakeSettings, tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("hang", times="forever")
    alive = keyed(tmp_path, openrouter)
    with running(alive, "run") as process:
        await asyncio.to_thread(openrouter.wait_until, lambda: bool(openrouter.calls_to(CHEAP)), PATIENCE_S)
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(line_of, process, "[BRAIN] 🌙 Going to sleep")
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, _, err = await ended(process, PATIENCE_S)
        assert time.monotonic() - asked < AT_ONCE_S
    assert (code, err) == (128 + signal.SIGTERM, "")
    async with open_being(*settings(**alive.env), providers={}) as being:
        assert await hold_states(being.books.store) == ["unknown"]
        assert await imbalance(being.books.store) == 0


async def test_a_watcher_that_does_not_read_does_not_hold_up_the_end(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("A short thought.", times="forever")
    alive = keyed(tmp_path, openrouter)
    with running(alive, "up") as process:
        address = httpx.URL((await asyncio.to_thread(line_of, process, "[OBSERVER]")).split()[-1])
        await asyncio.to_thread(line_of, process, "[BRAIN] 💬 Response")
        with socket.create_connection((address.host, address.port or 80), timeout=PATIENCE_S) as deaf:
            deaf.sendall(b"GET /api/stream?after=0 HTTP/1.1\r\nHost: here\r\n\r\n")
            process.send_signal(signal.SIGTERM)
            code, _, err = await ended(process, ENDS_WITHIN_S)
    assert (code, err) == (0, "")
