"""Lost calls: what they cost is found out, again and again, and charged in full when nobody will ever know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from pydantic import SecretStr

from ai.clock import VirtualClock
from ai.economy.account import Charge, Hold, Reckoning
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.money import parse_usd
from ai.economy.reconciler import GIVEN_UP_AFTER_S, LOOK_EVERY_S, Biller, Reconciler
from ai.errors import ModelFailure
from ai.llm.base import CompletionRequest
from ai.llm.failures import CallFailed, Fate
from ai.llm.openai_compatible import OpenAICompatible
from ai.store.engine import Store
from ai.store.journal import Journal
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING, CHEAP, GRANT, RESERVE, entries, events, hold, hold_states, imbalance, parrot, until

HOLD = "0.10"
TEN_DAYS_S = 10 * 86_400


class Books(Biller):
    """A biller that answers from a list, the last answer for ever: dollars, nothing yet, or an error to raise."""

    def __init__(self, *answers: str | Exception | None) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def cost_of(self, generation_id: str) -> Decimal | None:
        self.asked.append(generation_id)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else Decimal(answer)

    async def reckoning(self) -> Reckoning:
        raise ModelFailure("openrouter does not say what the month cost.")


class Desk:
    """A reconciler at work on one account; `failures` are the questions that failed."""

    def __init__(self, tracker: CreditTracker, clock: VirtualClock) -> None:
        self.tracker = tracker
        self.clock = clock
        self.failures: list[Exception] = []

    def with_(self, biller: Biller) -> Reconciler:
        async def on_failure(exc: Exception) -> None:
            self.failures.append(exc)

        return Reconciler(self.tracker, {"openrouter": biller}, self.clock, on_failure)

    async def lose(self, generation_id: str | None = "gen-1", usd: str = HOLD) -> Hold:
        """A call that was cut off, known by that id."""
        held = await hold(self.tracker, usd)
        await self.tracker.forget(held, "the connection broke", generation_id)
        return held


@pytest.fixture
async def desk(store: Store, tracker: CreditTracker, clock: VirtualClock) -> AsyncIterator[Desk]:
    await tracker.open_month()
    yield Desk(tracker, clock)
    assert await imbalance(store) == 0


@pytest.fixture
async def client(openrouter: OpenRouterServer) -> AsyncIterator[OpenAICompatible]:
    client = OpenAICompatible("openrouter", openrouter.base_url, SecretStr(openrouter.api_key), timeout_s=5)
    yield client
    await client.aclose()


async def test_the_reported_cost_takes_the_place_of_the_hold(desk: Desk, store: Store) -> None:
    await desk.lose()
    assert await desk.with_(Books("0.03")).reconcile() == 1
    balance = await desk.tracker.balance()
    assert (balance.spent_nanos, balance.unknown_nanos) == (parse_usd("0.03"), 0)
    assert balance.available_nanos == GRANT - RESERVE - parse_usd("0.03")
    (charge,) = await entries(store, "charge")
    assert (charge["basis"], charge["generation_id"], charge["amount"]) == ("reported", "gen-1", "-0.03")


async def test_while_the_provider_does_not_know_yet_it_is_asked_again_and_counts_as_spent(desk: Desk) -> None:
    lost, biller = await desk.lose(), Books(None, None, "0.01")
    reconciler = desk.with_(biller)
    for _ in range(2):
        assert await reconciler.reconcile() == 0
        assert (await desk.tracker.balance()).unknown_nanos == lost.amount_nanos
    assert await reconciler.reconcile() == 1
    assert biller.asked == ["gen-1"] * 3
    assert desk.failures == []


async def test_a_question_that_fails_is_told_and_asked_again(desk: Desk) -> None:
    await desk.lose()
    reconciler = desk.with_(Books(ModelFailure("openrouter is in trouble."), "0.01"))
    assert await reconciler.reconcile() == 0
    assert [str(failure) for failure in desk.failures] == ["openrouter is in trouble."]
    assert await reconciler.reconcile() == 1


@pytest.mark.parametrize(
    ("generation_id", "answer"), [(None, "0.01"), ("gen-1", None), ("gen-1", ModelFailure("openrouter is gone."))]
)
async def test_without_an_id_or_an_answer_it_is_charged_in_full_after_a_day_and_not_before(
    desk: Desk, store: Store, generation_id: str | None, answer: str | Exception | None
) -> None:
    lost, reconciler = await desk.lose(generation_id), desk.with_(Books(answer))
    desk.clock.advance(GIVEN_UP_AFTER_S - 1)
    assert await reconciler.reconcile() == 0
    desk.clock.advance(1)
    assert await reconciler.reconcile() == 1
    (charge,) = await entries(store, "charge")
    assert (charge["basis"], charge["amount"]) == ("worst_case", f"-{HOLD}")
    assert (await desk.tracker.balance()).spent_nanos == lost.amount_nanos


async def test_a_provider_that_was_taken_away_is_charged_in_full_after_a_day(desk: Desk) -> None:
    await desk.lose()
    reconciler = Reconciler(desk.tracker, {}, desk.clock, desk.with_(Books(None))._on_failure)
    assert await reconciler.reconcile() == 0
    desk.clock.advance(GIVEN_UP_AFTER_S)
    assert await reconciler.reconcile() == 1


async def test_a_call_that_cost_more_than_its_hold_is_booked_in_full_and_the_next_hold_is_larger(
    desk: Desk, store: Store
) -> None:
    await desk.lose()
    await desk.with_(Books("0.25")).reconcile()
    (charge,) = await entries(store, "charge")
    assert (charge["amount"], charge["overrun"]) == ("-0.25", "0.15")
    assert (await hold(desk.tracker, HOLD)).amount_nanos == parse_usd("0.25")


async def test_a_call_that_cost_nothing_gives_everything_back(desk: Desk) -> None:
    await desk.lose()
    await desk.with_(Books("0")).reconcile()
    assert (await desk.tracker.balance()).available_nanos == GRANT - RESERVE


async def test_a_reported_cost_is_rounded_up_once(desk: Desk) -> None:
    await desk.lose()
    await desk.with_(Books("0.0000000001")).reconcile()
    assert (await desk.tracker.balance()).spent_nanos == 1


async def test_each_lost_call_is_closed_on_its_own(desk: Desk, store: Store) -> None:
    for number in range(4):
        await desk.lose(f"gen-{number}")
    biller = Books("0.01", None, ModelFailure("openrouter is in trouble."), "0.02")
    assert await desk.with_(biller).reconcile() == 2
    assert await hold_states(store) == ["settled", "unknown", "unknown", "settled"]


async def test_a_call_lost_before_the_months_turn_is_charged_to_its_own_month(desk: Desk, store: Store) -> None:
    await desk.lose()
    desk.clock.advance(TEN_DAYS_S)
    balance = await desk.tracker.open_month()
    assert (balance.month, balance.available_nanos) == ("2026-12", GRANT - RESERVE)
    await desk.with_(Books("0.03")).reconcile()
    (charge,) = await entries(store, "charge")
    assert charge["month"] == "2026-11"
    assert (await desk.tracker.balance()).available_nanos == GRANT - RESERVE
    assert sum(parse_usd(e["amount"]) for e in await entries(store) if e["month"] == "2026-11") == 0


async def test_what_another_process_left_open_is_reconciled_too_once_it_is_overdue(
    desk: Desk, store: Store, journal: Journal
) -> None:
    another = CreditTracker(store, journal, desk.clock, BEING, Allowance(GRANT, RESERVE))
    await hold(another, HOLD, timeout_s=120)
    reconciler = desk.with_(Books(None))
    desk.clock.advance(119)
    await reconciler.reconcile()
    assert await hold_states(store) == ["open"]
    desk.clock.advance(2)
    await reconciler.reconcile()
    assert await hold_states(store) == ["unknown"]


async def test_it_looks_every_half_minute_for_ever(desk: Desk) -> None:
    await desk.lose()
    biller = Books(None, None, None, "0.01")
    keeping = asyncio.create_task(desk.with_(biller).keep())
    for asked in range(1, 5):
        await until(lambda asked=asked: len(biller.asked) == asked)  # type: ignore[misc]  # mypy infers no lambda with a default
        assert not keeping.done()
        await asyncio.sleep(0.01)
        desk.clock.advance(LOOK_EVERY_S)
    await until(lambda: _closed(desk))
    keeping.cancel()
    await asyncio.wait([keeping])


async def _closed(desk: Desk) -> bool:
    return not await desk.tracker.lost()


async def test_a_clock_set_back_an_hour_charges_nothing_early_and_nothing_twice(desk: Desk, store: Store) -> None:
    await desk.lose(None)
    reconciler = desk.with_(Books(None))
    desk.clock.advance(GIVEN_UP_AFTER_S - 60)
    desk.clock.advance(-3600)
    desk.clock.advance(120)
    assert await reconciler.reconcile() == 0
    desk.clock.advance(3600)
    assert await reconciler.reconcile() == 1
    desk.clock.advance(-3600)
    assert await reconciler.reconcile() == 0
    assert len(await entries(store, "charge")) == 1


async def test_a_call_that_answers_after_the_clock_leapt_a_month_forward_is_no_disaster(
    desk: Desk, store: Store
) -> None:
    held = await hold(desk.tracker, HOLD, timeout_s=120)
    desk.clock.advance(31 * 86_400)  # set by hand, or a laptop that slept: the call itself still runs
    await desk.tracker.open_month()
    await desk.with_(Books(None)).reconcile()
    await desk.tracker.settle(held, Charge(parse_usd("0.01"), "reported"))
    assert "unknown" not in await hold_states(store)


@pytest.mark.parametrize("said", ["NaN", "Infinity", "-Infinity", '"NaN"', "1e30", "null", '"many"', "[1]", "-0.5"])
async def test_a_record_that_says_nonsense_stops_nobody(desk: Desk, said: str) -> None:
    lost = await desk.lose()
    with parrot(200, f'{{"data": {{"total_cost": {said}}}}}'.encode()) as bird:
        client = OpenAICompatible("openrouter", bird.url, SecretStr("sk-or-v1-nobody"), timeout_s=5)
        await desk.with_(client).reconcile()
        await client.aclose()
    balance = await desk.tracker.balance()
    assert (balance.unknown_nanos, balance.spent_nanos) in ((lost.amount_nanos, 0), (0, 0))


@pytest.mark.parametrize("fault", ["dropped_midway", "slow"])
async def test_a_stream_that_broke_off_is_reconciled_to_what_the_server_really_billed(
    desk: Desk, store: Store, openrouter: OpenRouterServer, client: OpenAICompatible, fault: str
) -> None:
    openrouter.generation_404s = 2
    openrouter.slow_delay_s = 0.05  # the whole reply would take longer than the client waits
    openrouter.fault(fault)
    quick = OpenAICompatible("openrouter", openrouter.base_url, SecretStr(openrouter.api_key), timeout_s=0.5)
    held = await desk.tracker.hold(parse_usd(HOLD), provider="openrouter", model=CHEAP, purpose="daily", timeout_s=60)
    request = CompletionRequest(CHEAP, [{"role": "user", "content": "Think of something."}], 100)
    with pytest.raises(CallFailed) as failed:
        await quick.complete(request, lambda _: None)
    await quick.aclose()
    assert failed.value.fate is Fate.UNKNOWN
    await desk.tracker.forget(held, str(failed.value), failed.value.generation_id)
    await asyncio.to_thread(openrouter.wait_until, lambda: bool(openrouter.bills))
    assert (await desk.tracker.balance()).unknown_nanos >= openrouter.billed_nanos > 0
    reconciler = desk.with_(client)
    assert [await reconciler.reconcile() for _ in range(3)] == [0, 0, 1]
    assert (await desk.tracker.balance()).spent_nanos == openrouter.billed_nanos
    assert len(await events(store, "charge")) == 1


async def test_a_server_in_trouble_is_asked_again_when_it_is_well(
    desk: Desk, openrouter: OpenRouterServer, client: OpenAICompatible
) -> None:
    await desk.lose("gen-unknown")
    openrouter.fault("server_error", path="/generation")
    reconciler = desk.with_(client)
    assert [await reconciler.reconcile() for _ in range(2)] == [0, 0]
    assert len(desk.failures) == 1


@pytest.mark.parametrize("said", ["NaN", "Infinity", '"NaN"', "1e30"])
async def test_a_reported_cost_that_is_nonsense_is_never_believed(said: str) -> None:
    body = (
        '{"id": "gen-1", "choices": [{"message": {"content": "I am."}, "finish_reason": "stop"}],'
        f' "usage": {{"prompt_tokens": 9, "completion_tokens": 3, "cost": {said}}}}}'
    )
    request = CompletionRequest(CHEAP, [{"role": "user", "content": "Think of something."}], 100)
    with parrot(200, body.encode()) as bird:
        client = OpenAICompatible("openrouter", bird.url, SecretStr("sk-or-v1-nobody"), timeout_s=5)
        try:
            usage = (await client.complete(request, lambda _: None)).usage
        except CallFailed as exc:
            assert exc.fate is Fate.UNKNOWN
        else:
            assert usage is not None
            assert usage.cost_usd is None
        await client.aclose()
