"""What the provider counts beside what the books count: shown always, booked only when the keeper says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from pydantic import SecretStr

from ai.clock import VirtualClock
from ai.economy.account import Hold, Reckoning
from ai.economy.credit_tracker import CreditTracker
from ai.economy.reconciler import RIPE_AFTER_S, Reconciler
from ai.economy.statement import read_budget
from ai.llm.base import CompletionRequest
from ai.llm.openai_compatible import OpenAICompatible
from ai.store.engine import Store
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING


class Says:
    """A biller that knows no single call, only the month."""

    def __init__(self, usage_nanos: int, remaining_nanos: int | None = None) -> None:
        self.said = Reckoning(usage_nanos, remaining_nanos)

    async def cost_of(self, generation_id: str) -> Decimal | None:
        return None

    async def reckoning(self) -> Reckoning:
        return self.said


async def _untold(_: Exception) -> None:
    raise AssertionError("nothing fails here")


async def _lose(tracker: CreditTracker, amount_nanos: int) -> Hold:
    hold = await tracker.hold(amount_nanos, provider="openrouter", model="m", purpose="daily", timeout_s=60)
    await tracker.forget(hold, "the line was cut")
    return hold


@pytest.fixture
async def opened(tracker: CreditTracker) -> AsyncIterator[CreditTracker]:
    await tracker.open_month()
    yield tracker


async def test_what_the_provider_counts_beyond_our_charges_is_shown_and_not_booked(
    opened: CreditTracker, store: Store, clock: VirtualClock
) -> None:
    await _lose(opened, 1_000_000)
    clock.advance(RIPE_AFTER_S)
    before = await opened.balance()
    await Reconciler(opened, {"openrouter": Says(300_000, 7_000_000)}, clock, _untold).compare()
    assert await opened.balance() == before
    (said,) = (await store.read(lambda t: read_budget(t, BEING)))["providers"]
    assert (said["provider"], said["drift"], said["remaining"]) == ("openrouter", "0.0003", "0.007")


async def test_with_an_exclusive_key_the_drift_is_what_the_lost_calls_cost(
    opened: CreditTracker, clock: VirtualClock
) -> None:
    await _lose(opened, 200_000)
    await _lose(opened, 1_000_000)
    clock.advance(RIPE_AFTER_S)
    await Reconciler(opened, {"openrouter": Says(300_000)}, clock, _untold, exclusive=True).compare()
    balance = await opened.balance()
    assert (balance.spent_nanos, balance.unknown_nanos) == (300_000, 0)


async def test_drift_beyond_the_lost_calls_is_never_booked_on_them(
    opened: CreditTracker, store: Store, clock: VirtualClock
) -> None:
    await _lose(opened, 200_000)
    clock.advance(RIPE_AFTER_S)
    biller = Says(2_000_000_000)  # what the key had used before this being was born
    reconciler = Reconciler(opened, {"openrouter": biller}, clock, _untold, exclusive=True)
    await reconciler.compare()
    assert (await opened.balance()).spent_nanos == 200_000
    await reconciler.compare()
    (said,) = (await store.read(lambda t: read_budget(t, BEING)))["providers"]
    assert said["drift"] == "1.9998"


async def test_a_lost_call_that_is_too_fresh_to_be_counted_is_left_alone(
    opened: CreditTracker, clock: VirtualClock
) -> None:
    await _lose(opened, 1_000_000)
    await Reconciler(opened, {"openrouter": Says(0)}, clock, _untold, exclusive=True).compare()
    assert (await opened.balance()).unknown_nanos == 1_000_000


async def test_a_call_under_way_is_never_taken_for_a_lost_one(opened: CreditTracker, clock: VirtualClock) -> None:
    await _lose(opened, 1_000_000)
    clock.advance(RIPE_AFTER_S)
    await opened.hold(5, provider="openrouter", model="m", purpose="daily", timeout_s=60)
    await Reconciler(opened, {"openrouter": Says(0)}, clock, _untold, exclusive=True).compare()
    assert (await opened.balance()).unknown_nanos == 1_000_000


async def test_the_provider_is_asked_over_its_real_protocol() -> None:
    with OpenRouterServer() as server:
        client = OpenAICompatible("openrouter", server.base_url, _key(server), timeout_s=10)
        try:
            assert await client.reckoning() == Reckoning(0, None)
        finally:
            await client.aclose()


def _key(server: OpenRouterServer) -> SecretStr:
    return SecretStr(server.api_key)


async def test_a_call_is_named_in_the_books_before_it_answers_so_that_a_crash_can_be_reckoned_exactly(
    opened: CreditTracker, clock: VirtualClock
) -> None:
    hold = await opened.hold(1_000_000, provider="openrouter", model="m", purpose="daily", timeout_s=60)
    named: list[str] = []

    async def name(generation_id: str) -> None:
        await opened.name(hold, generation_id)
        named.append(generation_id)

    with OpenRouterServer() as server:
        client = OpenAICompatible("openrouter", server.base_url, _key(server), timeout_s=10)
        server.generation_404s = 0
        try:
            request = CompletionRequest("anthropic/claude-3-haiku", [{"role": "user", "content": "Hello."}], 64)
            await client.complete(request, lambda _: None, name)  # the answer itself is lost: nobody settles it
            clock.advance(3600)  # as after a crash: the hold is overdue, and all there is, is its name
            assert await Reconciler(opened, {"openrouter": client}, clock, _untold).reconcile() == 1
        finally:
            await client.aclose()
    assert named == [server.bills[0].generation_id]
    assert (await opened.balance()).spent_nanos == server.billed_nanos
