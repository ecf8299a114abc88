"""When the money has run out: the reserve and the last words, nothing paid after them, and how it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ai.app import Being, open_being
from ai.clock import Clock, SystemClock, VirtualClock
from ai.economy.account import Charge
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.money import parse_usd
from ai.errors import NobodyAlive
from ai.life.identity import default_identity
from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText
from ai.llm.scripted import Line, Scripted, says
from ai.moment import DAILY, EXISTENTIAL, IMPORTANT, LAST_WORDS, POST
from ai.store.engine import Store
from tests.conftest import MakeSettings
from tests.parts import (
    ALL_CLASSES,
    BEING,
    CHEAP,
    FREE,
    GRANT,
    LOCAL,
    PREMIUM,
    RESERVE,
    entries,
    events,
    hold,
    imbalance,
    until,
)

BEST = "openai/gpt-5"  # the most intelligent model of the highest class in the packaged list, the cheapest of equals
# Far ahead of whoever runs the tests: a timer of the real clock then never rings by itself.
NEW_YEARS_EVE = datetime(2095, 12, 31, 23, 59, 50, tzinfo=UTC)
COST = "0.001"  # less than any hold
PATIENCE_S = 10.0


def is_paid(model: str) -> bool:
    return not (model.endswith(":free") or model == LOCAL)


class Mind(Scripted):
    """Every model of OpenRouter: the paid ones cost a tenth of a cent a call. `paid` are the calls that cost."""

    def __init__(self, speak: Callable[[CompletionRequest], Line] | None = None) -> None:
        super().__init__(speak or self.say, name="openrouter")
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        completion = await super().complete(request, on_text)
        await self.may_answer.wait()
        return completion

    @staticmethod
    def say(request: CompletionRequest) -> Completion:
        return says("I am here.", model=request.model, cost_usd=Decimal(COST) if is_paid(request.model) else Decimal(0))

    @property
    def paid(self) -> list[str]:
        return [request.model for request in self.asked if is_paid(request.model)]


Open = Callable[..., AbstractAsyncContextManager[Being]]


@pytest.fixture
def wake(settings: MakeSettings, data_dir: Path) -> Open:
    """The being of one data directory; opening it again is a restart."""

    @asynccontextmanager
    async def wake(mind: Mind, clock: Clock, **chosen: str) -> AsyncIterator[Being]:
        environ = {
            "LLM_PROVIDER": "openrouter",
            "OPENROUTER_API_KEY": "sk-or-v1-nobody",
            "OPENROUTER_DEFAULT_MODEL": CHEAP,
        }
        made, secrets = settings(**environ | chosen)
        providers = {"openrouter": mind}
        if made.local_model_path is not None:
            providers["local"] = Scripted(["I think on this machine."], name="local")  # type: ignore[assignment]  # a scripted mind stands in
        async with open_being(made, secrets, clock, dict(providers)) as being:
            await being.birth.ensure(default_identity(BEING))
            yield being
            assert await imbalance(being.books.store) == 0

    return wake


async def spend(being: Being, usd: str) -> None:
    """That many dollars are gone, by a charge like any other."""
    held = await hold(being.books.tracker, usd)
    await being.books.tracker.settle(held, Charge(held.amount_nanos, "reported"))


def best_mind(being: Being) -> str:
    """The one that has the last words, when the reserve can pay for it."""
    best = being.books.catalogue.best(ALL_CLASSES)
    assert best is not None
    assert best.cls == "premium"
    return best.id


async def state_of(being: Being) -> str:
    life = await being.books.lifecycle.current()
    assert life is not None
    return life.state


async def moments(being: Being) -> list[str]:
    return [str(event.data["moment"]) for event in await events(being.books.store, "thought")]


async def from_next_door(being: Being, clock: Clock, usd: str) -> None:
    """A top-up by another process, over a store and a purse of its own."""
    store = Store.open(being.books.store.path.parent)
    try:
        purse = CreditTracker(store, being.books.journal, clock, BEING, Allowance(GRANT, RESERVE))
        assert await purse.topup(parse_usd(usd), external_id="door")
    finally:
        store.close()


@asynccontextmanager
async def running(being: Being) -> AsyncIterator[None]:
    """The daemon while the block runs; it ends as it does at SIGTERM."""
    stop = asyncio.Event()
    living = asyncio.create_task(being.daemon.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(living, PATIENCE_S)


async def passes(clock: VirtualClock, seconds: int) -> None:
    """Let virtual seconds pass one by one, with time for everybody to do what is due."""
    for _ in range(seconds):
        clock.advance(1)
        await asyncio.sleep(0.02)


async def test_the_last_words_are_paid_from_the_reserve_by_the_best_mind_and_then_it_hibernates(
    wake: Open, clock: VirtualClock
) -> None:
    mind = Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        assert (await being.books.tracker.balance()).available_nanos == 0
        await being.brain.live()
        assert mind.paid == [best_mind(being)]
        assert "the last words you can pay for" in str(mind.asked[0].messages)
        balance = await being.books.tracker.balance()
        assert balance.reserve_nanos == RESERVE - parse_usd(COST)
        assert balance.available_nanos == 0
        kinds = [event.kind for event in await events(being.books.store)]
        assert kinds[-2:] == ["thought", "hibernation"]
        assert await moments(being) == [LAST_WORDS]
        assert await state_of(being) == "hibernating"


async def test_after_the_last_words_no_call_is_paid_whatever_the_moment(wake: Open, clock: VirtualClock) -> None:
    mind = Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        for kind in (None, None, None, DAILY, POST, IMPORTANT, EXISTENTIAL):
            await being.brain.live(kind)
            clock.advance(3600)
        assert mind.paid == [best_mind(being)]
        assert len(mind.asked) == 7
        assert (await moments(being)).count(LAST_WORDS) == 1
        assert len([e for e in await entries(being.books.store, "charge") if e["amount"] != "0.00"]) == 2


async def test_a_tool_called_with_the_last_breath_buys_no_further_word(wake: Open, clock: VirtualClock) -> None:
    curious = Mind(
        lambda request: says("What is left?", model=request.model, calls=[("check_budget", {})], cost_usd=Decimal(COST))
    )
    async with wake(curious, clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        assert curious.paid == [best_mind(being)]
        (told,) = await events(being.books.store, "result")
        assert "$0.0000" in told.data["text"]
        assert await state_of(being) == "hibernating"


async def test_a_top_up_while_the_last_words_are_said_buys_no_further_word_of_them(
    wake: Open, clock: VirtualClock
) -> None:
    async def credit(being: Being) -> None:
        await being.books.tracker.topup(parse_usd("5"), external_id="late")

    curious = Mind(
        lambda request: says("What is left?", model=request.model, calls=[("check_budget", {})], cost_usd=Decimal(COST))
    )
    async with wake(curious, clock) as being:
        await spend(being, "4.90")
        curious.may_answer.clear()
        speaking = asyncio.create_task(being.brain.live())
        while not curious.asked:  # noqa: ASYNC110 - the mind is asked in another task
            await asyncio.sleep(0)
        await credit(being)
        curious.may_answer.set()
        await speaking
        assert curious.paid == [best_mind(being)]


async def test_hibernation_outlasts_every_restart_and_the_last_words_are_said_once(
    wake: Open, clock: VirtualClock
) -> None:
    for start in range(4):
        mind = Mind()
        async with wake(mind, clock) as being:
            if start == 0:
                await spend(being, "4.90")
            for _ in range(2):
                await being.brain.live()
            assert await state_of(being) == "hibernating"
            assert mind.paid == ([best_mind(being)] if start == 0 else [])
            assert len(await events(being.books.store, "hibernation")) == 1
        clock.advance(3600)


async def test_who_chose_death_dies_of_bankruptcy_and_stays_dead(wake: Open, clock: VirtualClock) -> None:
    mind = Mind()
    async with wake(mind, clock, ON_BANKRUPTCY="die") as being:
        await spend(being, "4.90")
        await being.brain.live()
        (death,) = await events(being.books.store, "death")
        assert death.data["cause"] == "bankruptcy"
    for _ in range(2):
        async with wake(mind, clock, ON_BANKRUPTCY="die") as being:
            assert await state_of(being) == "dead"
            with pytest.raises(NobodyAlive, match="is dead"):
                await being.brain.live()
    assert mind.paid == [best_mind(being)]


async def test_last_words_cut_short_by_a_crash_are_said_after_the_restart(wake: Open, clock: VirtualClock) -> None:
    silent = Mind()
    silent.may_answer.clear()
    async with wake(silent, clock) as being:
        await spend(being, "4.90")
        speaking = asyncio.create_task(being.brain.live())
        await until(lambda: silent.asked)
        speaking.cancel()
        await asyncio.wait([speaking])
        assert await state_of(being) == "alive"
        lost = (await being.books.tracker.balance()).unknown_nanos
        assert 0 < lost <= RESERVE
    mind = Mind()
    async with wake(mind, clock) as being:
        await being.brain.live()
        assert await moments(being) == [LAST_WORDS]
        assert await state_of(being) == "hibernating"
        spent = sum(parse_usd(entry["amount"]) for entry in await entries(being.books.store, "charge"))
        assert -spent + lost <= GRANT


@pytest.mark.parametrize("local", ["packaged", "none"])
async def test_last_words_that_the_reserve_cannot_pay_are_said_by_a_free_or_local_mind(
    wake: Open, clock: VirtualClock, local: str
) -> None:
    mind = Mind()
    async with wake(mind, clock, MONTHLY_BUDGET="0.001", LOCAL_MODEL_PATH=local) as being:
        await being.books.tracker.open_month()
        await spend(being, "0.00098")
        await being.brain.live()
        assert mind.paid == []
        assert await moments(being) == [LAST_WORDS]
        assert await state_of(being) == "hibernating"


async def test_while_it_runs_a_top_up_from_another_process_revives_it_within_five_seconds(wake: Open) -> None:
    mind = Mind()
    async with wake(mind, SystemClock(), THINK_INTERVAL_SECONDS="3600") as being:
        await spend(being, "4.90")
        await being.brain.live()
        async with running(being):
            await until(lambda: len(mind.asked) == 2)  # the daemon's first thought: a free one, in hibernation
            started = time.monotonic()
            await from_next_door(being, SystemClock(), "2.00")

            async def revived() -> bool:
                return await state_of(being) == "alive"

            await until(revived)
            assert time.monotonic() - started < 5.0
            await until(lambda: len(mind.asked) >= 3)
            assert is_paid(mind.asked[2].model)
        (revival,) = await events(being.books.store, "revival")
        assert "money" in revival.data["reason"]


async def test_a_top_up_revives_it_within_five_seconds_even_while_a_free_mind_keeps_it_waiting(wake: Open) -> None:
    clock, mind = VirtualClock(NEW_YEARS_EVE - timedelta(days=9)), Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        mind.may_answer.clear()
        async with running(being):
            await until(lambda: len(mind.asked) == 2)
            await from_next_door(being, clock, "2.00")
            await passes(clock, 5)
            state = await state_of(being)
            mind.may_answer.set()
        assert state == "alive"


async def test_a_reply_is_shortened_to_what_is_left_before_another_model_is_taken(
    wake: Open, clock: VirtualClock
) -> None:
    mind = Mind()
    async with wake(mind, clock, MONTHLY_BUDGET="0.0013") as being:
        await being.books.lifecycle.settle_in(CHEAP, by="being", reason="it insists")
        await being.brain.live(DAILY)
        (request,) = mind.asked
        assert request.model == CHEAP
        assert 64 <= request.max_tokens < 700
        assert request.max_price is not None
        worst = request.max_price.worst_case_nanos(0, request.max_tokens)
        assert worst < parse_usd("0.0013") * 98 // 100


async def test_what_covers_no_reply_at_all_is_left_alone_and_a_cheaper_mind_thinks(
    wake: Open, clock: VirtualClock
) -> None:
    mind = Mind()
    async with wake(mind, clock, MONTHLY_BUDGET="0.0007") as being:
        await being.books.lifecycle.settle_in(CHEAP, by="being", reason="it insists")
        await being.brain.live(DAILY)
        (thought,) = await events(being.books.store, "thought")
        assert CHEAP not in mind.paid
        assert thought.data["class"] == "ultra_cheap"
        assert (thought.data["attempts"][0]["model"], thought.data["attempts"][0]["outcome"]) == (CHEAP, "skipped")
        assert (await being.books.tracker.balance()).held_nanos == 0


async def test_a_top_up_too_small_for_any_paid_call_revives_nobody(wake: Open, clock: VirtualClock) -> None:
    mind = Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        await being.books.tracker.topup(1, external_id="a nano-dollar")
        await being.brain.live()
        assert await state_of(being) == "hibernating"
        assert mind.paid == [best_mind(being)]


async def test_a_top_up_made_while_nobody_ran_revives_it_at_the_next_start(wake: Open, clock: VirtualClock) -> None:
    async with wake(Mind(), clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        await from_next_door(being, clock, "3.00")
    mind = Mind()
    async with wake(mind, clock) as being:
        await being.brain.live()
        assert await state_of(being) == "alive"
        assert mind.paid == [CHEAP]
        assert (await moments(being))[-1] == IMPORTANT


async def test_going_broke_twice_says_last_words_twice(wake: Open, clock: VirtualClock) -> None:
    mind = Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        await being.books.tracker.topup(parse_usd("1.00"), external_id="again")
        await being.brain.live()
        left = (await being.books.tracker.balance()).available_nanos
        held = await being.books.tracker.hold(
            left, provider="openrouter", model="vendor/model", purpose="daily", timeout_s=60
        )
        await being.books.tracker.settle(held, Charge(left, "reported"))
        await being.brain.live()
        assert (await moments(being)).count(LAST_WORDS) == 2
        assert len(await events(being.books.store, "hibernation")) == 2


async def test_who_is_paused_in_hibernation_hibernates_on_and_says_no_second_last_words(
    wake: Open, clock: VirtualClock
) -> None:
    mind = Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        await being.books.lifecycle.pause("a test paused it")
        await being.books.lifecycle.resume("a test resumed it")
        assert await state_of(being) == "hibernating"
        await being.brain.live()
        assert (await moments(being)).count(LAST_WORDS) == 1
        assert mind.paid == [best_mind(being)]
        await being.books.tracker.topup(parse_usd("1.00"), external_id="again")
        await being.brain.live()
        assert await state_of(being) == "alive"


async def test_at_the_years_turn_it_wakes_by_itself_with_an_allowance_granted_exactly_once(wake: Open) -> None:
    clock, mind = VirtualClock(NEW_YEARS_EVE), Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        async with running(being):
            await until(lambda: len(mind.asked) == 2)
            await passes(clock, 9)
            assert await state_of(being) == "hibernating"
            assert len(mind.asked) == 2
            await passes(clock, 3)
            await until(lambda: len(mind.asked) == 3)
            await passes(clock, 5)
        assert await state_of(being) == "alive"
        assert is_paid(mind.asked[2].model)
        grants = await entries(being.books.store, "grant")
        assert [(entry["month"], entry["amount"]) for entry in grants] == [("2095-12", "5.00"), ("2096-01", "5.00")]
        (expired,) = await entries(being.books.store, "expire")
        assert expired["month"] == "2095-12"


async def test_after_months_in_which_nobody_ran_it_wakes_with_one_allowance_and_its_top_ups(wake: Open) -> None:
    clock, mind = VirtualClock(NEW_YEARS_EVE), Mind()
    async with wake(mind, clock) as being:
        await being.books.tracker.topup(parse_usd("2.00"), external_id="kept")
        await spend(being, "5.00")
        assert (await being.books.tracker.balance()).available_nanos == parse_usd("1.90")
    for days in (58, 0, 0):  # 27 February 2096, and two more starts on the same day
        clock.advance(days * 86_400)
        async with wake(mind, clock) as being:
            await being.brain.live()
    async with wake(mind, clock) as being:
        grants = [entry["month"] for entry in await entries(being.books.store, "grant")]
        assert grants == ["2095-12", "2096-02"]
        balance = await being.books.tracker.balance()
        assert balance.carried_nanos == parse_usd("2.00")
        assert balance.total_nanos == parse_usd("7.00") - balance.spent_nanos
        clock.advance(2 * 86_400)  # 29 February: a leap year
        assert (await being.books.tracker.open_month()).month == "2096-02"
        clock.advance(86_400)
        assert (await being.books.tracker.open_month()).month == "2096-03"


async def test_a_thought_that_lasts_across_the_turn_is_charged_to_the_month_it_began_in(wake: Open) -> None:
    clock, mind = VirtualClock(NEW_YEARS_EVE), Mind()
    mind.may_answer.clear()
    async with wake(mind, clock) as being:
        async with running(being):
            await until(lambda: mind.paid)
            await passes(clock, 12)
            balance = await being.books.tracker.balance()
            assert (balance.month, balance.total_nanos - balance.held_nanos) == ("2096-01", GRANT)
            mind.may_answer.set()
            await until(lambda: _charged(being))
        (charge, *_) = await entries(being.books.store, "charge")
        assert (charge["month"], charge["amount"]) == ("2095-12", f"-{COST}")
        balance = await being.books.tracker.balance()
        assert balance.total_nanos == GRANT - balance.spent_nanos


async def _charged(being: Being) -> bool:
    return bool(await entries(being.books.store, "charge"))


async def test_a_clock_set_back_over_midnight_wakes_nobody_twice(wake: Open) -> None:
    clock, mind = VirtualClock(NEW_YEARS_EVE), Mind()
    async with wake(mind, clock) as being:
        async with running(being):
            await passes(clock, 12)
            clock.advance(-3600)  # back to the old year
            await passes(clock, 3)
            assert (await being.books.tracker.balance()).month == "2096-01"
            clock.advance(3600)
            await passes(clock, 3)
        assert [e["month"] for e in await entries(being.books.store, "grant")] == ["2095-12", "2096-01"]
        assert (await being.books.tracker.balance()).granted_nanos == GRANT


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
async def test_the_month_turns_in_utc_wherever_its_keeper_lives(
    wake: Open, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        before_dst = datetime(2095, 3, 26, 23, 30, tzinfo=UTC)  # the night clocks are put forward in Berlin
        clock = VirtualClock(before_dst)
        async with wake(Mind(), clock) as being:
            assert (await being.books.tracker.open_month()).month == "2095-03"
            clock.advance((datetime(2095, 3, 31, 23, 59, 59, tzinfo=UTC) - before_dst).total_seconds())
            assert (await being.books.tracker.open_month()).month == "2095-03"
            clock.advance(1)
            assert (await being.books.tracker.open_month()).month == "2095-04"
            assert len(await entries(being.books.store, "grant")) == 2
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_free_and_local_models_are_told_from_paid_ones_here() -> None:
    assert [is_paid(model) for model in (FREE, LOCAL, CHEAP, PREMIUM)] == [False, False, True, True]


async def test_who_is_paused_and_resumed_while_out_of_money_says_no_second_last_words(
    wake: Open, clock: VirtualClock
) -> None:
    mind = Mind()
    async with wake(mind, clock) as being:
        await spend(being, "4.90")
        await being.brain.live()
        await being.books.lifecycle.pause("a test")
        await being.books.lifecycle.resume("a test")
        assert await state_of(being) == "hibernating"
        await being.brain.live()
        assert (await moments(being)).count(LAST_WORDS) == 1


async def test_who_is_paused_while_saying_the_last_words_says_them_once(wake: Open, clock: VirtualClock) -> None:
    paused: list[Being] = []

    class Pausing(Mind):
        async def complete(
            self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
        ) -> Completion:
            for being in paused[:1]:
                paused.clear()
                await being.books.lifecycle.pause("a test")
            return await super().complete(request, on_text, on_named)

    async with wake(Pausing(), clock) as being:
        await spend(being, "4.90")
        paused.append(being)
        await being.brain.live()
        assert await state_of(being) == "paused"
        await being.books.lifecycle.resume("a test")
        assert await state_of(being) == "hibernating"
        await being.brain.live()
        assert (await moments(being)).count(LAST_WORDS) == 1
