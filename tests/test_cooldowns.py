"""What a failure retires, until when, and who thinks instead: every documented failure of OpenRouter, one by one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr

from ai.app import Being, open_being
from ai.clock import SystemClock, VirtualClock, from_ms, iso, to_ms
from ai.economy.credit_tracker import CreditTracker
from ai.errors import NobodyThought
from ai.life.identity import default_identity
from ai.llm.base import CompletionRequest, Tool
from ai.llm.cooldowns import BACKOFF_OTHERWISE_S, Cooldowns, told
from ai.llm.failures import CallFailed, Fate, Scope, Until, from_error
from ai.llm.free_pace import FreePace
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.question import FAILED, SKIPPED, THOUGHT
from ai.llm.scripted import Line as Said
from ai.llm.scripted import Scripted
from ai.models.model_config import ModelInfo
from ai.store.engine import Store
from ai.store.migrate import migrate
from tests.conftest import MakeSettings
from tests.lines import Line
from tests.openrouter_server import CATALOGUE, FAULTS, Call, Kind, OpenRouterServer, unreachable_urls
from tests.openrouter_server.replies import token_cap
from tests.parts import BEING, CHEAP, FREE, LOCAL, NOON, entries, events, parrot, question, until

WANTED, CHEAPER = CHEAP, "google/gemini-2.0-flash-001"
NOBODY_ELSE = (WANTED, CHEAPER, FREE)
CAP = 4000
TOOLS = (Tool("look", "Look around.", {"type": "object", "properties": {}}),)
MODEL, TOOLLESS, QUOTA, FUNDS, KEY = Scope.MODEL, Scope.TOOLS, Scope.FREE_QUOTA, Scope.FUNDS, Scope.CREDENTIAL
MINUTE_S, HOUR_S, DAY_S, MIDNIGHT_S = 60, 3600, 86_400, 12 * 3600  # it is noon
FOR_NOTHING, BOOKED, LOST = "costs nothing", "is booked", "keeps its hold"
HASTE_S = 0.3


@dataclass(frozen=True)
class Row:
    """What becomes of one failure of the wanted model, which strikes once.

    `scope` rests for `rests_s` seconds (None: nothing rests); `thinker` has the thought; `calls` counts what the
    server was asked: the wanted model, the cheaper one, the free one; `cost` is what becomes of the call's money.
    """

    scope: Scope | None
    rests_s: int
    thinker: str
    calls: tuple[int, int, int]
    cost: str = FOR_NOTHING
    wanted: str = WANTED


# Nothing rests: another model answers, or the same one at the second try.
ELSEWHERE, AGAIN = Row(None, 0, CHEAPER, (1, 1, 0)), Row(None, 0, WANTED, (2, 0, 0))
UNTIL_REFRESH, SHORTLY = Row(MODEL, DAY_S, CHEAPER, (1, 1, 0)), Row(MODEL, MINUTE_S, CHEAPER, (1, 1, 0))
DEAD_KEY = Row(KEY, DAY_S, LOCAL, (1, 0, 0))
BROKE = Row(FUNDS, HOUR_S, FREE, (1, 0, 1))
NO_FREE_CALLS = Row(QUOTA, MIDNIGHT_S, LOCAL, (0, 0, 1), wanted=FREE)

TABLE = {
    # 400: the model is unknown until the list is read anew; anything else is our own mistake
    "unknown_model": UNTIL_REFRESH,
    "bad_request": ELSEWHERE,
    "zod_error": ELSEWHERE,
    # 401: the key, and with it every model of the provider
    "missing_key": DEAD_KEY,
    "unknown_key": DEAD_KEY,
    # 402: the funds spare free models; a reply that is too dear is asked for once more, shorter
    "credits_exhausted": BROKE,
    "tokens_unaffordable": AGAIN,
    "tokens_unaffordable_everywhere": AGAIN,
    "in_flight_budget_exhausted": Row(FUNDS, 120, FREE, (1, 0, 1)),
    "weight_exceeds_budget": AGAIN,
    # 403: limits of the key are funds; what was flagged is this input alone
    "key_limit_daily": Row(FUNDS, MIDNIGHT_S, FREE, (1, 0, 1)),
    "key_limit_total": BROKE,
    "key_limit_as_402": BROKE,
    "moderation": ELSEWHERE,
    "guardrail": ELSEWHERE,
    "workspace_budget": BROKE,
    # 404: the model, or only its tools
    "no_endpoints": UNTIL_REFRESH,
    "no_tool_endpoints": Row(TOOLLESS, DAY_S, WANTED, (2, 0, 0)),
    "no_endpoints_for_parameters": UNTIL_REFRESH,
    "data_policy": UNTIL_REFRESH,
    "no_allowed_providers": UNTIL_REFRESH,
    # 408, 413, 422
    "timeout": AGAIN,
    "too_large": ELSEWHERE,
    "unprocessable": ELSEWHERE,
    # 429: Retry-After, else a backoff; the free quota until X-RateLimit-Reset, be it milliseconds or seconds
    "upstream_rate_limited": Row(MODEL, 7, CHEAPER, (1, 1, 0)),
    "upstream_rate_limited_no_hint": SHORTLY,
    "model_rate_limited": SHORTLY,
    "free_daily_limit": NO_FREE_CALLS,
    "free_daily_limit_in_seconds": NO_FREE_CALLS,
    # 5xx
    "server_error": SHORTLY,
    "bad_gateway": SHORTLY,
    "unavailable": SHORTLY,
    "unavailable_retry_after": Row(MODEL, 11, CHEAPER, (1, 1, 0)),
    "unavailable_html": SHORTLY,
    "edge_timeout": SHORTLY,
    "overloaded": SHORTLY,
    # 200, and yet a failure
    "error_in_200": SHORTLY,
    "error_in_200_string_code": SHORTLY,
    "finish_error": SHORTLY,
    "empty_content": Row(None, 0, WANTED, (2, 0, 0), BOOKED),
    "nothing_generated": SHORTLY,
    # the wire
    "dropped_before_answer": Row(MODEL, MINUTE_S, CHEAPER, (1, 1, 0), LOST),
    "dropped_before_answer_billed": Row(MODEL, MINUTE_S, CHEAPER, (1, 1, 0), LOST),
    "dropped_midway": Row(MODEL, MINUTE_S, CHEAPER, (1, 1, 0), LOST),
    "hang": Row(MODEL, MINUTE_S, CHEAPER, (1, 1, 0), LOST),
    "hang_billed": Row(MODEL, MINUTE_S, CHEAPER, (1, 1, 0), LOST),
    "slow": Row(None, 0, WANTED, (1, 0, 0)),
}


@pytest.fixture
def openrouter(clock: VirtualClock) -> Iterator[OpenRouterServer]:
    """One dear model, a cheaper one and a free one, at a server that lives in our time."""
    with OpenRouterServer(models=[m for m in CATALOGUE if m.id in NOBODY_ELSE], clock=clock.now) as server:
        yield server


@pytest.fixture
def everybody(clock: VirtualClock, store: Store, tracker: CreditTracker) -> Iterator[OpenRouterServer]:
    """A server with its whole catalogue."""
    with OpenRouterServer(clock=clock.now) as server:
        yield server


@pytest.fixture
async def crowd(everybody: OpenRouterServer, store: Store, tracker: CreditTracker, clock: VirtualClock) -> Any:
    """A line of many models."""
    line = Line(everybody, store, tracker, clock, Scripted(["I think on this machine."], name="local"))
    await tracker.open_month()
    await line.catalogue.update(await line.openrouter.list_models())
    yield line
    await line.openrouter.aclose()


def test_the_table_covers_every_documented_failure() -> None:
    assert TABLE.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", TABLE)
async def test_a_failure_retires_what_it_speaks_about_until_its_time(
    line: Line, openrouter: OpenRouterServer, fault: str
) -> None:
    row = TABLE[fault]
    openrouter.fault(fault, model=row.wanted)
    if FAULTS[fault].kind is Kind.HANG:
        line.timeout_s = HASTE_S
    answer = await line.ask(question(row.wanted, cap=CAP, tools=TOOLS))
    resting = [(c.scope, c.subject, from_ms(c.until_ms) - NOON) for c in line.cooldowns.all()]
    subject = row.wanted if row.scope in (MODEL, TOOLLESS) else ""
    assert [(s, m, rest.total_seconds()) for s, m, rest in resting] == (
        [(row.scope, subject, row.rests_s)] if row.scope else []
    )
    assert answer.model.id == row.thinker
    assert tuple(len(openrouter.calls_to(model)) for model in NOBODY_ELSE) == row.calls
    if fault != "slow":
        assert answer.attempts[0].rests_until == (iso(line.cooldowns.all()[0].until_ms) if row.scope else None)
    await the_books_are_the_bill(line, openrouter, row)


async def the_books_are_the_bill(line: Line, openrouter: OpenRouterServer, row: Row) -> None:
    balance = await line.tracker.balance()
    lost = sum(bill.nanos for bill in openrouter.bills if bill.aborted)
    assert balance.spent_nanos == openrouter.billed_nanos - lost
    assert balance.held_nanos == 0
    assert (balance.unknown_nanos > 0) == (row.cost is LOST)
    assert balance.unknown_nanos >= lost
    charges = [charge for charge in await entries(line.store, "charge") if charge["amount"] != "0.00"]
    assert len(charges) == (row.thinker in (WANTED, CHEAPER)) + (row.cost is BOOKED)


# What rests, and what does not


async def test_spent_credits_spare_the_free_models_and_skip_every_paid_one_without_a_call(
    crowd: Line, everybody: OpenRouterServer
) -> None:
    everybody.fault("credits_exhausted", model=WANTED)
    assert (await crowd.ask(question(WANTED))).model.cls == "free"
    everybody.calls.clear()
    for paid in (WANTED, "anthropic/claude-sonnet-4.5", "meta-llama/llama-3.2-3b-instruct"):
        answer = await crowd.ask(question(paid))
        assert answer.model.cls == "free"
        assert answer.attempts[0].outcome == SKIPPED
        assert "no credits left" in answer.why
    assert {call.model for call in everybody.calls_to(None)} == {answer.model.id}


async def test_free_models_that_say_the_funds_are_gone_are_no_probes_of_the_funds(
    crowd: Line, everybody: OpenRouterServer
) -> None:
    everybody.fault("credits_exhausted", times="forever")  # with a negative balance the free ones say so, too
    for _ in range(2):
        assert (await crowd.ask(question(WANTED))).model.id == LOCAL
    (cooldown,) = crowd.cooldowns.all()
    assert (cooldown.scope, cooldown.failures) == (FUNDS, 1)
    assert cooldown.until_ms == to_ms(NOON) + HOUR_S * 1000


async def test_a_dead_key_spares_nobody_behind_it(crowd: Line, everybody: OpenRouterServer) -> None:
    everybody.fault("unknown_key")
    for wanted in (WANTED, FREE, "anthropic/claude-sonnet-4.5"):
        assert (await crowd.ask(question(wanted))).model.id == LOCAL
    assert len(everybody.calls_to(None)) == 1


async def move(line: Line, url: str) -> None:
    """The provider is reached there from now on."""
    await line.openrouter.aclose()
    line.openrouter = OpenAICompatible("openrouter", url, SecretStr("k" * 20), timeout_s=5.0)


@pytest.mark.parametrize("dead", ["connect", "dns", "tls"])
async def test_a_dead_endpoint_spares_nobody_behind_it(crowd: Line, everybody: OpenRouterServer, dead: str) -> None:
    await move(crowd, unreachable_urls(everybody)[dead])
    assert (await crowd.ask(question(WANTED))).model.id == LOCAL
    (cooldown,) = crowd.cooldowns.all()
    assert (cooldown.scope, cooldown.until_ms - cooldown.at_ms) == (Scope.ENDPOINT, 30_000)
    answer = await crowd.ask(question(FREE))
    assert (answer.model.id, answer.attempts[0].outcome) == (LOCAL, SKIPPED)


async def test_a_used_up_free_quota_spares_the_paid_models_and_what_is_free_without_the_suffix(
    crowd: Line, everybody: OpenRouterServer
) -> None:
    everybody.fault("free_daily_limit", model=FREE)
    answer = await crowd.ask(question(FREE))
    assert answer.model.cls in ("free", "local")
    assert not any(call.model.endswith(":free") for call in everybody.calls_to(None)[1:] if call.model)
    assert (await crowd.ask(question(WANTED))).model.id == WANTED


# Until when


@pytest.mark.parametrize(("fault", "rests_s"), [("server_error", 60), ("upstream_rate_limited", 7)])
async def test_nothing_that_rests_is_called_before_its_time(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock, fault: str, rests_s: int
) -> None:
    openrouter.fault(fault, model=WANTED)
    await line.ask(question(WANTED))
    clock.advance(rests_s - 0.01)
    answer = await line.ask(question(WANTED))
    assert (answer.model.id, len(openrouter.calls_to(WANTED))) == (CHEAPER, 1)
    assert "rests until 21 Nov 12:0" in answer.why
    clock.advance(0.01)
    assert (await line.ask(question(WANTED))).model.id == WANTED
    assert line.cooldowns.all() == []


ESCALATION = {
    "server_error": (60, 120, 240, 480, 960, 1920, 3600, 3600),
    "connect": (30, 60, 120, 240, 480, 600, 600),
    "credits_exhausted": (3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400),
    "unknown_key": (86_400, 86_400),
    "no_endpoints": (86_400, 86_400),
    "unavailable_retry_after": (11, 11, 11),
}


@pytest.mark.parametrize("fault", ESCALATION)
async def test_what_fails_again_rests_longer_up_to_a_bound(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock, fault: str
) -> None:
    if fault in FAULTS:
        openrouter.fault(fault, model=WANTED, times="forever")
    else:
        await move(line, unreachable_urls(openrouter)[fault])
    rests = []
    for _ in ESCALATION[fault]:
        await line.ask(question(WANTED))
        (cooldown,) = line.cooldowns.all()
        rests.append((cooldown.until_ms - cooldown.at_ms) // 1000)
        clock.advance(rests[-1])
    assert tuple(rests) == ESCALATION[fault]


async def test_after_its_time_one_question_probes_while_the_others_go_elsewhere(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    openrouter.fault("server_error", model=WANTED)
    await line.ask(question(WANTED))
    clock.advance(MINUTE_S)
    openrouter.reply_with("I am well again.", model=WANTED, delay_s=0.05)
    answers = await asyncio.gather(*(line.ask(question(WANTED)) for _ in range(4)))
    assert sorted(answer.model.id == WANTED for answer in answers) == [False, False, False, True]
    assert len(openrouter.calls_to(WANTED)) == 2
    assert (await line.ask(question(WANTED))).model.id == WANTED


async def test_a_probe_that_fails_keeps_it_closed_for_everybody(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    openrouter.fault("credits_exhausted", model=WANTED, times=2)
    await line.ask(question(WANTED))
    clock.advance(HOUR_S)
    answers = await asyncio.gather(*(line.ask(question(WANTED)) for _ in range(4)))
    assert {answer.model.id for answer in answers} == {FREE}
    assert len(openrouter.calls_to(WANTED)) == 2
    assert openrouter.calls_to(CHEAPER) == []
    clock.advance(2 * HOUR_S - 1)
    assert (await line.ask(question(CHEAPER))).model.id == FREE
    clock.advance(1)
    assert (await line.ask(question(CHEAPER))).model.id == CHEAPER, "any paid model is a probe of the funds"
    assert line.cooldowns.all() == []


async def test_calls_in_flight_cool_the_funds_for_retry_after(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    openrouter.fault("in_flight_budget_exhausted", model=WANTED)
    await line.ask(question(WANTED))
    clock.advance(119)
    assert (await line.ask(question(CHEAPER))).model.id == FREE
    clock.advance(1)
    assert (await line.ask(question(WANTED))).model.id == WANTED


AT_THE_TURN = datetime(2026, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "now", "rests_until"),
    [
        ("daily", NOON, datetime(2026, 11, 22, tzinfo=UTC)),
        ("weekly", NOON, datetime(2026, 11, 23, tzinfo=UTC)),  # it is a Saturday
        ("weekly", datetime(2026, 11, 23, 0, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)),
        ("monthly", NOON, datetime(2026, 12, 1, tzinfo=UTC)),
        ("monthly", AT_THE_TURN, datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
async def test_a_limit_of_the_key_rests_until_it_is_reset(
    store: Store, period: str, now: datetime, rests_until: datetime
) -> None:
    status, words = 403, f"Key limit exceeded ({period} limit)."
    body = {"error": {"code": status, "message": words}}
    with parrot(status, json_bytes(body)) as bird:
        client = OpenAICompatible("openrouter", bird.url, SecretStr("k" * 20), timeout_s=5.0)
        with pytest.raises(CallFailed) as failed:
            await client.complete(CompletionRequest(WANTED, [{"role": "user", "content": "?"}], 10), lambda _: None)
        await client.aclose()
    cooldowns = Cooldowns(store, VirtualClock(now), BEING)
    cooled = await cooldowns.cool(failed.value, a_model(WANTED))
    assert cooled is not None
    assert (cooled.scope, from_ms(cooled.until_ms)) == (FUNDS, rests_until)


@pytest.mark.parametrize("wait_s", [0.0, -5.0, 1e9])
async def test_a_wait_that_makes_no_sense_is_a_backoff(store: Store, clock: VirtualClock, wait_s: float) -> None:
    failure = CallFailed("busy", scope=MODEL, fate=Fate.FREE, retry_after_s=wait_s)
    cooled = await Cooldowns(store, clock, BEING).cool(failure, a_model(WANTED))
    assert cooled is not None
    assert cooled.until_ms - cooled.at_ms == BACKOFF_OTHERWISE_S[0] * 1000


# What outlasts a restart, and what ends early


async def test_what_rests_outlasts_a_restart(line: Line, openrouter: OpenRouterServer, clock: VirtualClock) -> None:
    openrouter.fault("server_error", model=WANTED, times=2)
    await line.ask(question(WANTED))
    await restart(line, clock)
    assert (await line.ask(question(WANTED))).model.id == CHEAPER
    clock.advance(MINUTE_S)
    await line.ask(question(WANTED))
    await restart(line, clock)
    (cooldown,) = line.cooldowns.all()
    assert (cooldown.failures, cooldown.until_ms - cooldown.at_ms) == (2, 120_000)
    clock.advance(120)
    assert (await line.ask(question(WANTED))).model.id == WANTED
    await restart(line, clock)
    assert line.cooldowns.all() == []


async def restart(line: Line, clock: VirtualClock, accounts: dict[str, str] | None = None) -> None:
    line.cooldowns = Cooldowns(line.store, clock, BEING, accounts)
    await line.cooldowns.load()


async def test_another_key_forgets_what_the_old_one_met(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    await restart(line, clock, {"openrouter": "the old key"})
    openrouter.fault("unknown_key", model=WANTED)
    await line.ask(question(WANTED))
    await restart(line, clock, {"openrouter": "the old key"})
    assert [c.scope for c in line.cooldowns.all()] == [KEY]
    await restart(line, clock, {"openrouter": "the new key"})
    assert (await line.ask(question(WANTED))).model.id == WANTED
    await restart(line, clock, {"openrouter": "the old key"})
    assert line.cooldowns.all() == [], "it is forgotten in the store, too"


@pytest.fixture
async def live(openrouter: OpenRouterServer, settings: MakeSettings, clock: VirtualClock) -> AsyncIterator[Any]:
    """A function that opens a whole being over this server, and over one data directory."""

    def opened(key: str = openrouter.api_key) -> Any:
        chosen, secrets = settings(
            LLM_PROVIDER="openrouter",
            OPENROUTER_API_KEY=key,
            OPENROUTER_BASE_URL=openrouter.base_url,
            OPENROUTER_DEFAULT_MODEL=WANTED,
            LOCAL_MODEL_PATH="none",
        )
        migrate(chosen.data_dir, clock)
        return open_being(chosen, secrets, clock)

    yield opened


async def learn(being: Being, openrouter: OpenRouterServer) -> None:
    """Be born, and know this server's models and no others."""
    await being.birth.ensure(default_identity("genesis"))
    await being.books.catalogue.update([model.to_json(openrouter.models) for model in openrouter.models.values()])


async def test_a_being_that_is_restarted_remembers_what_rests_and_another_key_forgets_it(
    live: Any, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("unknown_key")
    async with live() as being:
        await learn(being, openrouter)
        with pytest.raises(NobodyThought):
            await being.brain.live("daily")
    async with live() as being:
        with pytest.raises(NobodyThought, match="does not accept the key"):
            await being.brain.live("daily")
        assert len(openrouter.calls_to(None)) == 1
    openrouter.add_key("sk-or-v1-" + "9" * 64)
    async with live("sk-or-v1-" + "9" * 64) as being:
        await being.brain.live("daily")
        (thought,) = await events(being.books.store, "thought")
        assert thought.data["model"] == WANTED


async def test_a_new_reading_of_the_catalogue_ends_what_waited_for_it_and_nothing_else(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("no_endpoints", model=WANTED)
    openrouter.fault("server_error", model=CHEAPER)
    await line.ask(question(WANTED))
    await line.cooldowns.end(Until.REFRESH)
    assert [(c.scope, c.subject) for c in line.cooldowns.all()] == [(MODEL, CHEAPER)]
    assert (await line.ask(question(WANTED))).model.id == WANTED


async def test_who_pays_in_while_nobody_runs_it_ends_the_rest_of_the_funds_at_the_next_start(
    live: Any, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    async with live() as being:
        await learn(being, openrouter)
        openrouter.fault("credits_exhausted", model=WANTED)
        await being.brain.live("daily")
    async with live() as being:
        assert [c.scope for c in being.books.cooldowns.all()] == [FUNDS]
        await being.books.tracker.topup(1_000_000_000, external_id="thanks")
    async with live() as being:
        assert being.books.cooldowns.all() == []
        openrouter.fault("credits_exhausted", model=WANTED)
        clock.advance(1)
        await being.brain.live("daily")
    async with live() as being:
        assert [c.scope for c in being.books.cooldowns.all()] == [FUNDS], "an old top-up ends nothing new"


async def test_who_only_says_something_does_not_end_the_rest_of_the_funds(
    live: Any, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    async with live() as being:
        await learn(being, openrouter)
        openrouter.fault("credits_exhausted", model=WANTED, times="forever")
        await being.brain.live("daily")
        (met,) = being.books.cooldowns.all()
        stop = asyncio.Event()
        running = asyncio.create_task(being.daemon.run(stop))
        await until(lambda: len(openrouter.calls_to(FREE)) >= 2)
        said = await events(being.books.store, "thought")
        await being.books.inbox.hear("Hello?")

        async def heard() -> bool:
            clock.advance(1)
            return len(await events(being.books.store, "thought")) > len(said)

        await until(heard)
        stop.set()
        await running
        assert being.books.cooldowns.all() == [met]


async def test_who_pays_in_ends_the_rest_of_the_funds_while_it_runs(
    live: Any, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    async with live() as being:
        await learn(being, openrouter)
        openrouter.fault("credits_exhausted", model=WANTED)
        await being.brain.live("daily")
        assert [c.scope for c in being.books.cooldowns.all()] == [FUNDS]
        stop = asyncio.Event()
        running = asyncio.create_task(being.daemon.run(stop))
        await until(lambda: len(openrouter.calls_to(FREE)) >= 2)
        await being.books.tracker.topup(1_000_000_000, external_id="thanks")

        def ended() -> bool:
            clock.advance(1)
            return not being.books.cooldowns.all()

        await until(ended)
        stop.set()
        await running


# Remedies


async def test_an_unaffordable_reply_is_asked_for_with_exactly_what_can_be_afforded(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("tokens_unaffordable", model=WANTED)
    await line.ask(question(WANTED, cap=CAP))
    openrouter.fault("tokens_unaffordable_everywhere", model=WANTED)
    await line.ask(question(WANTED, cap=CAP))
    assert caps(openrouter.calls_to(WANTED)) == [CAP, 3324, CAP, 2911]


async def test_a_request_that_weighs_too_much_is_asked_with_half_the_reply(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("weight_exceeds_budget", model=WANTED)
    await line.ask(question(WANTED, cap=CAP))
    assert caps(openrouter.calls_to(WANTED)) == [CAP, CAP // 2]


async def test_a_model_that_affords_too_little_for_a_thought_is_passed_over_and_does_not_rest(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.key.limit = Decimal("0.00006")  # some forty tokens of the wanted model, some hundred of the cheaper
    answer = await line.ask(question(WANTED, cap=CAP))
    assert answer.model.id == CHEAPER
    asked = [(call.model, token_cap(call.body)) for call in openrouter.calls_to(None)]
    afforded = asked[-1][1]
    assert asked == [(WANTED, CAP), (CHEAPER, CAP), (CHEAPER, afforded)]
    assert f"can only afford {afforded}." in answer.attempts[1].reason
    assert line.cooldowns.all() == []


async def test_a_model_without_tools_answers_without_them_and_that_is_remembered(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    openrouter.fault("no_tool_endpoints", model=WANTED)
    answer = await line.ask(question(WANTED, tools=TOOLS))
    assert (answer.model.id, answer.model.supports_tools) == (WANTED, False)
    assert [bool(call.body.get("tools")) for call in openrouter.calls_to(WANTED)] == [True, False]
    await restart(line, clock)
    answer = await line.ask(question(WANTED, tools=TOOLS))
    assert (len(answer.attempts), openrouter.calls_to(WANTED)[-1].body.get("tools")) == (1, None)
    await line.ask(question(CHEAPER, tools=TOOLS))
    assert openrouter.calls_to(CHEAPER)[-1].body["tools"]
    await line.cooldowns.end(Until.REFRESH)
    await line.ask(question(WANTED, tools=TOOLS))
    assert openrouter.calls_to(WANTED)[-1].body["tools"]


async def test_a_reply_that_thinking_ate_is_asked_for_once_more_with_more_room(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("empty_content", model=WANTED, times=3)
    answer = await line.ask(question(WANTED, cap=300))
    assert answer.model.id == CHEAPER
    assert caps(openrouter.calls_to(WANTED)) == [300, 1324]
    assert [(c.scope, c.subject) for c in line.cooldowns.all()] == [(MODEL, WANTED)]
    failed = [attempt.cost_nanos for attempt in answer.attempts if attempt.outcome == FAILED]
    assert failed == [bill.nanos for bill in openrouter.bills[:2]]
    assert all(failed)


async def test_a_time_out_of_the_provider_is_tried_once_more_and_no_oftener(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("timeout", model=WANTED, times=3)
    assert (await line.ask(question(WANTED))).model.id == CHEAPER
    assert len(openrouter.calls_to(WANTED)) == 2
    assert line.cooldowns.all() == []


async def test_what_was_billed_before_the_stream_broke_off_stays_billed(line: Line) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "cost": 0.002}
    error = {"code": 502, "message": "the provider closed the stream"}
    frames: list[dict[str, Any]] = [
        {"id": "gen-1", "choices": [{"delta": {"content": "I was about to"}}]},
        {"id": "gen-1", "choices": [{"delta": {}, "finish_reason": "error"}], "error": error, "usage": usage},
    ]
    body = b"".join(b"data: " + json_bytes(frame) + b"\n\n" for frame in frames)
    with parrot(200, body, {"Content-Type": "text/event-stream"}) as bird:
        client = OpenAICompatible("openrouter", bird.url, SecretStr("k" * 20), timeout_s=5.0)
        answer = await line.ask(
            question(WANTED, classes=("cheap", "local")), {"openrouter": client, "local": line.local}
        )
        await client.aclose()
    assert answer.model.id == LOCAL
    assert answer.attempts[0].cost_nanos == 2_000_000
    failed = [attempt for attempt in answer.attempts if attempt.outcome == FAILED]
    assert (await line.tracker.balance()).spent_nanos == 2_000_000 * len(failed)
    assert (await line.tracker.balance()).unknown_nanos == 0


# Bounds


async def test_a_thought_takes_at_most_six_attempts_and_the_local_model_is_the_last(
    crowd: Line, everybody: OpenRouterServer
) -> None:
    everybody.fault("server_error", times="forever")
    answer = await crowd.ask(question("anthropic/claude-sonnet-4.5"))
    assert answer.model.id == LOCAL
    assert len(everybody.calls_to(None)) == 5
    made = [attempt for attempt in answer.attempts if attempt.outcome != SKIPPED]
    assert [attempt.outcome for attempt in made] == [FAILED] * 5 + [THOUGHT]


async def test_the_line_is_the_wanted_model_then_cheaper_ones_then_free_ones_then_the_local_one(
    crowd: Line, everybody: OpenRouterServer
) -> None:
    everybody.fault("server_error", times="forever")
    await crowd.ask(question("anthropic/claude-sonnet-4.5"))
    wanted, *others = [crowd.catalogue.get(call.model or "") for call in everybody.calls_to(None)]
    assert wanted.id == "anthropic/claude-sonnet-4.5"
    assert [model.cls in ("cheap", "ultra_cheap") for model in others] == [True, True, False, False]
    assert [model.cls for model in others[2:]] == ["free", "free"]
    assert all(blended(model) < blended(wanted) for model in others)


class Slow:
    """A provider whose every model takes all the time it is given, and then has said nothing."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.given_s: list[float] = []

    def __call__(self, request: CompletionRequest) -> Said:
        assert request.timeout_s is not None
        self.given_s.append(request.timeout_s)
        self._clock.advance(request.timeout_s)
        return CallFailed(f"no answer within {request.timeout_s:g} s", scope=MODEL, fate=Fate.UNKNOWN)


async def test_a_thought_for_which_everybody_hangs_takes_two_time_outs_and_ends_with_the_local_model(
    crowd: Line, clock: VirtualClock
) -> None:
    slow, started_s = Slow(clock), clock.monotonic_s()
    local_given: list[float] = []

    def local(request: CompletionRequest) -> str:
        assert request.timeout_s is not None
        local_given.append(request.timeout_s)
        return "I think on this machine."

    answer = await crowd.ask(
        question(WANTED), {"openrouter": Scripted(slow, name="openrouter"), "local": Scripted(local, name="local")}
    )
    assert answer.model.id == LOCAL
    assert slow.given_s == [crowd.timeout_s, crowd.timeout_s / 2]
    assert local_given == [crowd.timeout_s / 2]
    assert clock.monotonic_s() - started_s + local_given[0] <= 2 * crowd.timeout_s


async def test_without_a_local_model_the_time_left_is_for_a_free_one(crowd: Line, clock: VirtualClock) -> None:
    slow, started_s = Slow(clock), clock.monotonic_s()
    without_local(crowd)
    with pytest.raises(NobodyThought):
        await crowd.ask(question(WANTED), {"openrouter": (scripted := Scripted(slow, name="openrouter"))})
    assert [crowd.catalogue.get(request.model).cls for request in scripted.asked] == ["cheap", "cheap", "free"]
    assert clock.monotonic_s() - started_s <= 2 * crowd.timeout_s


async def test_without_a_local_model_the_sixth_attempt_is_a_free_one_too(
    crowd: Line, everybody: OpenRouterServer
) -> None:
    everybody.fault("server_error", times="forever")
    without_local(crowd)
    with pytest.raises(NobodyThought):
        await crowd.ask(question("anthropic/claude-sonnet-4.5"))
    classes = [crowd.catalogue.get(call.model or "").cls for call in everybody.calls_to(None)]
    assert len(classes) <= 6
    assert classes[3:] == ["free"] * len(classes[3:])


def without_local(line: Line) -> None:
    line.catalogue._local = None
    line.catalogue._models.pop(LOCAL)


async def test_servers_that_really_hang_do_not_hold_a_thought_up_beyond_two_time_outs(
    line: Line, openrouter: OpenRouterServer
) -> None:
    line.timeout_s, line._clock = HASTE_S, SystemClock()
    openrouter.fault("hang", times="forever")
    started = time.monotonic()
    assert (await line.ask(question(WANTED))).model.id == LOCAL
    assert 1.4 * HASTE_S <= time.monotonic() - started < 2 * HASTE_S + 1.0


async def test_the_local_model_is_asked_every_time_even_if_it_has_just_failed(line: Line) -> None:
    failure = CallFailed("it was busy", scope=MODEL, fate=Fate.FREE)
    line.local = Scripted([failure, "I think on this machine."], name="local")
    with pytest.raises(NobodyThought, match="it was busy"):
        await line.ask(question(LOCAL))
    assert (await line.ask(question(LOCAL))).completion.text == "I think on this machine."


@pytest.mark.parametrize("timeout_s", [0.05, 0.5, 1.0, 90.0])
async def test_whatever_time_out_was_chosen_somebody_is_asked(line: Line, timeout_s: float) -> None:
    line.timeout_s = timeout_s
    answer = await line.ask(question(WANTED), {"openrouter": Scripted(name="openrouter"), "local": line.local})
    assert answer.model.id == WANTED


# The free tier's own pace


@pytest.mark.parametrize("at_once", [False, True])
async def test_quick_questions_never_meet_the_free_tiers_limit(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock, at_once: bool
) -> None:
    openrouter.enforce_free_tier = True
    if at_once:
        answers = await asyncio.gather(*(line.ask(question(FREE)) for _ in range(25)))
    else:
        answers = []
        for _ in range(25):
            answers.append(await line.ask(question(FREE)))
            clock.advance(0.4)
    thinkers = [answer.model.id for answer in answers]
    assert (thinkers.count(FREE), thinkers.count(LOCAL)) == (20, 5)
    assert "no more free calls this minute" in answers[-1].why
    clock.advance(MINUTE_S)
    assert (await line.ask(question(FREE))).model.id == FREE
    assert {call.status for call in openrouter.calls_to(None)} == {200}


async def test_a_second_try_counts_among_the_free_calls_of_a_minute(
    line: Line, openrouter: OpenRouterServer, clock: VirtualClock
) -> None:
    openrouter.enforce_free_tier = True
    await line.ask(question(FREE))  # an odd one, so that the last call of the minute would be a first try
    openrouter.fault("timeout", model=FREE, times="forever")
    for _ in range(12):
        await line.ask(question(FREE))
    assert len(openrouter.calls_to(FREE)) == 20


# Why


async def test_what_rests_is_told_in_a_plain_sentence(line: Line, openrouter: OpenRouterServer) -> None:
    for fault, model in (("server_error", WANTED), ("free_daily_limit", FREE), ("credits_exhausted", CHEAPER)):
        openrouter.fault(fault, model=model)
    await line.ask(question(WANTED))
    says = {c.scope: told(c) for c in line.cooldowns.all()}
    assert says[MODEL].startswith(f"{WANTED} rests until 21 Nov 12:01 UTC, because openrouter is in trouble (500")
    assert says[FUNDS].startswith("every paid model of openrouter rests until 21 Nov 13:00 UTC, because")
    assert says[QUOTA].startswith("every free model of openrouter rests until 22 Nov 00:00 UTC, because")
    assert "user_" not in str(says)


def caps(calls: list[Call]) -> list[int | None]:
    return [token_cap(call.body) for call in calls]


def blended(model: ModelInfo) -> Decimal:
    assert model.price is not None
    return model.price.blended_per_million


def a_model(model_id: str) -> ModelInfo:
    return ModelInfo(model_id, model_id, "openrouter", None, 4096, supports_tools=True)


def json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


async def test_a_retry_after_may_be_a_date(store: Store, clock: VirtualClock) -> None:
    at = clock.now() + timedelta(minutes=7)
    failure = from_error("openrouter", 429, {"error": {"message": "Slow down."}}, {"retry-after": format_datetime(at)})
    assert (failure.retry_after_s, failure.reset_at) == (None, at)


async def test_the_free_tiers_minute_does_not_begin_anew_at_a_restart(clock: VirtualClock) -> None:
    now_ms = to_ms(clock.now())
    pace = FreePace(clock, 3, [now_ms - 50_000, now_ms - 40_000, now_ms - 30_000])
    assert not pace.take()
    clock.advance(10)
    assert pace.take()
    assert not pace.take()


def test_what_a_visitor_wrote_never_decides_what_rests() -> None:
    flagged = {
        "message": "Your input was flagged.",
        "metadata": {"flagged_input": "key limit exceeded (monthly limit)"},
    }
    assert from_error("openrouter", 403, {"error": flagged}).scope is Scope.REQUEST


async def test_a_restarted_being_goes_on_counting_the_free_calls_of_the_minute(
    settings: MakeSettings, clock: VirtualClock
) -> None:
    chosen, secrets = settings(
        LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody", OPENROUTER_DEFAULT_MODEL=FREE
    )

    async def thoughts(count: int) -> list[str]:
        providers = {name: Scripted(name=name) for name in ("openrouter", "local")}
        async with open_being(chosen, secrets, clock, providers) as being:
            await being.birth.ensure(default_identity(BEING))
            for _ in range(count):
                await being.brain.live("daily")
            told = await events(being.books.store, "thought")
        return [row.data["model"] for row in told[-count:]]

    assert set(await thoughts(20)) == {FREE}
    assert await thoughts(1) == [LOCAL]
    clock.advance(60)
    assert await thoughts(1) == [FREE]


async def test_a_being_that_reads_the_list_anew_tries_again_what_waited_for_it(
    live: Any, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("no_endpoints", times="forever")
    async with live() as being:
        await being.birth.ensure(default_identity(BEING))
        with pytest.raises(NobodyThought):
            await being.brain.live("daily")
        assert {cooldown.ends for cooldown in being.books.cooldowns.all()} == {Until.REFRESH}
        await being.catch_up()
        assert being.books.cooldowns.all() == []
