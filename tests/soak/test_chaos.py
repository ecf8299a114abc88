"""Through thousands of thoughts in foul weather each is had, the books are the bill, and what rests is let rest.

Half of all calls fail, by a fault drawn from all that are documented; hours pass between some thoughts, seconds between
others. After each thought the server's own log is held against what rested before it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from ai import settings
from ai.app import Being, open_being
from ai.clock import VirtualClock
from ai.economy.money import parse_usd
from ai.economy.reconciler import Reconciler
from ai.life.identity import default_identity
from ai.llm.failures import Scope
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.scripted import Scripted
from ai.store.cooldowns import Cooldown
from tests.openrouter_server import Call, OpenRouterServer
from tests.parts import CHEAP, NOON, entries, events, fresh_store, hold_states, imbalance
from tests.soak.house import DAY_AND_A_BIT_S

SMALL, FULL = 150, 2000
RATE = 0.5
MOST_CALLS = 6 + 3 * 2  # of one thought: its line, and its further rounds with the same model
WIDE = (Scope.ENDPOINT, Scope.CREDENTIAL, Scope.FUNDS)
IMPATIENCE = 0.25  # how often nobody waits through a rest of the whole account
PAUSES_S = (0.5, 5, 30, 90, 600, 600, 600, 4000)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def server(clock: VirtualClock) -> Iterator[OpenRouterServer]:
    with OpenRouterServer(total_credits=Decimal(10_000), clock=clock.now) as server:
        yield server
        assert server.violations == []


async def test_through_any_weather_every_thought_is_had_and_the_books_are_the_bill(
    tmp_path: Path, server: OpenRouterServer, clock: VirtualClock, small: bool
) -> None:
    chance = random.Random(2026)
    chosen, secrets = settings.load(
        {
            "DATA_DIR": str(fresh_store(tmp_path / "data")),
            "LLM_PROVIDER": "openrouter",
            "OPENROUTER_API_KEY": server.api_key,
            "OPENROUTER_BASE_URL": server.base_url,
            "OPENROUTER_DEFAULT_MODEL": CHEAP,
            "MONTHLY_BUDGET": "1000",
        }
    )
    key = SecretStr(server.api_key)
    client = OpenAICompatible("openrouter", server.base_url, key, timeout_s=30)
    local = Scripted(lambda _: f"I think on this machine, {chance.random()}.", name="local")
    async with open_being(chosen, secrets, clock, {"openrouter": client, "local": local}) as being:
        await being.birth.ensure(default_identity("genesis"))
        await being.books.catalogue.update(await client.list_models())
        server.chaos(seed=7, rate=RATE)
        thoughts = SMALL if small else FULL
        for number in range(thoughts):
            await one_thought(being, server, number)
            clock.advance(chance.choice(PAUSES_S))
            widely = [cooldown for cooldown in being.books.cooldowns.all() if cooldown.scope in WIDE]
            if widely and chance.random() < IMPATIENCE:
                clock.advance(widely[-1].until_ms / 1000 - clock.now().timestamp())
        had = await events(being.books.store, "thought")
        assert len(had) == thoughts
        thinkers = Counter(str(event.data["class"]) for event in had)
        assert min(thinkers[cls] for cls in ("cheap", "free", "local")) > thoughts // 50, thinkers
        await the_books_are_the_bill(being, server, client, clock)
        await every_model_comes_back(being, server, clock)


async def one_thought(being: Being, server: OpenRouterServer, number: int) -> None:
    """One thought, before which everything that rests is written down, and after which the log is read."""
    resting, seen = being.books.cooldowns.all(), len(server.calls)
    await being.brain.live("daily")
    asked = server.calls[seen:]
    for call in asked:
        covered = [cooldown for cooldown in resting if covers(cooldown, call, being)]
        assert covered == [], f"thought {number} called {call.model}, which rested: {covered}"
    assert len(asked) <= MOST_CALLS


def covers(cooldown: Cooldown, call: Call, being: Being) -> bool:
    """Whether this rest speaks about this call."""
    model = being.books.catalogue.find(call.model or "")
    assert model is not None
    assert model.price is not None
    return {
        Scope.ENDPOINT: True,
        Scope.CREDENTIAL: True,
        Scope.FUNDS: not model.price.free,
        Scope.FREE_QUOTA: model.id.lower().endswith(":free"),
        Scope.MODEL: model.id == cooldown.subject,
        Scope.TOOLS: model.id == cooldown.subject and bool(call.body.get("tools")),
    }[Scope(cooldown.scope)]


async def the_books_are_the_bill(
    being: Being, server: OpenRouterServer, client: OpenAICompatible, clock: VirtualClock
) -> None:
    """Whatever was lost is asked for, and what the provider knows of is booked to the nano-dollar."""
    tracker, store = being.books.tracker, being.books.store
    server.mend()
    told = await charged(being, "reported")
    lost = {bill.generation_id: bill.nanos for bill in server.bills if bill.aborted}
    assert sum(told.values()) == server.billed_nanos - sum(lost.values())
    assert sum(lost.values()) > 0
    assert (await tracker.balance()).held_nanos == 0

    async def on_failure(exc: Exception) -> None:
        raise exc

    reconciler = Reconciler(tracker, {"openrouter": client}, clock, on_failure)
    for _ in range(server.generation_404s + 1):
        await reconciler.reconcile()
    clock.advance(DAY_AND_A_BIT_S)  # nobody can say any more what the others cost: they are charged in full
    await reconciler.reconcile()
    assert await tracker.lost() == []
    assert set(await hold_states(store)) <= {"settled", "released"}
    assert await imbalance(store) == 0
    booked, in_full = await charged(being, "reported"), await charged(being, "worst_case")
    billed = {bill.generation_id: bill.nanos for bill in server.bills}
    assert {name: billed[name] for name in booked} == booked
    unnamed = [nanos for name, nanos in billed.items() if name not in booked and nanos]
    # The dearest unnamed bill is no dearer than the largest hold, and so on down: each has a hold that covers it.
    assert len(unnamed) <= len(in_full)
    pairs = zip(sorted(unnamed, reverse=True), sorted(in_full.values(), reverse=True), strict=False)
    assert all(bill <= held for bill, held in pairs)


async def charged(being: Being, basis: str) -> dict[str, int]:
    """What was charged on this basis, in nano-dollars, by the generation's name, or by the entry's without one.

    Thoughts that cost nothing are left out.
    """
    charges = [entry for entry in await entries(being.books.store, "charge") if entry["basis"] == basis]
    amounts = {entry["generation_id"] or f"entry {entry['id']}": -parse_usd(entry["amount"]) for entry in charges}
    return {name: nanos for name, nanos in amounts.items() if nanos}


async def every_model_comes_back(being: Being, server: OpenRouterServer, clock: VirtualClock) -> None:
    """When the weather has cleared and every rest has had its time, one thought after the other is had as planned."""
    clock.advance(2 * DAY_AND_A_BIT_S)
    for _ in range(3):
        await being.brain.live("daily")
        clock.advance(600)
    assert being.books.cooldowns.all() == []
    (*_, last) = await events(being.books.store, "thought")
    assert [attempt["outcome"] for attempt in last.data["attempts"]] == ["thought"]
