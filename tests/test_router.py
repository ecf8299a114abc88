"""The line of models: hold, call, settle; a failing provider costs an attempt, never the thought."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from ai.economy.money import parse_usd
from ai.errors import NobodyThought
from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText
from ai.llm.failures import CallFailed, Fate, Scope, without_details
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.scripted import Script, Scripted, says
from ai.llm.stream import Reply
from tests.lines import TIMEOUT_S, Line, openrouter_at
from tests.openrouter_server import FAULTS, SLOW_FAULTS, Kind, OpenRouterServer
from tests.parts import (
    CHEAP,
    FREE,
    GRANT,
    LOCAL,
    PREMIUM,
    RESERVE,
    entries,
    hold,
    question,
    until,
)

REFUSALS = sorted(name for name, fault in FAULTS.items() if fault.kind is Kind.ANSWER)
PAID = ("meta-llama/llama-3.2-3b-instruct", "liquid/lfm2-8b-a1b", CHEAP, PREMIUM, "perplexity/sonar")


async def test_the_wanted_model_thinks_and_is_charged_what_the_provider_says(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("I am here, and it costs.", cached_tokens=3, times="forever")
    answer = await line.ask(question(CHEAP))
    assert (answer.model.id, answer.completion.text) == (CHEAP, "I am here, and it costs.")
    assert "".join(line.heard) == answer.completion.text
    assert answer.cost_nanos == openrouter.billed_nanos > 0
    balance = await line.tracker.balance()
    assert (balance.spent_nanos, balance.held_nanos, balance.unknown_nanos) == (openrouter.billed_nanos, 0, 0)
    (charge,) = await entries(line.store, "charge")
    assert (charge["basis"], charge["tokens_cached"]) == ("reported", 3)
    assert parse_usd(charge["saved"]) == answer.saved_nanos, "what the cache saved stands in the books, too"
    assert charge["generation_id"] == openrouter.bills[0].generation_id
    assert [attempt.outcome for attempt in answer.attempts] == ["thought"]
    assert "Claude 3 Haiku" in answer.why


async def test_a_cost_nobody_reports_is_computed_by_the_table(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.reply_with("One.", cost_reported=False)
    answer = await line.ask(question(CHEAP))
    assert answer.cost_nanos == openrouter.billed_nanos
    assert [entry["basis"] for entry in await entries(line.store, "charge")] == ["computed"]


async def test_without_any_usage_the_worst_case_is_booked(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.reply_with("One.", usage_reported=False)
    answer = await line.ask(question(CHEAP))
    assert answer.cost_nanos >= openrouter.billed_nanos
    assert [entry["basis"] for entry in await entries(line.store, "charge")] == ["worst_case"]


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": -1}])
async def test_a_count_of_nothing_is_no_count_and_the_worst_case_is_booked(line: Line, usage: dict[str, int]) -> None:
    answer = await line.ask(question(CHEAP), {"openrouter": says_usage(usage)})
    assert answer.cost_nanos > 0
    assert [entry["basis"] for entry in await entries(line.store, "charge")] == ["worst_case"]


async def test_what_is_written_into_a_cache_is_charged_by_its_own_price(line: Line) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 1, "prompt_tokens_details": {"cache_write_tokens": 1000}}
    answer = await line.ask(question(CHEAP), {"openrouter": says_usage(usage)})
    assert answer.cost_nanos == 1000 * 300 + 1250


async def test_what_the_cache_saved_is_told_with_the_answer(line: Line) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 800}}
    answer = await line.ask(question(CHEAP), {"openrouter": says_usage(usage)})
    assert answer.saved_nanos == 800 * (250 - 30)
    assert answer.cost_nanos == 1000 * 250 + 1250 - answer.saved_nanos


async def test_what_is_free_without_the_suffix_is_bound_to_cost_nothing_and_the_rest_to_their_price(
    line: Line, openrouter: OpenRouterServer
) -> None:
    raw = {"id": "vendor/gift", "pricing": {"prompt": "0", "completion": "0"}}
    dear_at_noon = {"prompt": "0.000002", "completion": "0.000003", "utc_start": 1100, "utc_end": 1300}
    pricing = {"prompt": "0.000001", "completion": "0.000001", "overrides": [dear_at_noon]}
    await line.catalogue.update([raw, {"id": "vendor/tide", "pricing": pricing}, {"id": FREE}])
    for wanted in ("vendor/gift", "vendor/tide", FREE):
        await line.ask(question(wanted))
        line.forget_failures()
    bound = {call.model: call.body.get("provider", {}).get("max_price", {}) for call in openrouter.calls_to(None)}
    assert {side: Decimal(usd) for side, usd in bound["vendor/gift"].items()} == {"prompt": 0, "completion": 0}
    assert {side: Decimal(usd) for side, usd in bound["vendor/tide"].items()} == {"prompt": 2, "completion": 3}
    assert bound[FREE] == {}


def says_usage(usage: dict[str, Any]) -> Scripted:
    """A provider that says a word and counts it like this."""

    class Miscounting(Scripted):
        async def complete(
            self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
        ) -> Completion:
            reply = Reply(self.name, request.model)
            reply.add_whole({"choices": [{"message": {"content": "One."}}], "usage": usage}, on_text)
            return reply.completion()

    return Miscounting(name="openrouter")


async def test_why_is_one_sentence_also_when_a_moment_borrows_a_model_that_cannot(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("credits_exhausted", times="forever")
    borrowed = replace(question(CHEAP), because="this moment is important and borrows a cheap model")
    answer = await line.ask(borrowed)
    assert answer.why == (
        f"SmolLM2 135M thought instead of {CHEAP} (wanted because this moment is important and borrows a cheap model),"
        " which could not: openrouter has no credits left for this (402)."
    )


@pytest.mark.parametrize("model", PAID)
async def test_the_hold_covers_a_reply_as_long_as_allowed_to_a_prompt_of_one_token_a_byte(
    line: Line, openrouter: OpenRouterServer, model: str
) -> None:
    asked = question(model, text="é" * 3_000, cap=300)
    price = line.catalogue.get(model)
    openrouter.reply_with("Long.", prompt_tokens=6_000 + len("You are a test."), completion_tokens=300)
    await line.ask(asked)
    (charge,) = await entries(line.store, "charge")
    assert charge["overrun"] is None, price
    assert parse_usd(charge["amount"]) == -openrouter.billed_nanos


async def test_money_is_set_aside_while_the_call_runs_and_only_then(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.reply_with("Slowly, slowly, slowly I think.", pause_after=1)
    asking = asyncio.create_task(line.ask(question(CHEAP)))
    await until(lambda: bool(line.heard))
    balance = await line.tracker.balance()
    assert balance.held_nanos > 0
    assert balance.available_nanos == GRANT - RESERVE - balance.held_nanos
    openrouter.resume()
    await asking
    assert (await line.tracker.balance()).held_nanos == 0


async def test_a_reply_above_the_cap_is_booked_in_full_and_flagged(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.reply_with("Ran on.", completion_tokens=40_000)
    answer = await line.ask(question(CHEAP, cap=20))
    assert answer.cost_nanos == openrouter.billed_nanos
    (charge,) = await entries(line.store, "charge")
    assert charge["overrun"] is not None


@pytest.mark.parametrize("fault", ["server_error", "unknown_key", "credits_exhausted", "free_daily_limit"])
async def test_when_everybody_else_fails_the_local_model_thinks_and_says_why(
    line: Line, openrouter: OpenRouterServer, fault: str
) -> None:
    openrouter.fault(fault, times="forever")
    answer = await line.ask(question(CHEAP))
    assert (answer.model.id, answer.completion.text) == (LOCAL, "I think on this machine.")
    failed, *_, thought = answer.attempts
    assert (failed.model, failed.outcome, thought.model, thought.outcome) == (CHEAP, "failed", LOCAL, "thought")
    assert str(FAULTS[fault].status) in failed.reason
    assert CHEAP in answer.why
    assert without_details(failed.reason) in answer.why
    assert f"({FAULTS[fault].status})" in answer.why
    assert answer.why.count(". ") == 0, "one sentence, without the provider's own"


async def test_an_endpoint_nobody_listens_at_costs_nothing_and_silences_nobody(
    line: Line, openrouter: OpenRouterServer
) -> None:
    dead = OpenAICompatible("openrouter", "http://127.0.0.1:1/api/v1", SecretStr("k" * 20), timeout_s=TIMEOUT_S)
    answer = await line.ask(question(CHEAP), {"openrouter": dead, "local": line.local})
    await dead.aclose()
    assert answer.model.id == LOCAL
    assert (await line.holds())[0] == "released"


async def test_text_of_a_failed_attempt_is_not_mixed_into_the_next(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.reply_with("Another mind thinks.")
    openrouter.fault("finish_error")
    openrouter.reply_with("Another mind thinks.")
    answer = await line.ask(question(CHEAP))
    assert answer.model.id != CHEAP
    assert "".join(line.heard) == answer.completion.text == "Another mind thinks."


async def test_a_refused_call_gives_its_hold_back(line: Line, openrouter: OpenRouterServer) -> None:
    for fault in REFUSALS:
        openrouter.fault(fault, times=2)  # some are asked once more
        line.forget_failures()
        with pytest.raises(NobodyThought):
            await line.ask(question(CHEAP, fallback=False))
        openrouter.mend()
    states = await line.holds()
    assert len(states) == len(openrouter.calls_to(CHEAP)) > len(REFUSALS)
    assert set(states) == {"released"}
    assert openrouter.billed_nanos == 0
    assert (await line.tracker.balance()).available_nanos == GRANT - RESERVE


@pytest.mark.parametrize("fault", ["dropped_before_answer_billed", "dropped_midway"])
async def test_a_broken_call_keeps_its_hold_because_it_may_have_been_charged(
    line: Line, openrouter: OpenRouterServer, fault: str
) -> None:
    openrouter.fault(fault)
    answer = await line.ask(question(CHEAP))
    assert (answer.attempts[0].model, answer.attempts[0].outcome) == (CHEAP, "failed")
    assert answer.model.id != CHEAP
    assert (await line.holds())[0] == "unknown"
    assert (await line.tracker.balance()).unknown_nanos >= openrouter.bills[0].nanos > 0


async def test_a_call_that_times_out_keeps_its_hold(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.fault("hang_billed")
    hasty = openrouter_at(openrouter, timeout_s=0.2)
    answer = await line.ask(question(CHEAP), {"openrouter": hasty, "local": line.local})
    await hasty.aclose()
    assert answer.model.id != CHEAP
    assert "0.2 s" in answer.why
    assert (await line.tracker.balance()).unknown_nanos >= openrouter.bills[0].nanos > 0


async def test_an_empty_reply_that_was_charged_is_booked_although_it_said_nothing(
    line: Line, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("empty_content", times="forever")
    answer = await line.ask(question(CHEAP))
    assert answer.model.id == LOCAL
    assert (await line.tracker.balance()).spent_nanos == openrouter.billed_nanos > 0


@pytest.mark.parametrize("fault", ["error_in_200", "finish_error", "nothing_generated"])
async def test_what_the_provider_does_not_charge_is_not_booked(
    line: Line, openrouter: OpenRouterServer, fault: str
) -> None:
    openrouter.fault(fault, times="forever")
    await line.ask(question(CHEAP))
    assert openrouter.billed_nanos == 0
    balance = await line.tracker.balance()
    assert (balance.spent_nanos, balance.unknown_nanos, balance.held_nanos) == (0, 0, 0)


async def test_through_any_weather_the_books_equal_the_providers_bill(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.chaos(seed=7, rate=0.5, names=FAULTS.keys() - SLOW_FAULTS)
    for number in range(60):
        await line.ask(question(CHEAP if number % 3 else PREMIUM))
    balance = await line.tracker.balance()
    lost = sum(bill.nanos for bill in openrouter.bills if bill.aborted)
    assert balance.spent_nanos == openrouter.billed_nanos - lost
    assert balance.unknown_nanos >= lost > 0
    assert balance.held_nanos == 0


async def test_an_unknown_price_is_not_free_and_is_never_called(line: Line, openrouter: OpenRouterServer) -> None:
    answer = await line.ask(question("openrouter/auto"))
    assert answer.model.cls == "free"
    assert answer.attempts[0].outcome == "skipped"
    assert "unknown is not free" in answer.why
    assert openrouter.calls_to("openrouter/auto") == []


async def test_a_class_the_balance_does_not_allow_is_not_even_tried(line: Line, openrouter: OpenRouterServer) -> None:
    answer = await line.ask(question(PREMIUM, classes=("local", "free")))
    assert (answer.model.cls, answer.attempts[0].outcome) == ("free", "skipped")
    assert "premium models are too dear" in answer.why
    assert [call.model for call in openrouter.calls_to(None)] == [answer.model.id]


async def test_a_model_that_left_the_catalogue_is_skipped_and_named(line: Line) -> None:
    answer = await line.ask(question("vendor/gone"))
    assert answer.model.cls == "free"
    assert "vendor/gone" in answer.why


async def test_a_call_the_account_cannot_cover_is_never_made(line: Line, openrouter: OpenRouterServer) -> None:
    await hold(line.tracker, "4.90")
    answer = await line.ask(question(CHEAP))
    assert (answer.model.cls, answer.attempts[0].outcome) == ("free", "skipped")
    assert "available" in answer.why
    assert [call.model for call in openrouter.calls_to(None)] == [answer.model.id]


async def test_an_existential_question_may_draw_on_the_reserve(line: Line, openrouter: OpenRouterServer) -> None:
    await hold(line.tracker, "4.90")
    assert (await line.ask(question(CHEAP, use_reserve=True))).model.id == CHEAP


async def test_a_free_model_thinks_when_nothing_is_left(line: Line, openrouter: OpenRouterServer) -> None:
    await hold(line.tracker, "4.90")
    answer = await line.ask(question(FREE))
    assert (answer.model.id, answer.cost_nanos) == (FREE, 0)


async def test_a_question_to_one_model_alone_goes_to_nobody_else(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.fault("server_error")
    with pytest.raises(NobodyThought, match="500"):
        await line.ask(question(CHEAP, fallback=False))
    assert line.local.asked == []


async def test_when_nobody_can_think_the_reason_of_each_is_told(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.fault("server_error", times="forever")
    line.local = Scripted([CallFailed("the file is gone", scope=Scope.MODEL, fate=Fate.FREE)], name="local")
    with pytest.raises(NobodyThought) as told:
        await line.ask(question(CHEAP))
    assert CHEAP in str(told.value)
    assert "500" in str(told.value)
    assert LOCAL in str(told.value)
    assert "the file is gone" in str(told.value)


async def test_a_provider_that_breaks_in_an_unforeseen_way_silences_nobody(line: Line) -> None:
    def breaks(_: CompletionRequest) -> str:
        raise KeyError("a shape nobody documented")

    answer = await line.ask(question(CHEAP), {"openrouter": Scripted(breaks, name="openrouter"), "local": line.local})
    assert answer.model.id == LOCAL
    assert (await line.holds())[0] == "unknown"


async def test_a_thought_cut_short_leaves_its_hold_unknown(line: Line, openrouter: OpenRouterServer) -> None:
    openrouter.reply_with("Slowly, slowly, slowly I think.", pause_after=1)
    asking = asyncio.create_task(line.ask(question(CHEAP)))
    await until(lambda: bool(line.heard))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await line.holds() == ["unknown"]
    await asyncio.to_thread(openrouter.wait_until, lambda: bool(openrouter.bills))
    assert (await line.tracker.balance()).unknown_nanos >= openrouter.billed_nanos > 0


async def test_wherever_a_thought_is_cut_short_no_hold_stays_open(line: Line) -> None:
    script: Script = lambda _: says("Done.", cost_usd=Decimal("0.0001"))  # noqa: E731 (a name for the type's sake)
    seen: set[Sequence[str]] = set()
    for steps in range(60):
        asking = asyncio.create_task(line.ask(question(CHEAP), {"openrouter": Scripted(script, name="openrouter")}))
        for _ in range(steps):
            await asyncio.sleep(0.0002 if steps % 2 else 0)
        asking.cancel()
        await asyncio.wait([asking])
        seen.add(tuple(await line.holds()))
    assert len(seen) > 1
    assert "open" not in await line.holds()


class Refusing:
    """A provider that must not be asked."""

    name = "openrouter"

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        raise AssertionError(f"{request.model} was asked")

    async def aclose(self) -> None:
        """Nothing is held."""


async def test_a_provider_without_a_key_is_said_to_have_none(line: Line) -> None:
    answer = await line.ask(question(CHEAP), {"other": Refusing(), "local": line.local})
    assert answer.model.id == LOCAL
    assert "has no key" in answer.why
