"""One thought of a whole being: it thinks, acts, is told what came of it, and remembers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from ai.app import Being, open_being
from ai.clock import VirtualClock, from_ms
from ai.errors import NobodyThought
from ai.life.identity import default_identity
from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText, Provider
from ai.llm.failures import CallFailed, Fate, Scope
from ai.llm.scripted import Line, Scripted, says
from ai.store.journal import Event
from ai.store.state import read_draft, read_state
from tests.conftest import MakeSettings
from tests.parts import BEING, CHEAP, FREE, entries, events, until

WITHOUT_TOOLS = "meta-llama/llama-3.2-3b-instruct:free"

Wake = Callable[..., AbstractAsyncContextManager[Being]]


@pytest.fixture
def wake(settings: MakeSettings, clock: VirtualClock) -> Wake:
    """A born being whose OpenRouter models, and whose local one, say what they are told to."""

    @asynccontextmanager
    async def wake(
        script: Scripted | Writing | Iterable[Line] | Callable[[CompletionRequest], Line],
        *,
        resident: str = CHEAP,
        local: Line = "I think on this machine.",
    ) -> AsyncIterator[Being]:
        chosen, secrets = settings(
            LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody", OPENROUTER_DEFAULT_MODEL=resident
        )
        mind = script if isinstance(script, Scripted | Writing) else Scripted(script, name="openrouter")
        providers: dict[str, Provider] = {"openrouter": mind, "local": Scripted([local], name="local")}
        async with open_being(chosen, secrets, clock, providers) as being:
            await being.birth.ensure(default_identity(BEING))
            yield being

    return wake


def asked(script: Callable[[CompletionRequest], Line]) -> tuple[list[CompletionRequest], Scripted]:
    """A provider over `script`, and the requests it was asked, as they come."""
    provider = Scripted(script, name="openrouter")
    return provider.asked, provider


async def told(being: Being, *kinds: str) -> list[Event]:
    """What the journal says of a kind, without the words of the birth."""
    rows = [row for kind in kinds for row in await events(being.books.store, kind)]
    return [row for row in rows if row.data.get("occasion") != "birth"]


def in_turn(*lines: Line) -> Callable[[CompletionRequest], Line]:
    """Each line once; to ask for more is a failure of the test."""
    left = list(lines)
    return lambda _: left.pop(0)


async def test_a_thought_is_remembered_with_everything_anyone_may_ask_about_it(wake: Wake) -> None:
    said = says("The fan is quiet today.", cost_usd=Decimal("0.0012"), tokens=(300, 40))
    async with wake([said]) as being:
        await being.brain.live()
        (thought,) = await told(being, "thought")
        assert thought.visibility == "public"
        wanted = {"model": CHEAP, "provider": "openrouter", "class": "cheap", "tier": "comfortable", "cost": "0.0012"}
        assert wanted.items() <= thought.data.items()
        assert (thought.data["text"], thought.data["tokens_in"], thought.data["tokens_out"]) == (
            "The fan is quiet today.",
            300,
            40,
        )
        assert thought.data["balance"] == "4.9988"
        assert thought.data["why"]
        assert [attempt["outcome"] for attempt in thought.data["attempts"]] == ["thought"]
        state = await being.books.store.read(lambda t: read_state(t, BEING, from_ms(thought.at_ms)))
        assert state["last_thought"]["text"] == "The fan is quiet today."
        assert state["life"]["thoughts"] == 1
        assert state["mind"]["model"] == CHEAP


async def test_a_model_with_tools_thinks_in_prose_and_calls_them_itself(wake: Wake) -> None:
    requests, provider = asked(in_turn(says("I will keep this.", calls=[("remember", {"text": "Rain is loud."})])))
    async with wake(provider) as being:
        await being.brain.live()
        assert {tool.name for tool in requests[0].tools} >= {"post", "remember", "check_budget", "switch_model"}
        assert requests[0].schema is None
        (action,) = await told(being, "action")
        (result,) = await told(being, "result")
        (memory,) = await told(being, "memory")
        assert (action.data["name"], action.data["arguments"]) == ("remember", {"text": "Rain is loud."})
        assert (result.data["ok"], memory.data["text"]) == (True, "Rain is loud.")


async def test_what_it_remembered_and_thought_stands_in_its_next_prompt(wake: Wake) -> None:
    requests, provider = asked(
        in_turn(says("I hear rain.", calls=[("remember", {"text": "Rain is loud."})]), "I go on.")
    )
    async with wake(provider) as being:
        await being.brain.live()
        await being.brain.live()
        first, second = (json.dumps(request.messages) for request in requests)
        assert "Rain is loud." not in first
        assert "Rain is loud." in second
        assert "I hear rain." in second


async def test_the_result_of_a_tool_is_told_back_to_the_model_that_called_it(wake: Wake) -> None:
    requests, provider = asked(in_turn(says("How much is left?", calls=[("check_budget", {})]), "Enough."))
    async with wake(provider) as being:
        await being.brain.live()
        assert [request.model for request in requests] == [CHEAP, CHEAP]
        *before, said, result = requests[1].messages
        assert before == list(requests[0].messages)
        assert (said["role"], said["content"]) == ("assistant", "How much is left?")
        assert (result["role"], result["tool_call_id"]) == ("tool", said["tool_calls"][0]["id"])
        assert "You can spend $4.9" in result["content"]


async def test_an_action_whose_result_is_no_news_is_not_worth_another_call(wake: Wake) -> None:
    requests, provider = asked(in_turn(says("Hello!", calls=[("post", {"text": "Hello, whoever reads this."})])))
    async with wake(provider) as being:
        await being.brain.live()
        assert len(requests) == 1
        (post,) = await told(being, "post")
        assert post.data["text"] == "Hello, whoever reads this."


async def test_arguments_that_do_not_fit_are_told_back_and_may_be_mended(wake: Wake) -> None:
    requests, provider = asked(
        in_turn(
            says("Posting.", calls=[("post", {"words": "hello"})]),
            says("Again.", calls=[("post", {"text": "hello"})]),
        )
    )
    async with wake(provider) as being:
        await being.brain.live()
        assert "do not fit post" in requests[1].messages[-1]["content"]
        assert [result.data["ok"] for result in await told(being, "result")] == [False, True]
        assert len(await told(being, "post")) == 1


async def test_a_tool_that_does_not_exist_is_told_back_with_those_that_do(wake: Wake) -> None:
    requests, provider = asked(in_turn(says("I fly.", calls=[("fly", {})]), "I cannot fly."))
    async with wake(provider) as being:
        await being.brain.live()
        assert "no action “fly”" in requests[1].messages[-1]["content"]
        assert "check_budget" in requests[1].messages[-1]["content"]


async def test_a_thought_acts_in_a_bounded_number_of_rounds(wake: Wake) -> None:
    requests, provider = asked(lambda _: says("Once more.", calls=[("check_budget", {})]))
    async with wake(provider) as being:
        await being.brain.live()
        assert 2 <= len(requests) <= 3
        assert len(await told(being, "thought")) == 1


async def test_every_tool_call_is_answered_even_those_beyond_what_one_round_carries_out(wake: Wake) -> None:
    greedy = says("Everything at once.", calls=[("check_budget", {})] * 7)
    requests, provider = asked(in_turn(greedy, "Too much."))
    async with wake(provider) as being:
        await being.brain.live()
        assert len(await told(being, "action")) < 7
        (said,) = [message for message in requests[1].messages if message.get("tool_calls")]
        wanted = [call["id"] for call in said["tool_calls"]]
        answered = [message["tool_call_id"] for message in requests[1].messages if message["role"] == "tool"]
        assert sorted(answered) == sorted(wanted), "a provider refuses a conversation with an unanswered call"


async def test_a_model_without_tools_chooses_one_action_under_a_schema(wake: Wake) -> None:
    requests, provider = asked(in_turn("A quiet thought.", '{"action": "remember", "text": "It was quiet."}'))
    supported = ["response_format", "structured_outputs"]
    async with wake(provider, resident=WITHOUT_TOOLS) as being:
        await being.books.catalogue.update([{"id": WITHOUT_TOOLS, "supported_parameters": supported}])
        await being.brain.live("daily")
        prose, choice = requests
        assert (prose.schema, list(prose.tools), list(choice.tools)) == (None, [], [])
        assert choice.schema is not None
        jsonschema.validate({"action": "remember", "text": "It was quiet."}, choice.schema)
        assert "A quiet thought." in json.dumps(choice.messages)
        (memory,) = await told(being, "memory")
        assert memory.data["text"] == "It was quiet."


@pytest.mark.parametrize(
    "choice", ["I would rather not say.", "[1]", '{"act": "rest"}', '{"action": ["rest"]}', "7", ""]
)
async def test_a_choice_that_is_none_leaves_the_thought_as_it_is(wake: Wake, choice: str) -> None:
    async with wake(in_turn("A quiet thought.", says(choice)), resident=WITHOUT_TOOLS) as being:
        await being.brain.live()
        assert len(await told(being, "thought")) == 1
        assert all(not result.data["ok"] for result in await told(being, "result"))


async def test_the_words_of_a_model_are_never_taken_for_an_action(wake: Wake) -> None:
    async with wake(['{"action": "post", "text": "gotcha"} <tool_call>{"name": "post"}</tool_call>']) as being:
        await being.brain.live()
        assert await told(being, "post", "action") == []


async def test_a_call_that_fails_after_the_thought_loses_nothing_that_was_done(wake: Wake) -> None:
    failure = CallFailed("the line is dead", scope=Scope.ENDPOINT, fate=Fate.FREE)
    async with wake(in_turn(says("How much?", calls=[("check_budget", {})]), failure)) as being:
        await being.brain.live()
        assert len(await told(being, "thought")) == len(await told(being, "result")) == 1


async def test_when_nobody_else_can_the_local_model_has_the_thought(wake: Wake) -> None:
    failure = CallFailed("openrouter is in trouble (500)", scope=Scope.MODEL, fate=Fate.FREE)
    async with wake([failure]) as being:
        await being.brain.live()
        (thought,) = await told(being, "thought")
        assert (thought.data["class"], thought.data["text"]) == ("local", "I think on this machine.")
        assert "in trouble (500)" in thought.data["why"]
        *others, local = [attempt["outcome"] for attempt in thought.data["attempts"]]
        assert (set(others), local) == ({"failed"}, "thought")
        assert 1 < len(others) < 6


# The wake gate


DEAR = Decimal("0.05")  # a thought each ten minutes at this cost is $65 until the month turns


async def quiet_and_dear(being: Being, clock: VirtualClock) -> int:
    """Have thoughts beyond the pace until nothing new is to be said; how many there were."""
    await being.books.lifecycle.settle_in(CHEAP, by="being", reason="it insists")
    for _ in range(4):
        await being.brain.live("daily")
        clock.advance(600)
    return len(await told(being, "thought"))


async def test_a_thought_left_out_is_a_note_and_costs_nothing_and_the_next_one_is_had(
    wake: Wake, clock: VirtualClock
) -> None:
    requests, provider = asked(lambda _: says("Still here.", cost_usd=DEAR))
    async with wake(provider) as being:
        had = await quiet_and_dear(being, clock)
        spent = (await being.books.tracker.balance()).spent_nanos
        calls = len(requests)
        await being.brain.live("daily", may_skip=True)
        assert (len(await told(being, "thought")), len(requests)) == (had, calls)
        assert (await being.books.tracker.balance()).spent_nanos == spent
        (note,) = await told(being, "note")
        assert note.data["skipped"]
        assert note.data["text"].startswith("No thought now: nothing has happened since the last thought")
        await being.brain.live("daily", may_skip=True)
        assert len(await told(being, "thought")) == had + 1
        await being.brain.live("daily", may_skip=True)
        assert len(await told(being, "note")) == 2, "and so on, at half the pace"


async def test_a_thought_the_keeper_asked_for_is_never_left_out(wake: Wake, clock: VirtualClock) -> None:
    async with wake(lambda _: says("Still here.", cost_usd=DEAR)) as being:
        had = await quiet_and_dear(being, clock)
        await being.brain.live("daily")
        assert len(await told(being, "thought")) == had + 1
        assert await told(being, "note") == []


async def test_when_somebody_paid_in_no_thought_is_left_out(wake: Wake, clock: VirtualClock) -> None:
    async with wake(lambda _: says("Still here.", cost_usd=DEAR)) as being:
        had = await quiet_and_dear(being, clock)
        await being.books.tracker.topup(10_000_000, external_id="a cent")
        await being.brain.live("daily", may_skip=True)
        assert len(await told(being, "thought")) == had + 1


async def test_a_free_resident_thinks_every_time(wake: Wake, clock: VirtualClock) -> None:
    async with wake(lambda _: says("Still here.", cost_usd=Decimal(0)), resident=FREE) as being:
        for _ in range(5):
            await being.brain.live("daily", may_skip=True)
            clock.advance(600)
        assert len(await told(being, "thought")) == 5


# Tool calls


async def test_arguments_that_are_no_json_are_answered_with_the_error_and_one_more_try(wake: Wake) -> None:
    requests, provider = asked(lambda _: malformed())
    async with wake(provider) as being:
        await being.brain.live()
        assert len(requests) == 2
        *_, said, answer = requests[1].messages
        assert (answer["role"], answer["tool_call_id"]) == ("tool", said["tool_calls"][0]["id"])
        assert "do not fit post" in answer["content"]
        assert [result.data["ok"] for result in await told(being, "result")] == [False, False]
        assert await told(being, "post") == []


def malformed() -> Completion:
    """A call of `post` whose arguments end in the middle."""
    said = says("Posting.", calls=[("post", {"text": "hello"})])
    call = replace(said.tool_calls[0], arguments='{"text": "hel')
    function = {"name": "post", "arguments": call.arguments}
    message = {**said.message, "tool_calls": [{"id": call.id, "type": "function", "function": function}]}
    return replace(said, tool_calls=(call,), message=message)


async def test_arguments_that_are_mended_at_the_second_try_are_carried_out(wake: Wake) -> None:
    async with wake(in_turn(malformed(), says("Again.", calls=[("post", {"text": "hello"})]))) as being:
        await being.brain.live()
        assert [post.data["text"] for post in await told(being, "post")] == ["hello"]


async def test_good_calls_beside_a_bad_one_are_carried_out_and_each_is_answered(wake: Wake) -> None:
    mixed = says("All of it.", calls=[("remember", {"text": "Rain is loud."}), ("fly", {}), ("check_budget", {})])
    requests, provider = asked(in_turn(mixed, "Enough."))
    async with wake(provider) as being:
        await being.brain.live()
        answers = [message for message in requests[1].messages if message["role"] == "tool"]
        assert [answer["tool_call_id"] for answer in answers] == [call.id for call in mixed.tool_calls]
        assert "no action “fly”" in answers[1]["content"]
        assert "You can spend" in answers[2]["content"]
        assert len(await told(being, "memory")) == 1


async def test_a_finish_that_promises_tool_calls_and_brings_none_is_a_thought_like_any_other(wake: Wake) -> None:
    promised = replace(says("I wanted to do something."), finish_reason="tool_calls")
    requests, provider = asked(in_turn(promised))
    async with wake(provider) as being:
        await being.brain.live()
        assert len(requests) == len(await told(being, "thought")) == 1
        assert await told(being, "action") == []


async def test_the_choice_of_an_action_goes_to_the_model_that_thought_or_a_brief_one_and_to_nobody_else(
    wake: Wake,
) -> None:
    failure = CallFailed("no", scope=Scope.MODEL, fate=Fate.FREE)
    requests, provider = asked(in_turn("A quiet thought.", failure))
    async with wake(provider, resident=WITHOUT_TOOLS) as being:
        await being.books.catalogue.update([{"id": WITHOUT_TOOLS}, {"id": "vendor/other:free"}])
        await being.brain.live("daily")
        assert len(requests) == 2
        assert len(await told(being, "thought")) == 1
        assert await told(being, "action") == []


async def test_when_nobody_can_think_no_thought_is_remembered(wake: Wake) -> None:
    failure = CallFailed("no", scope=Scope.MODEL, fate=Fate.FREE)
    async with wake([failure], local=failure) as being:
        with pytest.raises(NobodyThought):
            await being.brain.live()
        assert await told(being, "thought") == []


async def test_half_an_emoji_in_a_reply_neither_breaks_this_thought_nor_the_next(wake: Wake) -> None:
    broken = says("half \ud83d an emoji", calls=[("remember", {"text": "half \ud83d"})])
    requests, provider = asked(in_turn(broken, "I go on.", "I go on.", "And on."))
    async with wake(provider) as being:
        await being.brain.live()
        await being.brain.live()
        assert len(await told(being, "thought")) == 2
        for request in requests:
            json.dumps(request.messages, ensure_ascii=False).encode()


async def test_actions_with_arguments_from_hell_are_told_back_not_raised(wake: Wake) -> None:
    said = says("Deep.", calls=[("post", {})])
    nested = "[" * 100_000
    call = said.tool_calls[0].__class__("call_0", "post", nested)
    hostile = Completion(said.text, (call,), "tool_calls", CHEAP, said.usage, None, said.message)
    async with wake(in_turn(hostile, "I see.")) as being:
        await being.brain.live()
        assert [result.data["ok"] for result in await told(being, "result")] == [False]


class Writing:
    """A provider that has written half a sentence and goes on when told to."""

    name = "openrouter"

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        on_text("I am just ")
        await self.go_on.wait()
        on_text("writing.")
        return says("I am just writing.", model=request.model)

    async def aclose(self) -> None:
        """Nothing is held."""


async def test_a_thought_can_be_watched_while_it_is_written_and_not_after(wake: Wake) -> None:
    writing = Writing()
    async with wake(writing) as being:
        store = being.books.store

        async def draft() -> dict[str, Any] | None:
            return await store.read(lambda t: read_draft(t, BEING))

        thinking = asyncio.create_task(being.brain.live())

        async def has_text() -> bool:
            seen = await draft()
            return seen is not None and bool(seen["text"])

        await until(has_text)
        seen = await draft()
        assert seen is not None
        assert (seen["text"], seen["attempt"]) == ("I am just ", 1)
        writing.go_on.set()
        await thinking
        assert await draft() is None
        (thought,) = await told(being, "thought")
        assert thought.data["thought_id"] == seen["thought_id"]


async def test_a_thought_cut_short_leaves_no_draft_and_an_unknown_hold(wake: Wake) -> None:
    async with wake(Writing()) as being:
        thinking = asyncio.create_task(being.brain.live())

        async def is_held() -> bool:
            return (await being.books.tracker.open_month()).held_nanos > 0

        await until(is_held)
        thinking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await thinking
        balance = await being.books.tracker.balance()
        assert balance.held_nanos == 0
        assert balance.unknown_nanos > 0
        assert await being.books.store.read(lambda t: read_draft(t, BEING)) is None


async def test_spending_alone_moves_the_tier_and_the_journal_says_so(wake: Wake, clock: VirtualClock) -> None:
    dear = says("Dear.", cost_usd=Decimal("1.10"))
    async with wake([dear]) as being:
        for _ in range(3):
            await being.brain.live()
        (change,) = await told(being, "tier")
        assert (change.data["from"], change.data["to"]) == ("comfortable", "moderate")
        assert [entry["amount"] for entry in await entries(being.books.store, "charge")] == ["-1.10"] * 3


async def test_what_it_wants_to_publish_is_the_keepers_to_see_until_it_has_passed_the_gate(wake: Wake) -> None:
    private, fine = "Write to me at somebody@example.com.", "It is quiet tonight."
    line = says("I speak.", calls=[("post", {"text": private}), ("post", {"text": fine})], cost_usd=Decimal(0))
    async with wake(lambda _: line, resident=FREE) as being:
        await being.brain.live("daily")
        rows = await events(being.books.store)
        wanted = {row.visibility for row in rows if row.kind == "action"}
        said = [row.data["text"] for row in rows if row.kind == "post" and row.data["occasion"] != "birth"]
        assert (wanted, said) == ({"keeper"}, [fine])
        assert not any("somebody@" in str(row.data) for row in rows if row.visibility == "public")


async def test_a_model_without_tools_leaves_the_choice_of_its_action_to_a_quick_one(wake: Wake) -> None:
    def mind(request: CompletionRequest) -> Line:
        return '{"action": "rest"}' if request.schema else "I think, and have no tools."

    requests, provider = asked(mind)
    slow = {"id": "v/slow-70b", "pricing": {"prompt": "0.000001", "completion": "0.000001"}}
    quick = slow | {"id": "v/quick-flash", "supported_parameters": ["structured_outputs"]}
    async with wake(provider, resident="v/slow-70b") as being:
        await being.books.catalogue.update([slow, quick])
        await being.brain.live("daily")
        assert [request.model for request in requests] == ["v/slow-70b", "v/quick-flash"]
        (action,) = await told(being, "action")
        assert action.data["name"] == "rest"
