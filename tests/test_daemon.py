"""The heartbeat: when it thinks, what it survives, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from ai.app import open_being
from ai.clock import VirtualClock
from ai.daemon import Daemon
from ai.errors import NobodyThought, StoreError
from ai.life.identity import default_identity
from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText
from ai.llm.scripted import Scripted
from ai.moment import Plan
from tests.conftest import MakeSettings
from tests.parts import CHEAP, NOON, hold_states, until

PATIENCE_S = 10.0
INTERVAL_S = 600.0


class HandTimer:
    """A timer that rings when the test says so."""

    def __init__(self) -> None:
        self.armed_at: datetime | None = None
        self.stopped = False
        self._ring: Callable[[], Awaitable[None]] | None = None

    def arm(self, at: datetime, ring: Callable[[], Awaitable[None]]) -> None:
        self.armed_at, self._ring = at, ring

    def stop(self) -> None:
        self.stopped = True

    async def ring(self) -> None:
        assert self._ring is not None, "nobody armed it"
        await self._ring()


class Nothing:
    """Somebody lives: nothing is due."""

    async def pass_on(self) -> float | None:
        return None


class HandBrain:
    """A brain whose thoughts begin and end when the test says so."""

    def __init__(self, *failures: Exception) -> None:
        self.begun = 0
        self.done = 0
        self.at_once = 0
        self.most_at_once = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._failures = list(failures)

    async def live(self, kind: str | None = None, *, may_skip: bool = False) -> Plan:
        self.begun += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.may_end.wait()
            if self._failures:
                raise self._failures.pop(0)
        finally:
            self.at_once -= 1
        self.done += 1
        return cast(Plan, SimpleNamespace(interval_s=INTERVAL_S))  # all that a daemon asks of a plan


class NotedPulse:
    """A pulse that notes what it was told."""

    def __init__(self) -> None:
        self.beats = 0
        self.is_thinking = False
        self.next_at: datetime | None = None

    async def beat(self) -> None:
        self.beats += 1

    async def thinking(self) -> None:
        self.is_thinking = True

    async def resting(self, until: datetime | None) -> None:
        self.is_thinking, self.next_at = False, until


class Quiet(VirtualClock):
    """Virtual time that stands still while the heart beats, so that a moment can be named."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)


class Running:
    """A daemon of hand-made parts while it runs."""

    def __init__(self, brain: HandBrain) -> None:
        self.brain = brain
        self.timer = HandTimer()
        self.pulse = NotedPulse()
        self.clock = Quiet(NOON)
        self.stop = asyncio.Event()
        self.failures: list[Exception] = []

    async def heard(self, exc: Exception) -> None:
        self.failures.append(exc)


@asynccontextmanager
async def running(brain: HandBrain) -> AsyncIterator[Running]:
    """The daemon while the block runs; it is stopped and awaited after it."""
    here = Running(brain)
    daemon = Daemon(brain, Nothing(), here.pulse, here.timer, here.clock, here.heard)
    task = asyncio.create_task(daemon.run(here.stop))
    try:
        yield here
    finally:
        brain.may_end.set()
        here.stop.set()
        await asyncio.wait_for(task, PATIENCE_S)


async def test_the_first_thought_comes_at_once_and_the_next_after_the_interval() -> None:
    async with running(HandBrain()) as here:
        await until(lambda: here.timer.armed_at is not None)
        assert here.brain.done == 1
        assert here.timer.armed_at == NOON + timedelta(seconds=INTERVAL_S)
        await until(lambda: here.pulse.next_at == here.timer.armed_at)
        await here.timer.ring()
        await until(lambda: here.brain.done == 2)


async def test_the_interval_counts_from_the_beginning_of_a_thought_and_never_lies_in_the_past() -> None:
    brain = HandBrain()
    brain.may_end.clear()
    async with running(brain) as here:
        await until(lambda: brain.begun == 1)
        here.clock.advance(90)
        brain.may_end.set()
        await until(lambda: here.timer.armed_at is not None)
        assert here.timer.armed_at == NOON + timedelta(seconds=INTERVAL_S)

        brain.may_end.clear()
        await here.timer.ring()
        await until(lambda: brain.begun == 2)
        here.clock.advance(10 * INTERVAL_S)
        brain.may_end.set()
        await until(lambda: brain.done == 2 and here.timer.armed_at == here.clock.now())


async def test_ticks_missed_during_a_long_thought_are_merged_into_one_and_thoughts_never_overlap() -> None:
    brain = HandBrain()
    async with running(brain) as here:
        await until(lambda: here.timer.armed_at is not None)
        brain.may_end.clear()
        await here.timer.ring()
        await until(lambda: brain.begun == 2)
        for _ in range(5):
            await here.timer.ring()
        await asyncio.sleep(0.02)
        assert brain.begun == 2
        brain.may_end.set()
        await until(lambda: brain.done == 3)
        await asyncio.sleep(0.02)
        assert (brain.begun, brain.most_at_once) == (3, 1)


@pytest.mark.parametrize("failure", [NobodyThought("No model could think."), RuntimeError("a bug of ours")])
async def test_a_failing_thought_is_told_and_stops_nothing(failure: Exception) -> None:
    async with running(HandBrain(failure)) as here:
        await until(lambda: here.timer.armed_at is not None)
        assert here.failures == [failure]
        beats = here.pulse.beats
        await until(lambda: here.pulse.beats > beats)
        await here.timer.ring()
        await until(lambda: here.brain.done == 1)


async def test_books_that_cannot_be_written_end_it_rather_than_letting_it_pretend() -> None:
    here = Running(HandBrain(StoreError("The disk is full.")))
    daemon = Daemon(here.brain, Nothing(), here.pulse, here.timer, here.clock, here.heard)
    with pytest.raises(StoreError, match="disk is full"):
        await asyncio.wait_for(daemon.run(here.stop), PATIENCE_S)
    assert here.timer.stopped


async def test_it_is_seen_thinking_while_it_thinks_and_resting_after() -> None:
    brain = HandBrain()
    brain.may_end.clear()
    async with running(brain) as here:
        await until(lambda: brain.begun == 1)
        assert here.pulse.is_thinking
        brain.may_end.set()
        await until(lambda: not here.pulse.is_thinking)


async def test_a_thought_under_way_may_finish_when_it_is_asked_to_stop() -> None:
    brain = HandBrain()
    brain.may_end.clear()
    async with running(brain) as here:
        await until(lambda: brain.begun == 1)
        here.stop.set()
        await until(lambda: here.timer.stopped)
        brain.may_end.set()
    assert brain.done == 1
    assert here.pulse.next_at is None


async def test_it_stops_at_once_when_nothing_is_under_way() -> None:
    async with running(HandBrain()) as here:
        await until(lambda: here.timer.armed_at is not None)
        here.stop.set()
        await until(lambda: here.timer.stopped)
    assert here.brain.begun == 1


class Silent:
    """A provider that never answers."""

    name = "openrouter"

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError("it never answers")

    async def aclose(self) -> None:
        """Nothing is held."""


async def test_the_end_cuts_a_thought_that_does_not_end_and_its_hold_is_unknown(
    settings: MakeSettings, clock: VirtualClock
) -> None:
    chosen, secrets = settings(
        LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody", OPENROUTER_DEFAULT_MODEL=CHEAP
    )
    silent = Silent()
    async with open_being(chosen, secrets, clock, {"openrouter": silent, "local": Scripted(name="local")}) as being:
        await being.birth.ensure(default_identity("genesis"))
        stop = asyncio.Event()
        living = asyncio.create_task(being.daemon.run(stop))
        await asyncio.wait_for(silent.asked.wait(), PATIENCE_S)
        assert await hold_states(being.books.store) == ["open"]
        stop.set()
        await asyncio.wait_for(living, PATIENCE_S)
        assert await hold_states(being.books.store) == ["unknown"]
        assert (await being.books.tracker.balance()).unknown_nanos > 0
