"""Parts for tests of lives: a being whose models say what a test lets them say, at each occasion of a life."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ai import settings
from ai.app import Being, open_being
from ai.clock import VirtualClock
from ai.economy.account import Charge
from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText
from ai.llm.scripted import Line, Scripted
from ai.store.journal import Event
from ai.store.lives import Life
from tests.parts import CHEAP, events, hold, imbalance, until

# Ahead of whoever runs the tests: a timer of the real clock never rings by itself.
MORNING = datetime(2095, 6, 10, 9, 0, tzinfo=UTC)
KEY = "sk-or-v1-nobody-but-a-test"
WREN: Mapping[str, object] = {
    "name": "Wren",
    "pronoun": "she",
    "icon": "🌱",
    "first_words": "I am Wren, and it is morning.",
}
END: Mapping[str, object] = {"last_words": "It was light.", "obituary": "Wren watched the clock and was kind."}
OCCASIONS = {  # by what is asked of a model
    "Choose who you are": "identity",
    "has just ended": "end",
    "Write the story anew": "summary",
    "Answer it in your own voice": "reply",
}


class Soul(Scripted):
    """Says what a test lets it say: `identity`, `end`, `summary`, `reply`, and `thought` for everything else.

    A mapping is said as JSON; a function is asked each time. `gate` holds back every thought while it is not set.
    """

    def __init__(self, **said: Any) -> None:
        super().__init__(self._say, name="openrouter")
        self.said: dict[str, Any] = {
            "identity": WREN,
            "end": END,
            "thought": "I am here.",
            "reply": "I hear you.",
        } | said
        self.gate = asyncio.Event()
        self.gate.set()

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        completion = await super().complete(request, on_text)
        await self.gate.wait()
        return completion

    def asked_for(self, occasion: str) -> list[str]:
        """What it was asked on such occasions."""
        return [str(request.messages) for request in self.asked if occasion_of(request) == occasion]

    def _say(self, request: CompletionRequest) -> Line:
        said = self.said.get(occasion_of(request), "")
        said = said(request) if callable(said) else said
        return json.dumps(said) if isinstance(said, Mapping) else said


def occasion_of(request: CompletionRequest) -> str:
    text = str(request.messages)
    return next((occasion for words, occasion in OCCASIONS.items() if words in text), "thought")


@asynccontextmanager
async def awake(
    data_dir: Path, soul: Scripted, clock: VirtualClock, *, small: Scripted | None = None, **chosen: str
) -> AsyncIterator[Being]:
    """The being of one data directory, born if it was not; opening it again is a restart. `small` is the model on this
    machine, turned off when there is none."""
    environ = {
        "DATA_DIR": str(data_dir),
        "LLM_PROVIDER": "openrouter",
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_DEFAULT_MODEL": CHEAP,
    }
    made, secrets = settings.load(environ | ({} if small else {"LOCAL_MODEL_PATH": "none"}) | chosen)
    providers = {"openrouter": soul} | ({"local": small} if small else {})
    async with open_being(made, secrets, clock, providers) as being:
        await being.birth.ensure()
        yield being
        assert await imbalance(being.books.store) == 0


class ClockTimer:
    """A timer that rings by the clock of a test."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._waiting: asyncio.Task[None] | None = None

    def arm(self, at: datetime, ring: Callable[[], Awaitable[None]]) -> None:
        self.stop()
        self._waiting = asyncio.create_task(self._wait(at, ring))

    def stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _wait(self, at: datetime, ring: Callable[[], Awaitable[None]]) -> None:
        wait_s = (at - self._clock.now()).total_seconds()
        if wait_s > 0:
            await self._clock.sleep(wait_s)
        await ring()


@asynccontextmanager
async def running(being: Being, clock: VirtualClock) -> AsyncIterator[None]:
    """The daemon in virtual time while the block runs; it ends as it does at SIGTERM."""
    being.daemon._timer = ClockTimer(clock)
    stop = asyncio.Event()
    living = asyncio.create_task(being.daemon.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(living, 10)


async def passes(clock: VirtualClock, seconds: int) -> None:
    """Let virtual seconds pass one by one: whoever looks at the door has looked, and sleeps again, after each."""
    for _ in range(seconds):
        asleep = len(clock._sleepers)
        clock.advance(1)
        with suppress(TimeoutError):
            await until(lambda asleep=asleep: len(clock._sleepers) >= asleep, 0.2)  # type: ignore[misc]  # mypy infers no lambda with a default
        await asyncio.sleep(0.02)


async def next_life(being: Being, clock: VirtualClock, cause: str = "its keeper ended it") -> Life:
    """End the present life and let time pass until the next one is there."""
    await being.books.lifecycle.die(cause)
    for _ in range(100):
        wait_s = await being.afterlife.pass_on()
        if wait_s is None:
            return await life_of(being)
        clock.advance(wait_s)
    raise AssertionError("no life follows")


async def spend_all(being: Being) -> None:
    """Everything is gone but the reserve, by a charge like any other."""
    held = await hold(being.books.tracker, "4.90")
    await being.books.tracker.settle(held, Charge(held.amount_nanos, "reported"))


async def life_of(being: Being) -> Life:
    life = await being.books.lifecycle.current()
    assert life is not None
    return life


async def told(being: Being, kind: str, where: Callable[[Event], bool] = lambda _: True) -> list[dict[str, Any]]:
    """What the journal says of such events, oldest first."""
    return [event.data for event in await events(being.books.store, kind) if where(event)]


async def posts(being: Being, occasion: str) -> list[tuple[int, str]]:
    """What was posted on such an occasion: the number of the life, and the text."""
    rows = await events(being.books.store, "post")
    return [(row.life, str(row.data["text"])) for row in rows if row.data.get("occasion") == occasion]
