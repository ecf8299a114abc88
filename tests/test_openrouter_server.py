"""The test server is held to account: by OpenRouter's OpenAPI, by its official SDK, and by the facts it documents."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import openrouter
import openrouter.errors
import pytest
from openrouter.components import ChatResult, ChatStreamChunk, ChatUserMessage

from tests.openrouter_server import (
    CATALOGUE,
    FAULTS,
    SLOW_FAULTS,
    Kind,
    OpenRouterServer,
    Reply,
    ToolCall,
    Usage,
    UsageShape,
    cost_of,
    nanos,
    spec,
    unreachable_urls,
    wire,
)
from tests.openrouter_server.schema_text import conforming

CHAT = "/chat/completions"
FREE = "openai/gpt-oss-20b:free"
CODER = "qwen/qwen3-coder:free"
CHEAP = "anthropic/claude-3-haiku"
PREMIUM = "anthropic/claude-sonnet-4.5"
GOOGLE = "google/gemini-2.0-flash-001"
# Loopback has no TLS, and to read the system's authorities for every client would take most of the tests' time.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNUSED = httpx.AsyncClient(verify=NO_AUTHORITIES)
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HELLO = [ChatUserMessage(role="user", content="hello")]
LOOK = {
    "type": "function",
    "function": {
        "name": "look_around",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"where": {"type": "string"}}, "required": ["where"]},
    },
}
ANSWERS = [name for name, fault in FAULTS.items() if fault.kind is Kind.ANSWER]


@pytest.fixture(scope="session")
def openapi() -> Mapping[str, Any]:
    """The OpenAPI document; without it tests that need it are skipped, or fail where it is required."""
    if spec.path() is None:
        reason = f"no OpenAPI document at {spec.DEFAULT_PATH} (OPENROUTER_SPEC names another place)"
        if os.environ.get("REQUIRE_SPECS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return spec.document()


@pytest.fixture
def server() -> Iterator[OpenRouterServer]:
    with OpenRouterServer(clock=lambda: NOON) as running:
        yield running


@pytest.fixture
def client(server: OpenRouterServer) -> Iterator[httpx.Client]:
    with open_client(server) as opened:
        yield opened


@pytest.fixture
def sdk(server: OpenRouterServer, client: httpx.Client) -> openrouter.OpenRouter:
    return openrouter.OpenRouter(
        api_key=server.api_key, server_url=server.base_url, retry_config=None, client=client, async_client=UNUSED
    )


def open_client(server: OpenRouterServer, timeout_s: float = 5) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, headers=server.auth, timeout=timeout_s, verify=NO_AUTHORITIES)


def request(model: str = CHEAP, **more: Any) -> dict[str, Any]:
    """A chat request; `stream=True` and the rest as keywords."""
    return {"model": model, "messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 200, **more}


def ask(client: httpx.Client, model: str = CHEAP, **more: Any) -> httpx.Response:
    return client.post(CHAT, json=request(model, **more))


def events(text: str) -> list[dict[str, Any]]:
    """The JSON of a stream's events, without comments and the final [DONE]."""
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def cost_in(body: str) -> Decimal:
    """`usage.cost` as the decimal that stands in the text."""
    return Decimal(str(json.loads(body, parse_float=Decimal)["usage"]["cost"]))


# ---- answers fit the OpenAPI ------------------------------------------------------------------------------------


def test_the_catalogue_fits_the_openapi(client: httpx.Client, openapi: Mapping[str, Any]) -> None:
    answer = client.get("/models", headers={"Authorization": ""})
    spec.validate_response("/models", "get", 200, answer.json())
    assert answer.headers["cache-control"] == "max-age=120"
    assert answer.json()["total_count"] == len(CATALOGUE)


def test_a_page_of_the_catalogue_is_given_when_it_is_asked_for(client: httpx.Client) -> None:
    page = client.get("/models?offset=2&limit=3").json()
    assert [model["id"] for model in page["data"]] == [model.id for model in CATALOGUE[2:5]]
    assert page["links"]["next"] == "/api/v1/models?offset=5&limit=3"


@pytest.mark.parametrize("model", [model.id for model in CATALOGUE])
@pytest.mark.parametrize("more", [{}, {"response_format": {"type": "json_object"}}], ids=["prose", "json"])
def test_plain_answers_of_every_model_fit_the_openapi(
    client: httpx.Client, server: OpenRouterServer, openapi: Mapping[str, Any], model: str, more: dict[str, Any]
) -> None:
    answer = ask(client, model, **more)
    assert answer.status_code == 200
    spec.validate_response(CHAT, "post", 200, answer.json())
    assert answer.headers["x-generation-id"] == answer.json()["id"]
    assert answer.json()["choices"][0]["message"]["content"]
    assert server.violations == []


@pytest.mark.parametrize("shape", list(UsageShape))
@pytest.mark.parametrize("reply", [Reply(), Reply(tool_calls=[ToolCall("look_around", {"where": "up"})])])
def test_streams_fit_the_openapi_and_end_with_usage_in_either_shape(
    client: httpx.Client, server: OpenRouterServer, openapi: Mapping[str, Any], shape: UsageShape, reply: Reply
) -> None:
    server.usage_shape = shape
    server.reply_fn = lambda body: reply
    answer = ask(client, PREMIUM, stream=True, tools=[LOOK])
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith(": OPENROUTER PROCESSING\n\n")
    assert "\r" not in answer.text
    chunks = events(answer.text)
    for chunk in chunks:
        spec.validate_chunk(chunk)
    assert [chunk for chunk in chunks if "usage" in chunk] == chunks[-1:]
    finish = chunks[-2]["choices"][0]["finish_reason"]
    if shape is UsageShape.EMPTY_CHOICES:
        assert chunks[-1]["choices"] == []
    else:
        assert chunks[-1]["choices"][0]["finish_reason"] == finish
        assert chunks[-1]["choices"][0]["delta"]["content"] == ""


def test_a_stream_says_what_the_plain_answer_says(client: httpx.Client) -> None:
    plain = ask(client).json()
    streamed = events(ask(client, stream=True).text)
    assert text_of(streamed) == plain["choices"][0]["message"]["content"]
    assert streamed[-1]["usage"] == plain["usage"]


def test_key_credits_and_generation_fit_the_openapi(client: httpx.Client, openapi: Mapping[str, Any]) -> None:
    name = ask(client).json()["id"]
    for path in ("/key", "/credits"):
        spec.validate_response(path, "get", 200, client.get(path).json())
    missing = client.get("/generation", params={"id": name})
    assert missing.status_code == 404
    spec.validate_response("/generation", "get", 404, missing.json())
    spec.validate_response("/generation", "get", 200, client.get("/generation", params={"id": name}).json())


def test_a_request_that_does_not_fit_the_openapi_is_remembered(
    client: httpx.Client, server: OpenRouterServer, openapi: Mapping[str, Any]
) -> None:
    assert ask(client, provider={"max_price": {"prompt": 1}}).status_code == 200
    assert "max_price" in server.violations[0]
    with pytest.raises(spec.SpecMismatchError):
        spec.validate_response(CHAT, "post", 200, {"choices": []})


# ---- the official SDK understands it ----------------------------------------------------------------------------


def test_the_official_sdk_lists_the_models(sdk: openrouter.OpenRouter) -> None:
    page = sdk.models.list()
    assert page is not None
    assert {model.id for model in page.result.data} == {model.id for model in CATALOGUE}


def test_the_official_sdk_reads_a_plain_answer(sdk: openrouter.OpenRouter, server: OpenRouterServer) -> None:
    server.reply_with(tool_calls=[ToolCall("look_around", {"where": "up"})], cached_tokens=3)
    result = sdk.chat.send(messages=HELLO, model=CHEAP, max_tokens=50, stream=False)
    assert isinstance(result, ChatResult)
    calls = result.choices[0].message.tool_calls
    assert calls and calls[0].function.name == "look_around"
    assert result.usage is not None and result.usage.cost


def test_the_official_sdk_reads_a_stream(sdk: openrouter.OpenRouter) -> None:
    stream = sdk.chat.send(messages=HELLO, model=FREE, stream=True)
    assert not isinstance(stream, ChatResult)
    with stream:
        chunks = list(stream)
    assert all(isinstance(chunk, ChatStreamChunk) for chunk in chunks)
    assert "I have read 5 characters" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK warns of `rate_limit` wherever it is
def test_the_official_sdk_reads_the_money_endpoints(sdk: openrouter.OpenRouter, server: OpenRouterServer) -> None:
    server.generation_404s = 0
    sdk.chat.send(messages=HELLO, model=CHEAP, stream=False)
    assert sdk.credits.get_credits().data.total_credits == 25
    server.key.limit = Decimal(10)
    assert sdk.api_keys.get_current_key_metadata().data.budgets[0].limit_usd == 10
    assert sdk.generations.get_generation(id=server.bills[0].generation_id).data.model == CHEAP


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("unknown_model", openrouter.errors.BadRequestResponseError),
        ("unknown_key", openrouter.errors.UnauthorizedResponseError),
        ("credits_exhausted", openrouter.errors.PaymentRequiredResponseError),
        ("moderation", openrouter.errors.ForbiddenResponseError),
        ("no_endpoints", openrouter.errors.NotFoundResponseError),
        ("free_daily_limit", openrouter.errors.TooManyRequestsResponseError),
        ("bad_gateway", openrouter.errors.BadGatewayResponseError),
        ("overloaded", openrouter.errors.ProviderOverloadedResponseError),
    ],
)
def test_the_official_sdk_knows_the_errors(
    sdk: openrouter.OpenRouter, server: OpenRouterServer, fault: str, error: type[Exception]
) -> None:
    server.fault(fault)
    with pytest.raises(error):
        sdk.chat.send(messages=HELLO, model=CHEAP, stream=False, retries=None)


# ---- billing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("meta-llama/llama-3.2-3b-instruct", Usage(1_000, 500), "0.00003"),
        ("liquid/lfm2-8b-a1b", Usage(3, 1), "0.0000000708"),
        (CHEAP, Usage(1_000, 100, cached=400), "0.000287"),
        (PREMIUM, Usage(200_000, 1), "0.600015"),
        (PREMIUM, Usage(200_001, 1), "1.2000285"),
        ("perplexity/sonar", Usage(100, 100), "0.0052"),
        ("perplexity/sonar-deep-research", Usage(100, 50, reasoning=40), "0.0004"),
        ("deepseek/deepseek-chat-v3.1", Usage(1_000_000, 0), "0.27"),
        (FREE, Usage(10_000, 10_000), "0"),
    ],
)
def test_a_generation_costs_what_the_price_table_says(
    client: httpx.Client, server: OpenRouterServer, model: str, usage: Usage, dollars: str
) -> None:
    server.reply_with(
        "Yes.",
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        reasoning_tokens=usage.reasoning,
        cached_tokens=usage.cached,
    )
    answer = ask(client, model)
    charged = usage.completion > 0
    assert cost_of(server.models[model].pricing, usage, NOON).total == Decimal(dollars)
    assert cost_in(answer.text) == (Decimal(dollars) if charged else 0)
    assert server.billed_nanos == (nanos(Decimal(dollars)) if charged else 0)


def test_a_price_by_time_of_day_holds_across_midnight() -> None:
    pricing = next(model for model in CATALOGUE if model.id.startswith("deepseek/")).pricing
    by_hour = {
        hour: cost_of(pricing, Usage(1_000_000, 0), NOON.replace(hour=hour)).total for hour in (0, 1, 12, 17, 23)
    }
    assert [hour for hour, cost in by_hour.items() if cost == Decimal("0.135")] == [0, 17, 23]


def test_a_negative_price_is_never_billed_and_the_router_bills_the_model_it_chose(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    with pytest.raises(ValueError, match="unknown"):
        cost_of(server.models["openrouter/auto"].pricing, Usage(1, 1), NOON)
    assert ask(client, "openrouter/auto").json()["model"] == CHEAP
    assert server.bills[0].model == CHEAP and server.billed_nanos > 0


def test_money_goes_out_as_exact_numbers() -> None:
    body = {"cost": Decimal("0.000000070800"), "whole": Decimal("25.00"), "none": Decimal("0E-12"), "n": 1}
    assert wire.dumps(body) == b'{"cost":0.0000000708,"whole":25,"none":0,"n":1}'


def test_the_account_the_key_and_the_generation_agree_with_the_bill(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.key.limit = Decimal(10)
    server.generation_404s = 2
    answer = ask(client)
    cost = cost_in(answer.text)
    money = {path: json.loads(client.get(path).text, parse_float=Decimal)["data"] for path in ("/key", "/credits")}
    assert money["/credits"] == {"total_credits": 25, "total_usage": cost}
    assert money["/key"]["usage_daily"] == money["/key"]["usage"] == cost
    assert money["/key"]["limit_remaining"] == money["/key"]["effective_budget"]["remaining_usd"] == 10 - cost
    statuses = [client.get("/generation", params={"id": answer.json()["id"]}) for _ in range(3)]
    assert [status.status_code for status in statuses] == [404, 404, 200]
    assert json.loads(statuses[-1].text, parse_float=Decimal)["data"]["total_cost"] == cost


@pytest.mark.parametrize(
    ("model", "mode", "share"),
    [(CHEAP, None, "generated"), (GOOGLE, None, "everything"), (CHEAP, "nothing", "nothing")],
)
def test_a_stream_that_the_client_breaks_off_is_billed_as_its_provider_does(
    client: httpx.Client, server: OpenRouterServer, model: str, mode: Any, share: str
) -> None:
    if mode is not None:
        server.abort_billing[model] = mode
    server.reply_with("word " * 40, pause_after=2, prompt_tokens=10)
    with client.stream("POST", CHAT, json=request(model, stream=True)) as stream:
        said = (line for line in stream.iter_lines() if "word" in line)
        next(said), next(said)  # two pieces of four tokens each
    server.wait_until(lambda: len(server.bills) == 1)
    bill = server.bills[0]
    tokens = {"generated": 8, "everything": 50, "nothing": 0}[share]
    assert bill.aborted
    assert bill.usage == Usage(10, tokens)
    assert bill.nanos == (nanos(cost_of(server.models[model].pricing, bill.usage, NOON).total) if tokens else 0)
    assert server.account.generations[bill.generation_id]["cancelled"] is True


def test_a_plain_call_that_the_client_breaks_off_is_billed_in_full(server: OpenRouterServer) -> None:
    server.reply_with("word " * 40, pause_after=0)
    with open_client(server, timeout_s=0.05) as hasty, pytest.raises(httpx.ReadTimeout):
        ask(hasty)
    server.wait_until(lambda: len(server.bills) == 1)
    assert server.bills[0].aborted and server.bills[0].usage.completion == 50


def test_a_paused_stream_goes_on_when_it_may(client: httpx.Client, server: OpenRouterServer) -> None:
    server.reply_with("word " * 40, pause_after=1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, client, stream=True)
        server.wait_until(lambda: bool(server.pauses))
        assert server.account.in_flight > 0
        server.resume()
        assert text_of(events(answer.result().text)) == "word " * 40
    assert server.account.in_flight == 0 and not server.bills[0].aborted


# ---- what it refuses by itself ----------------------------------------------------------------------------------


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == answer.status_code
    return error


def test_a_call_without_key_or_with_a_strange_one_is_refused(client: httpx.Client) -> None:
    missing = client.post(CHAT, json=request(), headers={"Authorization": ""})
    strange = client.get("/key", headers={"Authorization": "Bearer sk-or-v1-nobody"})
    assert (missing.status_code, error_of(missing)["message"]) == (401, "No cookie auth credentials found")
    assert (strange.status_code, error_of(strange)["message"]) == (401, "User not found.")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (request("nobody/nothing"), 400, "nobody/nothing is not a valid model ID"),
        ({"model": CHEAP}, 400, "Input required"),
        (request(CHEAP, models=["a/a", "b/b", "c/c", "d/d"]), 400, "3 items or fewer"),
        (request("google/gemma-3-4b-it:free", tools=[LOOK]), 404, "No endpoints found that support tool use"),
        (request(PREMIUM, provider={"max_price": {"prompt": "2.99"}}), 404, "No allowed providers"),
        (request(PREMIUM, provider={"max_price": {"completion": "14"}}), 404, "No allowed providers"),
        (request("perplexity/sonar", provider={"max_price": {"request": "0.001"}}), 404, "No allowed providers"),
        (request(CHEAP, provider={"only": ["openai"]}), 404, "No allowed providers"),
        (request(FREE, provider={"data_collection": "deny"}), 404, "data policy"),
        (
            request(
                "google/gemma-3-4b-it:free",
                provider={"require_parameters": True},
                response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
            ),
            404,
            "requested parameters",
        ),
    ],
)
def test_what_no_provider_takes_is_refused(
    client: httpx.Client, server: OpenRouterServer, body: dict[str, Any], status: int, message: str
) -> None:
    answer = client.post(CHAT, json=body)
    assert answer.status_code == status
    assert message in error_of(answer)["message"]
    assert server.bills == []


def test_a_price_at_the_max_price_is_allowed(client: httpx.Client) -> None:
    assert ask(client, PREMIUM, provider={"max_price": {"prompt": "3", "completion": "15"}}).status_code == 200


def test_an_empty_account_refuses_paid_models_and_spares_free_ones(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.total_credits = Decimal(0)
    refused = ask(client)
    assert refused.status_code == 402
    assert error_of(refused)["metadata"]["limit_source"] == "openrouter_credits"
    assert ask(client, FREE).status_code == 200
    server.total_credits = Decimal(1)
    assert ask(client).status_code == 200


def test_a_negative_balance_refuses_free_models_too(client: httpx.Client, server: OpenRouterServer) -> None:
    server.account.prior_usage = server.total_credits + 1
    assert ask(client, FREE).status_code == 402


def test_a_low_balance_says_how_many_tokens_it_affords_and_that_many_pass(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.total_credits = Decimal("0.0001")
    refused = ask(client, max_tokens=200)
    message = error_of(refused)["message"]
    assert refused.status_code == 402
    assert "You requested up to 200 tokens, but can only afford " in message
    affordable = int(message.split("can only afford ")[1].split(".")[0])
    assert ask(client, max_completion_tokens=affordable + 1).status_code == 402
    assert ask(client, max_completion_tokens=affordable).status_code == 200


def test_money_held_by_a_call_in_flight_refuses_the_next_for_a_while(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.total_credits = Decimal("0.0004")
    server.reply_with("Later.", pause_after=0)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, client)
        server.wait_until(lambda: bool(server.pauses))
        second = ask(client)
        server.resume()
        assert first.result().status_code == 200
    assert error_of(second)["metadata"]["reason"] == "in_flight_budget_exhausted"
    assert second.headers["retry-after"] == "120"
    assert ask(client).status_code == 200


def test_a_key_at_its_limit_is_refused_while_another_key_of_the_account_pays(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.key.limit, server.key.limit_reset = Decimal("0.0001"), "daily"
    server.reply_with("Dear.", completion_tokens=1_000)
    assert ask(client, max_tokens=10).status_code == 200
    refused = ask(client, max_tokens=10)
    assert refused.status_code == 403
    assert error_of(refused)["message"].startswith("Key limit exceeded (daily limit).")
    other = server.add_key("sk-or-v1-other")
    assert client.post(CHAT, json=request(), headers={"Authorization": f"Bearer {other.secret}"}).is_success
    server.clock = lambda: NOON + timedelta(days=1)
    assert ask(client, max_tokens=10).status_code == 200


def test_free_models_are_limited_by_the_minute_and_by_the_utc_day(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.enforce_free_tier = True
    server.total_credits = Decimal(5)
    minutes = [[ask(client, FREE if i % 2 else CODER) for i in range(21)]]
    for minute in (1, 2):
        server.clock = lambda minute=minute: NOON + timedelta(minutes=minute)  # type: ignore[misc]  # mypy infers no lambda with a default
        minutes.append([ask(client, FREE) for _ in range(20)])
    assert [answer.status_code for answer in minutes[0]] == [200] * 20 + [429]
    assert error_of(minutes[0][-1])["metadata"]["headers"]["X-RateLimit-Limit"] == "20"
    spent = minutes[2][-1]
    assert "free-models-per-day" in error_of(spent)["message"]
    assert int(spent.headers["x-ratelimit-reset"]) == int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1000
    assert ask(client, "openrouter/pony-alpha").status_code == 200
    server.total_credits = Decimal(10)
    server.clock = lambda: NOON + timedelta(minutes=3)
    assert ask(client, FREE).status_code == 200


def test_a_call_with_fallbacks_is_answered_and_billed_by_the_first_that_can(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.fault("overloaded", model=PREMIUM)
    answer = ask(client, PREMIUM, models=["nobody/nothing", CHEAP])
    assert answer.json()["model"] == CHEAP
    assert [bill.model for bill in server.bills] == [CHEAP]
    assert server.calls[0].attempts == [PREMIUM, "nobody/nothing", CHEAP]
    assert server.attempts_on(CHEAP) == 1 and server.calls_to(CHEAP) == []


# ---- what it says -----------------------------------------------------------------------------------------------


def test_the_default_reply_is_deterministic_and_cut_at_the_token_cap(client: httpx.Client) -> None:
    long, again, short = ask(client).json(), ask(client).json(), ask(client, max_tokens=5).json()
    text = long["choices"][0]["message"]["content"]
    assert text.startswith("I have read 12 characters in 1 messages.")
    assert again["choices"] == long["choices"]
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["choices"][0]["message"]["content"] == text[:20]
    assert short["usage"]["completion_tokens"] == 5


def test_scripted_replies_are_given_in_order_and_to_their_model(client: httpx.Client, server: OpenRouterServer) -> None:
    server.reply_with("for haiku", model=CHEAP)
    server.reply_with("first", reasoning_tokens=7, completion_tokens=36, served_by="openai/gpt-oss-20b-2026")
    server.reply_with("second", cost_reported=False, finish_reason="content_filter")
    server.reply_fn = lambda body: Reply(f"{len(body['messages'])} message")
    answers = [ask(client, model, max_tokens=4).json() for model in (FREE, CHEAP, CODER, CODER)]
    said = [answer["choices"][0]["message"]["content"] for answer in answers]
    assert said == ["first", "for haiku", "second", "1 message"]
    assert answers[0]["usage"]["completion_tokens"] == 36  # a cap is no hard bound
    assert answers[0]["model"] == "openai/gpt-oss-20b-2026"
    assert answers[2]["usage"]["cost"] is None
    assert answers[2]["choices"][0]["finish_reason"] == "content_filter"


def test_tool_calls_come_whole_in_a_plain_answer_and_in_fragments_in_a_stream(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    calls = [ToolCall("look_around", {"where": "über den Wolken"}), ToolCall("look_around", "{broken")]
    server.reply_with(tool_calls=calls, times=2)
    plain = ask(client, tools=[LOOK]).json()["choices"][0]
    chunks = events(ask(client, tools=[LOOK], stream=True).text)
    assert plain["finish_reason"] == chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert plain["message"]["content"] is None
    joined = {0: "", 1: ""}
    for chunk in chunks[:-1]:
        for call in chunk["choices"][0]["delta"].get("tool_calls", []):
            joined[call["index"]] += call["function"].get("arguments", "")
    whole = [call["function"]["arguments"] for call in plain["message"]["tool_calls"]]
    assert whole == list(joined.values()) == [call.arguments_text for call in calls]
    assert sum("tool_calls" in chunk["choices"][0]["delta"] for chunk in chunks[:-1]) > 4


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look_around"}}])
def test_a_tool_that_is_insisted_on_is_called(client: httpx.Client, choice: Any) -> None:
    message = ask(client, tools=[LOOK], tool_choice=choice).json()["choices"][0]["message"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"where": "I am here."}


def test_a_schema_is_answered_with_json_that_fits_it(client: httpx.Client) -> None:
    schema = {
        "type": "object",
        "required": ["mood", "steps", "score", "next", "when"],
        "properties": {
            "mood": {"enum": ["calm", "wild"]},
            "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
            "score": {"type": "integer", "minimum": 3},
            "next": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
            "when": {"type": ["string", "null"], "maxLength": 4},
        },
        "$defs": {"step": {"type": "object", "required": ["say"], "properties": {"say": {"const": "hello"}}}},
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "thought", "schema": schema}}
    content = ask(client, response_format=wanted).json()["choices"][0]["message"]["content"]
    expected = {"mood": "calm", "steps": [{"say": "hello"}], "score": 3, "next": True, "when": "I am"}
    assert json.loads(content) == expected == conforming(schema)


def test_every_request_is_remembered_as_it_came(client: httpx.Client, server: OpenRouterServer) -> None:
    client.post(CHAT, json=request(FREE), headers={"X-OpenRouter-Title": "test"})
    call = server.calls_to(FREE)[0]
    assert (call.method, call.path, call.model, call.status) == ("POST", CHAT, FREE, 200)
    assert call.headers["x-openrouter-title"] == "test"
    assert call.body == request(FREE)
    assert call.answered_by == FREE and call.generation_id == server.bills[0].generation_id


# ---- what goes wrong on demand ----------------------------------------------------------------------------------

MIDNIGHT_MS = str(int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1000)
# name: status, words, metadata, headers; written from the documented errors, not from the registry under test.
WIRE: dict[str, tuple[int, str, dict[str, Any], dict[str, str]]] = {
    "unknown_model": (400, f"{CHEAP} is not a valid model ID", {}, {}),
    "bad_request": (400, "Invalid request parameters", {}, {}),
    "zod_error": (400, "", {}, {}),
    "missing_key": (401, "No cookie auth credentials found", {}, {}),
    "unknown_key": (401, "User not found.", {}, {}),
    "credits_exhausted": (402, "Insufficient credits. Add more using", {"limit_source": "openrouter_credits"}, {}),
    "tokens_unaffordable": (402, "You requested up to 200 tokens, but can only afford 3324.", {}, {}),
    "tokens_unaffordable_everywhere": (402, "can only afford 3324.", {}, {}),
    "in_flight_budget_exhausted": (
        402,
        "would exceed your available credits given your current in-flight requests",
        {"reason": "in_flight_budget_exhausted"},
        {"retry-after": "120"},
    ),
    "weight_exceeds_budget": (402, "", {"reason": "weight_exceeds_budget"}, {}),
    "key_limit_daily": (403, "Key limit exceeded (daily limit)", {}, {}),
    "key_limit_total": (403, "Key limit exceeded (total limit)", {}, {}),
    "key_limit_as_402": (402, "Key limit exceeded", {"limit_source": "openrouter_key_limit"}, {}),
    "moderation": (403, 'flagged for "violence"', {"reasons": ["violence"], "model_slug": CHEAP}, {}),
    "guardrail": (403, "Request blocked", {}, {}),
    "workspace_budget": (403, "Workspace budget exceeded", {}, {}),
    "no_endpoints": (404, f"No endpoints found for {CHEAP}.", {}, {}),
    "no_tool_endpoints": (404, "No endpoints found that support tool use.", {}, {}),
    "no_endpoints_for_parameters": (404, "No endpoints found that can handle the requested parameters.", {}, {}),
    "data_policy": (404, "No endpoints found matching your data policy", {}, {}),
    "no_allowed_providers": (404, "No allowed providers", {"available_providers": ["anthropic"]}, {}),
    "timeout": (408, "", {}, {}),
    "too_large": (413, "", {}, {}),
    "unprocessable": (422, "", {}, {}),
    "upstream_rate_limited": (
        429,
        "Provider returned error",
        {"limit_source": "upstream_provider_shared_pool", "retry_after_seconds": 7},
        {"retry-after": "7"},
    ),
    "upstream_rate_limited_no_hint": (
        429,
        "Provider returned error",
        {"limit_source": "upstream_provider_shared_pool"},
        {},
    ),
    "model_rate_limited": (
        429,
        "limited to 15 requests per minute",
        {"limit_source": "openrouter_shared_capacity"},
        {},
    ),
    "free_daily_limit": (
        429,
        "Rate limit exceeded: free-models-per-day",
        {"limit_source": "openrouter_free_tier_daily"},
        {"x-ratelimit-reset": MIDNIGHT_MS},
    ),
    "free_daily_limit_in_seconds": (
        429,
        "Rate limit exceeded: free-models-per-day",
        {"limit_source": "openrouter_free_tier_daily"},
        {"x-ratelimit-reset": MIDNIGHT_MS[:-3]},
    ),
    "server_error": (500, "", {}, {}),
    "bad_gateway": (502, "Provider returned error", {}, {}),
    "unavailable": (503, "", {}, {}),
    "unavailable_retry_after": (503, "", {}, {"retry-after": "11"}),
    "unavailable_html": (503, "", {}, {}),
    "edge_timeout": (524, "", {}, {}),
    "overloaded": (529, "", {}, {}),
}


def test_every_fault_that_answers_has_its_wire_shape_written_down() -> None:
    assert set(WIRE) == set(ANSWERS)
    assert all(fault.doc for fault in FAULTS.values())


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answering_fault_has_the_documented_status_body_and_headers(
    client: httpx.Client, server: OpenRouterServer, openapi: Mapping[str, Any], name: str, stream: bool
) -> None:
    status, words, metadata, headers = WIRE[name]
    server.fault(name)
    answer = ask(client, stream=stream)
    assert answer.status_code == status
    assert "content-length" not in answer.headers and answer.headers["transfer-encoding"] == "chunked"
    assert headers.items() <= dict(answer.headers).items()
    assert ("retry-after" in answer.headers) == ("retry-after" in headers)
    if FAULTS[name].in_spec:
        error = error_of(answer)
        assert words in error["message"]
        assert metadata.items() <= error.get("metadata", {}).items()
        spec.validate_response(CHAT, "post", status, answer.json())
    assert server.bills == [] and server.calls[0].fault == name
    assert ask(client).status_code == 200  # once was asked for


def test_the_faults_outside_the_openapi_have_their_own_shapes(client: httpx.Client, server: OpenRouterServer) -> None:
    server.fault("zod_error")
    server.fault("unavailable_html")
    zod, html = ask(client), ask(client)
    assert zod.json()["success"] is False and zod.json()["error"]["name"] == "ZodError"
    assert html.headers["content-type"].startswith("text/html") and html.text.startswith("<!DOCTYPE html>")


def test_an_unaffordable_call_may_carry_several_numbers(client: httpx.Client, server: OpenRouterServer) -> None:
    server.fault("tokens_unaffordable_everywhere")
    previous = error_of(ask(client))["metadata"]["previous_errors"]
    assert ["can only afford 2911" in e["message"] for e in previous] == [True, False]


@pytest.mark.parametrize(("name", "code"), [("error_in_200", 502), ("error_in_200_string_code", "502")])
def test_a_200_may_carry_an_error_and_nothing_else(
    client: httpx.Client, server: OpenRouterServer, openapi: Mapping[str, Any], name: str, code: Any
) -> None:
    server.fault(name, times=2)
    plain, stream = ask(client), ask(client, stream=True)
    chunks = events(stream.text)
    assert plain.status_code == stream.status_code == 200
    assert plain.json().keys() == {"error"} and plain.json()["error"]["code"] == code
    assert len(chunks) == 1 and chunks[0]["error"]["code"] == code
    assert chunks[0]["choices"][0]["finish_reason"] == "error"
    if code == 502:
        spec.validate_chunk(chunks[0])
    assert server.billed_nanos == 0


def test_a_generation_may_fail_midway_and_is_not_charged(
    client: httpx.Client, server: OpenRouterServer, openapi: Mapping[str, Any]
) -> None:
    server.fault("finish_error", times=2)
    plain = ask(client).json()
    chunks = events(ask(client, stream=True).text)
    choice = plain["choices"][0]
    assert choice["finish_reason"] == "error" and choice["error"]["code"] == 502
    assert choice["message"]["content"] == text_of(chunks) != ""
    assert chunks[-1]["error"]["code"] == 502 and chunks[-1]["choices"][0]["finish_reason"] == "error"
    spec.validate_response(CHAT, "post", 200, plain)
    spec.validate_chunk(chunks[-1])
    assert server.billed_nanos == 0 and len(server.bills) == 2


def test_a_reply_may_be_empty_because_reasoning_ate_the_cap_and_is_charged(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.fault("empty_content", times=2)
    plain, chunks = ask(client).json(), events(ask(client, stream=True).text)
    assert plain["choices"][0]["message"]["content"] == text_of(chunks) == ""
    assert plain["choices"][0]["finish_reason"] == "length"
    assert plain["usage"]["completion_tokens_details"]["reasoning_tokens"] == 200
    assert plain["usage"]["cost"] > 0 and server.bills[0].nanos == server.bills[1].nanos > 0


def test_a_reply_without_any_token_is_not_charged(client: httpx.Client, server: OpenRouterServer) -> None:
    server.fault("nothing_generated")
    assert ask(client).json()["usage"]["cost"] == 0
    assert server.billed_nanos == 0


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", ["dropped_before_answer", "dropped_before_answer_billed"])
def test_a_connection_may_close_unanswered(
    client: httpx.Client, server: OpenRouterServer, name: str, stream: bool
) -> None:
    server.fault(name)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        ask(client, stream=stream)
    assert (server.billed_nanos > 0) == FAULTS[name].bills
    assert server.calls[0].status == 0


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_body_may_break_off_after_the_whole_of_it_was_billed(
    client: httpx.Client, server: OpenRouterServer, stream: bool
) -> None:
    server.fault("dropped_midway")
    heard = ""
    with client.stream("POST", CHAT, json=request(stream=stream)) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            for piece in answer.iter_text():
                heard += piece
    assert "I have read" in heard and "usage" not in heard
    assert server.bills[0].aborted and server.bills[0].usage.completion == 35


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", ["hang", "hang_billed"])
def test_a_call_may_hang_until_the_client_gives_up(server: OpenRouterServer, name: str, stream: bool) -> None:
    server.fault(name)
    with open_client(server, timeout_s=0.05) as hasty:
        with pytest.raises(httpx.ReadTimeout):
            ask(hasty, stream=stream)
        server.wait_until(lambda: server.account.in_flight == 0)
        assert (server.billed_nanos > 0) == FAULTS[name].bills


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_answer_may_come_slowly_and_whole(client: httpx.Client, server: OpenRouterServer, stream: bool) -> None:
    server.fault("slow")
    server.slow_delay_s = 0.005
    with client.stream("POST", CHAT, json=request(stream=stream)) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) >= 4
    assert server.bills[0].nanos > 0 and not server.bills[0].aborted


def test_a_reply_may_be_late_and_its_stream_halting(client: httpx.Client, server: OpenRouterServer) -> None:
    server.reply_with("word " * 10, delay_s=0.02, chunk_delay_s=0.002)
    began = time.monotonic()
    assert text_of(events(ask(client, stream=True).text)) == "word " * 10
    assert time.monotonic() - began >= 0.028


def test_a_fault_lasts_as_long_as_it_was_told_and_only_for_its_model(
    client: httpx.Client, server: OpenRouterServer
) -> None:
    server.fault("overloaded", model=FREE, times="forever")
    server.fault("bad_gateway", model=CODER, times=2)
    assert [ask(client, FREE).status_code for _ in range(4)] == [529] * 4
    assert [ask(client, CODER).status_code for _ in range(3)] == [502, 502, 200]
    assert ask(client).status_code == 200
    server.mend(FREE)
    assert ask(client, FREE).status_code == 200
    with pytest.raises(KeyError, match="no fault is called"):
        server.fault("bad_weather")


def test_other_routes_fail_on_demand_too(client: httpx.Client, server: OpenRouterServer) -> None:
    server.fault("unavailable_html", path="/models")
    server.fault("dropped_before_answer", path="/key")
    assert client.get("/models").status_code == 503
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/key")
    assert client.get("/models").status_code == client.get("/key").status_code == 200


def test_chaos_of_the_same_seed_is_the_same_chaos() -> None:
    runs = []
    for _ in range(2):
        with OpenRouterServer(clock=lambda: NOON) as server, open_client(server) as client:
            server.chaos(seed=7, rate=0.5)
            for _ in range(30):
                try:
                    ask(client, stream=True)
                except httpx.TransportError:
                    continue
            runs.append([call.fault for call in server.calls])
    assert runs[0] == runs[1]
    assert 5 < sum(fault is not None for fault in runs[0]) < 25
    assert not SLOW_FAULTS & set(runs[0])


# ---- below HTTP -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["connect", "dns", "tls"])
def test_an_unreachable_address_fails_to_connect(server: OpenRouterServer, what: str) -> None:
    with httpx.Client(verify=NO_AUTHORITIES, timeout=2) as client, pytest.raises(httpx.ConnectError):
        client.get(unreachable_urls(server)[what] + "/models")


def test_it_stops_at_once_with_streams_open_and_calls_hanging() -> None:
    server = OpenRouterServer()
    with ThreadPoolExecutor() as pool, server, open_client(server) as client:
        server.fault("hang", model=FREE)
        server.reply_with("word " * 40, model=CHEAP, pause_after=1)
        calls = [pool.submit(ask, client, model, stream=True) for model in (FREE, CHEAP)]
        server.wait_until(lambda: len(server.calls) == 2 and bool(server.pauses))
        began = time.monotonic()
        server.__exit__(None, None, None)
        assert time.monotonic() - began < 1
        for call in calls:
            with pytest.raises(httpx.TransportError):
                call.result()
    port = int(server.base_url.split(":")[2].split("/")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_twenty_calls_at_once_are_all_billed(client: httpx.Client, server: OpenRouterServer) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(client), range(20)))
    costs = [nanos(cost_in(answer.text)) for answer in answers]
    assert sum(costs) == server.billed_nanos > 0
    assert len({answer.json()["id"] for answer in answers}) == len(server.bills) == 20
