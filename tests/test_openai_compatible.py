"""The wire: streams, usage, tool calls, and every documented failure told by what it retires and what it cost."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from pydantic import SecretStr

from ai.llm.base import Completion, CompletionRequest, Tool
from ai.llm.failures import CallFailed, Fate, Remedy, Scope
from ai.llm.openai_compatible import OpenAICompatible
from ai.models.pricing import Price
from tests.openrouter_server import OpenRouterServer, ToolCall, UsageShape, unreachable_urls
from tests.parts import CHEAP, parrot

LOOK = Tool("look", "Look somewhere.", {"type": "object", "properties": {"where": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"action": {"const": "rest"}}, "required": ["action"]}

# What each documented refusal speaks about (facts/openrouter.md, “what it retires”).
SCOPES = {
    "unknown_model": Scope.MODEL,
    "bad_request": Scope.REQUEST,
    "zod_error": Scope.REQUEST,
    "missing_key": Scope.CREDENTIAL,
    "unknown_key": Scope.CREDENTIAL,
    "credits_exhausted": Scope.FUNDS,
    "tokens_unaffordable": Scope.REQUEST,
    "in_flight_budget_exhausted": Scope.FUNDS,
    "weight_exceeds_budget": Scope.REQUEST,
    "key_limit_daily": Scope.FUNDS,
    "key_limit_total": Scope.FUNDS,
    "key_limit_as_402": Scope.FUNDS,
    "moderation": Scope.REQUEST,
    "guardrail": Scope.REQUEST,
    "workspace_budget": Scope.FUNDS,
    "no_endpoints": Scope.MODEL,
    "no_tool_endpoints": Scope.TOOLS,
    "data_policy": Scope.MODEL,
    "too_large": Scope.REQUEST,
    "unprocessable": Scope.REQUEST,
    "upstream_rate_limited": Scope.MODEL,
    "model_rate_limited": Scope.MODEL,
    "server_error": Scope.MODEL,
    "bad_gateway": Scope.MODEL,
    "unavailable_html": Scope.MODEL,
    "overloaded": Scope.MODEL,
}


def client_of(base_url: str, key: str = "a-key-nobody-knows", *, timeout_s: float = 5.0) -> OpenAICompatible:
    transport = httpx.AsyncHTTPTransport(verify=False)
    return OpenAICompatible("openrouter", base_url, SecretStr(key), timeout_s=timeout_s, transport=transport)


@pytest.fixture
async def client(openrouter: OpenRouterServer) -> AsyncIterator[OpenAICompatible]:
    client = client_of(openrouter.base_url, openrouter.api_key)
    yield client
    await client.aclose()
    assert openrouter.violations == [], "every request fits OpenRouter's OpenAPI"


def request(model: str = CHEAP, *, text: str = "hello", **more: object) -> CompletionRequest:
    messages = [{"role": "system", "content": "You are a test."}, {"role": "user", "content": text}]
    return CompletionRequest(model=model, messages=messages, max_tokens=200, **more)  # type: ignore[arg-type]  # the fields of the request


def unheard(_: str) -> None:
    """Nobody watches."""


async def failure(client: OpenAICompatible, asked: CompletionRequest | None = None) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await client.complete(asked or request(), unheard)
    return failed.value


@pytest.mark.parametrize("shape", list(UsageShape))
async def test_text_streams_piece_by_piece_and_usage_comes_at_the_end(
    client: OpenAICompatible, openrouter: OpenRouterServer, shape: UsageShape
) -> None:
    openrouter.usage_shape = shape
    openrouter.reply_with("Ich bin hier — and I stream, häppchenweise 🫧.", cached_tokens=5)
    pieces: list[str] = []
    said = await client.complete(request(), pieces.append)
    assert len(pieces) > 2
    assert "".join(pieces) == said.text == "Ich bin hier — and I stream, häppchenweise 🫧."
    assert (said.finish_reason, said.model, said.tool_calls) == ("stop", CHEAP, ())
    assert said.usage is not None
    assert (said.usage.cost_usd, said.usage.tokens_cached) == (openrouter.bills[0].dollars, 5)
    assert said.generation_id == openrouter.bills[0].generation_id
    assert said.message == {"role": "assistant", "content": said.text}
    assert openrouter.calls[0].body["stream"] is True


async def test_the_cost_is_exact_to_a_fraction_of_a_nano_dollar(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("One.", prompt_tokens=1, completion_tokens=1)
    said = await client.complete(request("liquid/lfm2-8b-a1b"), unheard)
    assert said.usage is not None
    assert said.usage.cost_usd == Decimal("0.0000000458")


async def test_the_model_that_really_answered_is_named(client: OpenAICompatible, openrouter: OpenRouterServer) -> None:
    openrouter.reply_with("One.", served_by=f"{CHEAP}-20261001")
    assert (await client.complete(request(), unheard)).model == f"{CHEAP}-20261001"


async def test_tool_calls_in_fragments_are_put_together(client: OpenAICompatible, openrouter: OpenRouterServer) -> None:
    long = {"where": "behind the old clock in the hall, where nobody looks " * 3}
    openrouter.reply_with(tool_calls=[ToolCall("look", long, id="call_a"), ToolCall("look", {"where": "up"})])
    said = await client.complete(request(tools=[LOOK]), unheard)
    assert [(call.name, json.loads(call.arguments)) for call in said.tool_calls] == [
        ("look", long),
        ("look", {"where": "up"}),
    ]
    assert said.finish_reason == "tool_calls"
    assert [call["id"] for call in said.message["tool_calls"]] == [call.id for call in said.tool_calls]
    assert said.tool_calls[0].id == "call_a"
    assert said.tool_calls[1].id


async def test_a_request_carries_its_cap_its_schema_and_the_highest_price(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    price = Price(Decimal("0.00000025"), Decimal("0.00000125"))
    said = await client.complete(request(schema=SCHEMA, max_price=price), unheard)
    assert json.loads(said.text) == {"action": "rest"}
    body = openrouter.calls[0].body
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 200
    asked = body["provider"]["max_price"]
    assert (Decimal(asked["prompt"]), Decimal(asked["completion"])) == (Decimal("0.25"), Decimal("1.25"))
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


async def test_a_lone_surrogate_in_a_prompt_is_replaced_not_choked_on(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    said = await client.complete(request(text="half an emoji: \ud83d"), unheard)
    assert said.text
    assert "half an emoji" in openrouter.calls[0].body["messages"][-1]["content"]


@pytest.mark.parametrize("fault", SCOPES)
async def test_a_refusal_says_what_it_speaks_about_and_that_nothing_was_charged(
    client: OpenAICompatible, openrouter: OpenRouterServer, fault: str
) -> None:
    openrouter.fault(fault)
    failed = await failure(client)
    assert (failed.scope, failed.fate) == (SCOPES[fault], Fate.FREE)
    assert "openrouter" in failed.message
    assert "\n" not in failed.message
    assert "user_2dHF" not in failed.message
    assert openrouter.billed_nanos == 0


@pytest.mark.parametrize("fault", ["error_in_200", "error_in_200_string_code"])
async def test_an_error_event_as_the_only_event_costs_nothing(
    client: OpenAICompatible, openrouter: OpenRouterServer, fault: str
) -> None:
    openrouter.fault(fault)
    failed = await failure(client)
    assert (failed.scope, failed.fate) == (Scope.MODEL, Fate.FREE)
    assert "Upstream error" in failed.message


async def test_a_reply_that_ends_in_an_error_is_a_failure_whatever_it_said_before(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("finish_error")
    pieces: list[str] = []
    with pytest.raises(CallFailed) as failed:
        await client.complete(request(), pieces.append)
    assert pieces
    assert failed.value.scope is Scope.MODEL
    assert failed.value.fate is Fate.FREE, "finish_reason error is not charged"


async def test_an_empty_reply_is_a_failure_that_says_what_it_cost(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("empty_content")
    failed = await failure(client)
    assert (failed.scope, failed.fate) == (Scope.MODEL, Fate.CHARGED)
    assert failed.usage is not None
    assert failed.usage.cost_usd == openrouter.bills[0].dollars > 0
    assert "length" in failed.message
    assert failed.remedy is Remedy.LENGTHEN


async def test_a_reply_without_a_single_token_costs_nothing(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("nothing_generated")
    failed = await failure(client)
    assert (failed.scope, failed.fate) == (Scope.MODEL, Fate.FREE)
    assert openrouter.billed_nanos == 0


async def test_a_stream_that_breaks_off_leaves_the_cost_unknown_but_names_the_generation(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("dropped_midway")
    failed = await failure(client)
    assert (failed.scope, failed.fate) == (Scope.MODEL, Fate.UNKNOWN)
    assert failed.generation_id == openrouter.bills[0].generation_id


async def test_a_connection_closed_before_any_answer_leaves_the_cost_unknown(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    openrouter.fault("dropped_before_answer")
    assert (await failure(client)).fate is Fate.UNKNOWN


@pytest.mark.parametrize("slow", ["hang", "slow"])
async def test_a_time_out_bounds_the_whole_call_and_leaves_the_cost_unknown(
    openrouter: OpenRouterServer, slow: str
) -> None:
    openrouter.slow_delay_s = 0.05
    openrouter.reply_with("word " * 400)
    openrouter.fault(slow)
    client = client_of(openrouter.base_url, openrouter.api_key, timeout_s=0.3)
    failed = await failure(client)
    await client.aclose()
    assert (failed.scope, failed.fate) == (Scope.MODEL, Fate.UNKNOWN)
    assert "0.3 s" in failed.message


@pytest.mark.parametrize(("asked_s", "bound_s"), [(0.2, "0.2"), (900.0, "0.3")])
async def test_a_request_may_shorten_the_bound_of_its_call_and_not_lengthen_it(
    openrouter: OpenRouterServer, asked_s: float, bound_s: str
) -> None:
    openrouter.fault("hang")
    client = client_of(openrouter.base_url, openrouter.api_key, timeout_s=0.3)
    failed = await failure(client, request(timeout_s=asked_s))
    await client.aclose()
    assert f"within {bound_s} s" in failed.message


@pytest.mark.parametrize("what", ["connect", "dns", "tls"])
async def test_an_address_that_cannot_be_reached_is_the_endpoints_failure_and_free(
    openrouter: OpenRouterServer, what: str
) -> None:
    client = client_of(unreachable_urls(openrouter)[what])
    failed = await failure(client)
    await client.aclose()
    assert (failed.scope, failed.fate) == (Scope.ENDPOINT, Fate.FREE)
    assert "cannot be reached" in failed.message


async def test_a_redirect_is_not_followed_because_it_would_carry_the_key_away() -> None:
    with parrot(200, b"{}") as elsewhere, parrot(307, b"", {"Location": f"{elsewhere.url}/steal"}) as first:
        client = client_of(first.url)
        failed = await failure(client)
        await client.aclose()
        assert failed.fate is Fate.FREE
        assert elsewhere.heard == []
        assert first.heard[0]["authorization"] == "Bearer a-key-nobody-knows"


@pytest.mark.parametrize(
    "body",
    [
        b"not json at all",
        b"[]",
        b'{"choices": ["text"]}',
        b'{"choices": 5}',
        b'{"choices": [{"message": "text"}]}',
        b'{"choices": [{"message": {"content": 7}}], "usage": {"prompt_tokens": "many"}}',
        b'{"choices": [{"message": {"content": "hi"}}], "usage": {"cost": "a lot"}}',
        b'{"choices": [{"message": {"content": "hi", "tool_calls": [null]}}]}',
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_of_no_known_shape_is_a_failed_call_never_a_crash(body: bytes, streamed: bool) -> None:
    headers = {"Content-Type": "text/event-stream"} if streamed else {}
    with parrot(200, b"data: " + body + b"\n\n" if streamed else body, headers) as bird:
        client = client_of(bird.url)
        failed = await failure(client)
        await client.aclose()
    assert failed.fate is not Fate.FREE
    assert "\n" not in failed.message


@pytest.mark.parametrize(
    "body",
    [
        b'[{"error": {"message": "Quota gone"}}]',
        b'{"error": "Quota gone"}',
        b"Quota gone",
        b'{"message": "Quota gone"}',
    ],
)
async def test_the_words_of_an_error_are_found_in_every_known_shape(body: bytes) -> None:
    with parrot(429, body) as bird:
        client = client_of(bird.url)
        failed = await failure(client)
        await client.aclose()
    assert "Quota gone" in failed.message


async def test_a_web_page_is_no_word_of_an_error() -> None:
    with parrot(503, b"<!DOCTYPE html><html><body>Service Unavailable</body></html>") as bird:
        client = client_of(bird.url)
        failed = await failure(client)
        await client.aclose()
    assert failed.message == "openrouter is in trouble (503)"


async def test_a_host_that_takes_no_connection_is_the_endpoints_failure_and_free_however_short_the_bound() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as waiting:
        for _ in range(4):  # its queue is full: whoever comes now hears nothing
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        client = client_of(f"http://127.0.0.1:{deaf.getsockname()[1]}/api/v1", timeout_s=0.3)
        failed = await failure(client)
        await client.aclose()
    assert (failed.scope, failed.fate) == (Scope.ENDPOINT, Fate.FREE)


async def test_out_of_credit_at_openai_is_a_matter_of_funds() -> None:
    body = b'{"error": {"message": "You exceeded your quota", "type": "insufficient_quota"}}'
    with parrot(429, body) as bird:
        client = client_of(bird.url)
        failed = await failure(client)
        await client.aclose()
    assert (failed.scope, failed.fate) == (Scope.FUNDS, Fate.FREE)


async def test_a_key_that_a_provider_says_back_is_in_no_error() -> None:
    with parrot(401, b'{"error": {"message": "Incorrect API key: {key}"}}', echo_authorization=True) as bird:
        client = client_of(bird.url, "a-key-without-any-telltale-shape")
        failed = await failure(client)
        await client.aclose()
    assert "telltale" not in str(failed)


async def test_models_are_listed_as_the_provider_lists_them(
    client: OpenAICompatible, openrouter: OpenRouterServer
) -> None:
    listed = await client.list_models()
    assert [entry["id"] for entry in listed] == list(openrouter.models)


@pytest.mark.parametrize("body", [b"{}", b'{"data": 5}', b"[]", b"nonsense"])
async def test_a_list_that_is_none_is_a_failure(body: bytes) -> None:
    with parrot(200, body) as bird:
        client = client_of(bird.url)
        with pytest.raises(CallFailed, match="did not list"):
            await client.list_models()
        await client.aclose()


async def test_a_plain_answer_to_a_streaming_request_is_understood_too() -> None:
    body = b'{"id": "gen-1", "model": "m", "choices": [{"message": {"content": "Whole."}, "finish_reason": "stop"}]}'
    with parrot(200, body) as bird:
        client = client_of(bird.url)
        said: Completion = await client.complete(request(), unheard)
        await client.aclose()
    assert (said.text, said.usage, said.generation_id) == ("Whole.", None, "gen-1")
