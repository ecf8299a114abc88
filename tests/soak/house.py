"""One being's house through many deaths: a server that counts what it billed, children to kill, books to look into."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

import vault
from ai import settings
from ai.app import Being, open_being
from ai.clock import SystemClock, VirtualClock
from ai.economy.money import parse_usd
from ai.economy.reconciler import GIVEN_UP_AFTER_S, Reconciler
from ai.llm.openai_compatible import OpenAICompatible
from ai.settings import Settings
from tests.openrouter_server import OpenRouterServer, Reply, ToolCall
from tests.openrouter_server.script import CHAT
from tests.parts import CHEAP, entries, hold_states, imbalance

RUNS_ON, STOPS = "openai/gpt-oss-20b", CHEAP  # whether the provider's bill runs on when the stream is broken off
ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0

# When to kill: just after the request arrived, in mid-stream, as soon as it is billed, while it is settled, any time.
MOMENTS = ("arrived", "mid-stream", "billed", "settling", "random")


class House:
    """A data directory and the server its being is billed by. `alive` is the child that lives in it now."""

    def __init__(self, data_dir: Path, server: OpenRouterServer, environ: Mapping[str, str], seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._environ = dict(environ)
        self._own = {
            "DATA_DIR": str(data_dir),
            "LLM_PROVIDER": "openrouter",
            "OPENROUTER_API_KEY": server.api_key,
            "OPENROUTER_BASE_URL": server.base_url,
            "LOCAL_MODEL_PATH": "none",
            "MONTHLY_BUDGET": "1000",
        }
        server.reply_fn = self._reply

    @property
    def billed_nanos(self) -> int:
        return self.server.billed_nanos

    def _reply(self, _: Mapping[str, Any]) -> Reply:
        """Words in slow pieces; every third time a tool is called, whose result asks for another round."""
        number = next(self._numbers)
        calls = [ToolCall("check_budget", {})] if number % 3 == 0 else []
        text = f"This is thought number {number}, and I take my time with it. " * 4
        return Reply(text=text, tool_calls=calls, delay_s=0.005, chunk_delay_s=0.002)

    @contextmanager
    def child(self, model: str) -> Iterator[subprocess.Popen[bytes]]:
        """A child at work, until it is killed; one that ended by itself is a failure."""
        environ = self._environ | self._own | {"OPENROUTER_DEFAULT_MODEL": model}
        child = subprocess.Popen([sys.executable, "-m", "tests.soak.child"], env=environ, cwd=ROOT)
        try:
            yield child
            ended = child.poll()
            assert ended is None, f"the child ended by itself: {ended}"
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        self.server.wait_until(lambda: not self.server.connections and not self.server.account.in_flight, PATIENCE_S)

    def live_and_die(self, moment: str) -> None:
        """One life of a child, ended by SIGKILL at such a moment."""
        with self.child(self.chance.choice([RUNS_ON, STOPS])) as child:
            if moment == "random":
                time.sleep(self.chance.uniform(0.0, 2.0))
                return
            for _ in range(self.chance.randint(1, 3)):  # not always its first call
                self._wait_for(child, moment)
            if moment == "settling":
                time.sleep(self.chance.uniform(0.0, 0.02))

    def die_in_mid_stream(self) -> None:
        """One life that ends while a stream stands still, long after the head of its answer has come."""
        asked = self._asked()
        self.server.reply_with("A thought that stops in the middle of a", pause_after=2)
        with self.child(self.chance.choice([RUNS_ON, STOPS])):
            self.server.wait_until(lambda: self._asked() > asked and bool(self.server.calls[-1].status), PATIENCE_S)
            time.sleep(0.5)

    def _wait_for(self, child: subprocess.Popen[bytes], moment: str) -> None:
        arrived, billed = self._asked(), len(self.server.bills)

        def come() -> bool:
            assert child.poll() is None, "the child ended by itself"
            if moment == "arrived":
                return self._asked() > arrived
            if moment == "mid-stream":
                return self._asked() > arrived and bool(self.server.calls[-1].status)
            return len(self.server.bills) > billed

        self.server.wait_until(come, PATIENCE_S)
        if moment == "mid-stream":
            time.sleep(0.015)

    def _asked(self) -> int:
        return sum(call.path == CHAT for call in self.server.calls)

    @asynccontextmanager
    async def restarted(self) -> AsyncIterator[Being]:
        """The being after a restart, in this process: its lease is taken and what was left open is unknown."""
        chosen, secrets = self._settings()
        async with open_being(chosen, secrets, SystemClock()) as being:
            yield being

    def _settings(self) -> tuple[Settings, vault.Secrets]:
        return settings.load(self._own)

    async def reconcile(self, being: Being, *, after_s: float = 0.0) -> None:
        """Ask what every lost call cost, often enough for the server to know, as if `after_s` had passed."""
        clock = VirtualClock(SystemClock().now())
        clock.advance(after_s)
        key = SecretStr(self.server.api_key)
        client = OpenAICompatible("openrouter", self.server.base_url, key, timeout_s=PATIENCE_S)

        async def on_failure(exc: Exception) -> None:
            raise exc

        reconciler = Reconciler(being.books.tracker, {"openrouter": client}, clock, on_failure)
        for _ in range(self.server.generation_404s + 1):
            await reconciler.reconcile()
        await client.aclose()


async def check(house: House, being: Being, seen: list[int], topups: int) -> None:
    """What must hold after every restart. `seen` are the entries known so far; new ones are added."""
    store = being.books.store
    balance = await being.books.tracker.balance()
    assert balance.held_nanos == 0
    assert "open" not in await hold_states(store)
    assert balance.spent_nanos + balance.unknown_nanos >= house.billed_nanos
    assert await imbalance(store) == 0
    numbers = [entry["id"] for entry in await entries(store)]
    assert numbers[: len(seen)] == seen, "an entry is lost"
    seen[:] = numbers
    assert len(await entries(store, "topup")) == topups
    await every_bill_is_booked(house, being)


async def every_bill_is_booked(house: House, being: Being) -> None:
    """Each generation in the books costs what the server billed for it, to the nano-dollar, and stands there once."""
    billed = {bill.generation_id: bill.nanos for bill in house.server.bills}
    booked = [entry for entry in await entries(being.books.store, "charge") if entry["basis"] == "reported"]
    assert len({entry["generation_id"] for entry in booked}) == len(booked)
    for entry in booked:
        assert -parse_usd(entry["amount"]) == billed[entry["generation_id"]]


DAY_AND_A_BIT_S = GIVEN_UP_AFTER_S + 60


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine from a test that is none: its children are waited for with blocking calls."""
    asyncio.run(work)
