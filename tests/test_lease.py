"""One being, one running instance: who gets it, what the others are told, and that nobody waits for the dead."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import Row

from ai.app import open_being
from ai.clock import VirtualClock
from ai.errors import InstanceHeld
from ai.llm.scripted import Scripted
from ai.store.engine import Store
from ai.store.lease import hold_lock, is_running, read_lease
from tests.conftest import MakeSettings
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING, CHEAP, hold_states
from tests.test_cli import PATIENCE_S, Alive, keyed, one_sentence, running

HELD = 75
AT_ONCE_S = 5.0  # far below any time-out, far above what a start takes on a busy machine


async def lease(store: Store) -> Row[tuple[int, str, int, int]]:
    row = await store.read(lambda t: read_lease(t, BEING))
    assert row is not None
    return row


def test_of_many_that_start_at_once_exactly_one_gets_the_being(tmp_path: Path) -> None:
    ready, tried = threading.Barrier(8), threading.Barrier(8)
    outcomes: list[str] = []

    def start() -> None:
        ready.wait()
        try:
            with hold_lock(tmp_path, BEING):
                outcomes.append("got it")
                tried.wait()
        except InstanceHeld:
            outcomes.append("refused")
            tried.wait()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(outcomes) == ["got it", *["refused"] * 7]


async def test_the_second_is_told_who_holds_it_and_exits_75(
    settings: MakeSettings, clock: VirtualClock, tmp_path: Path
) -> None:
    second = Alive(tmp_path, {"LLM_PROVIDER": "local", "LOCAL_MODEL_PATH": "none"})
    async with open_being(*settings(LOCAL_MODEL_PATH="none"), clock, {}) as being:
        before = await lease(being.books.store)
        refused = await asyncio.gather(*(asyncio.to_thread(second, command) for command in ("think", "run", "up")))
        for done in refused:
            assert done.code == HELD
            said = one_sentence(done)
            assert f"process {os.getpid()} on {socket.gethostname()} since 2026-11-21T12:00" in said
            assert "Stop that one first" in said
        assert await lease(being.books.store) == before, "who was refused leaves no trace"


async def test_a_second_up_hears_of_the_first_before_it_hears_of_the_port_that_the_first_one_has(
    settings: MakeSettings, clock: VirtualClock, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        second = Alive(tmp_path, {"LLM_PROVIDER": "local", "LOCAL_MODEL_PATH": "none", "OBSERVER_PORT": port})
        async with open_being(*settings(LOCAL_MODEL_PATH="none"), clock, {}):
            done = await asyncio.to_thread(second, "up")
    assert str(os.getpid()) in one_sentence(done)
    assert done.code == HELD


async def test_while_the_first_is_still_starting_the_second_is_told_that(
    settings: MakeSettings, clock: VirtualClock, tmp_path: Path
) -> None:
    with hold_lock(tmp_path / "data", BEING), pytest.raises(InstanceHeld, match="It is just starting"):
        async with open_being(*settings(), clock, {}):
            raise AssertionError("two at once")


def test_two_beings_in_one_folder_do_not_hinder_each_other(tmp_path: Path) -> None:
    with hold_lock(tmp_path, "genesis"), hold_lock(tmp_path, "eve"):
        assert is_running(tmp_path, "genesis")
        assert is_running(tmp_path, "eve")


def test_to_ask_whether_it_runs_neither_keeps_the_lock_nor_makes_a_file(tmp_path: Path) -> None:
    assert not is_running(tmp_path, BEING)
    assert list(tmp_path.iterdir()) == []
    with hold_lock(tmp_path, BEING):
        assert is_running(tmp_path, BEING)
    assert not is_running(tmp_path, BEING)
    with hold_lock(tmp_path, BEING):
        pass


async def test_every_start_has_a_higher_epoch(settings: MakeSettings, clock: VirtualClock) -> None:
    epochs = []
    for _ in range(3):
        async with open_being(*settings(), clock, {"local": Scripted(name="local")}) as being:
            epochs.append((await lease(being.books.store)).epoch)
    assert epochs == [1, 2, 3]


async def test_after_sigkill_the_next_start_needs_no_wait_and_the_lost_hold_is_unknown(
    settings: MakeSettings, tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("hang", times="forever")
    killed = keyed(tmp_path, openrouter)
    with running(killed, "run") as process:
        await asyncio.to_thread(openrouter.wait_until, lambda: bool(openrouter.calls_to(CHEAP)), PATIENCE_S)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            being = await stack.enter_async_context(open_being(*settings(**killed.env), providers={}))
            assert time.monotonic() - began < AT_ONCE_S
            assert (await lease(being.books.store)).epoch == 2
            assert (await lease(being.books.store)).pid == os.getpid()
            assert await hold_states(being.books.store) == ["unknown"]
            balance = await being.books.tracker.balance()
    assert (balance.held_nanos, balance.unknown_nanos > 0) == (0, True)
