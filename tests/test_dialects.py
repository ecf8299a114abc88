"""Each provider's quirks, as its servers speak on the wire: what is sent to whom, and what an answer means."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import vault
from ai.app import default_model, make_providers, open_being
from ai.clock import VirtualClock
from ai.llm.base import Completion, CompletionRequest, Tool
from ai.llm.dialects.base import Dialect
from ai.llm.dialects.registry import dialects
from ai.llm.failures import CallFailed, Fate, Remedy, Scope, Until
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.scripted import Scripted
from ai.models.pricing import Price
from tests.conftest import MakeSettings
from tests.openrouter_server import OpenRouterServer
from tests.parts import CHEAP, LOCAL, Parrot, events, parrot

FOLDER = Path(__file__).parents[1] / "ai" / "llm" / "dialects"
KEY = "a-key-without-any-telltale-shape"
LOOK = Tool("look", "Look somewhere.", {"type": "object", "properties": {"where": {"type": "string"}}})
PRICE = Price(Decimal("0.00000025"), Decimal("0.00000125"))
HELLO = b'{"id": "1", "model": "m", "choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}'

EVERYWHERE = {"model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format"}
OF_ITS_OWN = {
    "openrouter": {"max_tokens", "reasoning", "provider"},
    "gemini": {"max_tokens", "reasoning_effort"},
    "groq": {"max_completion_tokens", "reasoning_effort"},
    "openai": {"max_completion_tokens", "reasoning_effort"},
    "ollama": {"max_tokens", "reasoning_effort"},
}


def google(code: int, status: str, message: str, **detail: Any) -> list[Any]:
    """An error as Google's servers shape it: in an array."""
    return [{"error": {"code": code, "message": message, "status": status, "details": [detail]}}]


def plain(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """An error as OpenAI shapes it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


# What their servers say, in their own words: what it retires, until when, and what may mend it.
PER_DAY = [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}]
ANSWERS: list[tuple[str, int, Any, tuple[Scope, Until, Remedy]]] = [
    (
        "gemini",
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID"),
        (Scope.CREDENTIAL, Until.KEY, Remedy.NONE),
    ),
    (
        "gemini",
        400,
        google(400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "reasoning": Cannot find field.'),
        (Scope.REQUEST, Until.BACKOFF, Remedy.NONE),
    ),
    (
        "gemini",
        403,
        google(403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key."),
        (Scope.CREDENTIAL, Until.KEY, Remedy.NONE),
    ),
    (
        "gemini",
        429,
        google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check.", violations=PER_DAY),
        (Scope.MODEL, Until.DAY, Remedy.NONE),
    ),
    (
        "gemini",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        (Scope.MODEL, Until.BACKOFF, Remedy.NONE),
    ),
    (
        "gemini",
        503,
        google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        (Scope.MODEL, Until.BACKOFF, Remedy.NONE),
    ),
    (
        "openai",
        401,
        plain("Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key"),
        (Scope.CREDENTIAL, Until.KEY, Remedy.NONE),
    ),
    (
        "openai",
        404,
        plain("The model `gpt-9` does not exist.", "invalid_request_error", "model_not_found"),
        (Scope.MODEL, Until.REFRESH, Remedy.NONE),
    ),
    (
        "openai",
        429,
        plain("You exceeded your current quota, please check.", "insufficient_quota", "insufficient_quota"),
        (Scope.FUNDS, Until.TOPUP, Remedy.NONE),
    ),
    (
        "openai",
        429,
        plain("Rate limit reached for gpt-4o-mini: Limit 3, Used 3.", "requests", "rate_limit_exceeded"),
        (Scope.MODEL, Until.BACKOFF, Remedy.NONE),
    ),
    (
        "groq",
        400,
        plain("Failed to call a function. Please adjust your prompt.", "invalid_request_error", "tool_use_failed"),
        (Scope.REQUEST, Until.BACKOFF, Remedy.REPEAT),
    ),
    (
        "groq",
        498,
        plain("Flex tier capacity exceeded, try again later", "capacity_exceeded"),
        (Scope.MODEL, Until.BACKOFF, Remedy.NONE),
    ),
    (
        "ollama",
        404,
        plain('model "nope" not found, try pulling it first', "api_error"),
        (Scope.MODEL, Until.REFRESH, Remedy.NONE),
    ),
    (
        "ollama",
        500,
        {"error": "model requires more system memory (5.6 GiB) than is available (2.1 GiB)"},
        (Scope.MODEL, Until.BACKOFF, Remedy.NONE),
    ),
]


def everything(**more: Any) -> CompletionRequest:
    """A request that uses every field there is."""
    asked: dict[str, Any] = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You are a test."},
            {"role": "user", "name": "keeper", "content": "Hello."},
        ],
        "max_tokens": 200,
        "tools": [LOOK],
        "schema": {"type": "object"},
        "max_price": PRICE,
        "reasoning_effort": "low",
        "cache_prefix": 1,
    }
    return CompletionRequest(**asked | more)


@asynccontextmanager
async def client_of(name: str, url: str, key: str | None = KEY) -> AsyncIterator[OpenAICompatible]:
    client = OpenAICompatible(name, url, SecretStr(key) if key else None, timeout_s=5)
    try:
        yield client
    finally:
        await client.aclose()


@contextmanager
def streaming(*chunks: Mapping[str, Any]) -> Iterator[Parrot]:
    """A server that streams these chunks."""
    events = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    with parrot(200, events, {"Content-Type": "text/event-stream"}) as bird:
        yield bird


async def said_by(name: str, *chunks: Mapping[str, Any]) -> Completion:
    """What comes of these chunks, streamed by that provider."""
    with streaming(*chunks) as bird:
        async with client_of(name, bird.url) as client:
            return await client.complete(everything(), lambda _: None)


async def failed_at(name: str, *chunks: Mapping[str, Any]) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await said_by(name, *chunks)
    return failed.value


async def sent_by(name: str, request: CompletionRequest) -> dict[str, Any]:
    """The body that provider would be sent."""
    with parrot(200, HELLO) as bird:
        async with client_of(name, bird.url) as client:
            await client.complete(request, lambda _: None)
        body: dict[str, Any] = json.loads(bird.bodies[0])
    return body


def delta(finish: str | None = None, **said: Any) -> dict[str, Any]:
    return {"id": "1", "model": "m", "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def usage(prompt: int, completion: int, total: int, **more: Any) -> dict[str, Any]:
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {"id": "1", "choices": [], "usage": tokens | more}


# One file each


def test_every_file_in_the_folder_is_one_provider_of_that_name() -> None:
    machinery = {"__init__", "base", "registry"}
    assert list(dialects()) == sorted({file.stem for file in FOLDER.glob("*.py")} - machinery) == sorted(OF_ITS_OWN)


@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_every_provider_has_a_secret_in_the_vault_and_a_model_to_begin_with(name: str) -> None:
    dialect = dialects()[name]
    assert dialect.secret in vault.SECRETS
    assert dialect.default_model
    assert dialect.base_url.startswith("https://" if dialect.needs_key else "http://localhost")


def test_who_says_nothing_of_itself_is_the_plain_protocol() -> None:
    plain = Dialect("new", "https://new.example/v1", "m")
    said = {each.name: getattr(plain, each.name) for each in fields(Dialect)}
    assert (said.pop("cap_field"), said.pop("effort_path"), plain.secret) == (
        "max_tokens",
        ("reasoning_effort",),
        "NEW_API_KEY",
    )
    assert {name for name, value in said.items() if value} == {"name", "base_url", "default_model", "needs_key"}


# What is sent


@pytest.mark.parametrize("name", OF_ITS_OWN)
async def test_a_provider_is_sent_the_fields_it_knows_and_no_other(name: str) -> None:
    body = await sent_by(name, everything())
    assert body.keys() == EVERYWHERE | OF_ITS_OWN[name]
    assert body[dialects()[name].cap_field] == 200
    effort: Any = body
    for step in dialects()[name].effort_path:
        effort = effort[step]
    assert effort == "low"
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(("name", "refused"), [("gemini", "reasoning"), ("groq", "logprobs"), ("groq", "n")])
async def test_what_a_provider_answers_with_400_is_never_sent(name: str, refused: str) -> None:
    assert refused in dialects()[name].refused_fields
    assert not dialects()[name].refused_fields & (await sent_by(name, everything())).keys()


async def test_groq_is_sent_no_names_of_who_said_something() -> None:
    assert "name" not in (await sent_by("groq", everything()))["messages"][1]
    assert (await sent_by("openai", everything()))["messages"][1]["name"] == "keeper"


@pytest.mark.parametrize("effort", [None, "low"])
async def test_an_effort_is_sent_only_when_one_is_asked_for(effort: str | None) -> None:
    body = await sent_by("openai", everything(reasoning_effort=effort))
    assert body.get("reasoning_effort") == effort
    assert ("reasoning" in await sent_by("openrouter", everything(reasoning_effort=effort))) is (effort is not None)


async def test_the_end_of_what_never_changes_is_marked_where_a_cache_needs_it() -> None:
    body = await sent_by("openrouter", everything(model=CHEAP))
    marked = {"type": "text", "text": "You are a test.", "cache_control": {"type": "ephemeral"}}
    assert body["messages"][0]["content"] == [marked]
    assert body["messages"][1]["content"] == "Hello."


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("openrouter", {"model": "qwen/qwen3-coder:free"}),
        ("openrouter", {"model": CHEAP, "cache_prefix": 0}),
        ("openai", {"model": CHEAP}),
        ("gemini", {}),
    ],
)
async def test_nothing_is_marked_where_caches_fill_themselves(name: str, more: dict[str, Any]) -> None:
    assert "cache_control" not in json.dumps(await sent_by(name, everything(**more)))


async def test_a_request_with_an_effort_and_a_mark_fits_openrouters_openapi(openrouter: OpenRouterServer) -> None:
    async with client_of("openrouter", openrouter.base_url, openrouter.api_key) as client:
        said = await client.complete(everything(model=CHEAP, schema=None), lambda _: None)
    assert said.text or said.tool_calls
    assert openrouter.violations == []


# What an answer means


@pytest.mark.parametrize(("name", "status", "body", "meaning"), ANSWERS)
async def test_an_error_means_what_it_means_at_that_provider(
    name: str, status: int, body: Any, meaning: tuple[Scope, Until, Remedy]
) -> None:
    with parrot(status, json.dumps(body).encode(), echo_authorization=True) as bird:
        async with client_of(name, bird.url) as client:
            with pytest.raises(CallFailed) as failed:
                await client.complete(everything(), lambda _: None)
    assert (failed.value.scope, failed.value.until, failed.value.remedy) == meaning
    assert (failed.value.fate, failed.value.status) == (Fate.FREE, status)
    assert name in failed.value.message
    assert "{" not in failed.value.message, "its words were found in the body"
    assert KEY not in failed.value.message


async def test_groq_says_how_long_to_wait() -> None:
    body = plain("Rate limit reached for model `m` on tokens per minute (TPM)", "tokens", "rate_limit_exceeded")
    with parrot(429, json.dumps(body).encode(), {"retry-after": "7"}) as bird:
        async with client_of("groq", bird.url) as client:
            with pytest.raises(CallFailed) as failed:
                await client.complete(everything(), lambda _: None)
    assert (failed.value.scope, failed.value.retry_after_s) == (Scope.MODEL, 7)


@pytest.mark.parametrize(
    ("name", "error", "scope", "until"),
    [
        ("openrouter", {"code": 429, "message": "Provider returned error"}, Scope.MODEL, Until.BACKOFF),
        ("openrouter", {"code": "402", "message": "Insufficient credits"}, Scope.FUNDS, Until.TOPUP),
        ("openrouter", {"code": 401, "message": "User not found."}, Scope.CREDENTIAL, Until.KEY),
        ("openai", {"code": "insufficient_quota", "message": "Quota gone"}, Scope.FUNDS, Until.TOPUP),
        ("openrouter", {"code": 9e99, "message": "What?"}, Scope.MODEL, Until.BACKOFF),
        ("ollama", "an error was encountered while running the model", Scope.MODEL, Until.BACKOFF),
    ],
)
async def test_an_error_that_comes_first_in_a_200_means_what_its_status_would_have_meant(
    name: str, error: Any, scope: Scope, until: Until
) -> None:
    failed = await failed_at(
        name, {"id": "gen-1", "error": error, "choices": [{"delta": {}, "finish_reason": "error"}]}
    )
    assert (failed.scope, failed.until, failed.fate) == (scope, until, Fate.FREE)
    assert failed.generation_id == "gen-1"


@pytest.mark.parametrize(("name", "fate"), [("openrouter", Fate.FREE), ("openai", Fate.UNKNOWN)])
async def test_who_charges_no_reply_that_ends_in_an_error_is_believed_and_nobody_else(name: str, fate: Fate) -> None:
    failed = await failed_at(name, delta(content="Half"), {"error": {"code": 429, "message": "Gone"}})
    assert (failed.scope, failed.fate) == (Scope.MODEL, fate)
    assert "Gone" in failed.message


async def test_an_error_beside_usage_is_billed() -> None:
    told = usage(10, 5, 15, cost=0.002) | {"error": {"code": 502, "message": "Upstream error"}}
    failed = await failed_at("openrouter", delta(content="Half"), told)
    assert failed.fate is Fate.CHARGED
    assert failed.usage is not None
    assert failed.usage.cost_usd == Decimal("0.002")


async def test_an_error_in_a_choice_is_heard_and_one_that_is_null_is_none() -> None:
    said = await said_by("openai", delta(content="Hello.") | {"error": None}, delta("stop"))
    assert said.text == "Hello."
    broken = {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "Upstream broke"}, "delta": {}}]}
    assert "Upstream broke" in (await failed_at("openrouter", delta(content="Half"), broken)).message


@pytest.mark.parametrize(("name", "fate"), [("openrouter", Fate.FREE), ("openai", Fate.CHARGED)])
async def test_a_reply_without_one_token_costs_its_prompt_except_where_it_is_free(name: str, fate: Fate) -> None:
    assert (await failed_at(name, delta("stop"), usage(100, 0, 100))).fate is fate


async def test_a_cap_eaten_by_reasoning_can_be_mended_with_more_room() -> None:
    failed = await failed_at("openai", delta("length", content=""), usage(100, 200, 300))
    assert (failed.scope, failed.fate, failed.remedy) == (Scope.MODEL, Fate.CHARGED, Remedy.LENGTHEN)


async def test_a_wish_for_a_tool_without_the_tool_is_a_failure_that_says_so() -> None:
    failed = await failed_at("openai", delta("tool_calls"), usage(100, 5, 105))
    assert "tool" in failed.message
    assert failed.remedy is Remedy.NONE


async def test_gemini_is_paid_for_the_thinking_it_does_not_count() -> None:
    said = await said_by("gemini", delta("stop", content="Hello."), usage(100, 20, 450))
    assert said.usage is not None
    assert (said.usage.tokens_in, said.usage.tokens_out, said.usage.tokens_reasoning) == (100, 350, 330)
    honest = await said_by("openai", delta("stop", content="Hello."), usage(100, 20, 450))
    assert honest.usage is not None
    assert honest.usage.tokens_out == 20


async def test_what_was_written_into_a_cache_is_counted() -> None:
    told = usage(100, 20, 120, prompt_tokens_details={"cached_tokens": 30, "cache_write_tokens": 60})
    said = await said_by("openrouter", delta("stop", content="Hello."), told)
    assert said.usage is not None
    assert (said.usage.tokens_cached, said.usage.tokens_cache_write) == (30, 60)


# Tool calls, in the shapes they come in


def fragment(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"type": "function", "function": function, **more}


UP, DOWN = {"where": "up"}, {"where": "down"}
SHAPES = {
    "openai, in pieces": [
        [fragment("look", "", index=0, id="a")],
        [fragment(None, '{"where": ', index=0)],
        [fragment(None, '"up"}', index=0)],
        [fragment("look", "", index=1, id="b")],
        [fragment(None, '{"where": "down"}', index=1)],
    ],
    "interleaved": [
        [fragment("look", '{"where": ', index=0, id="a"), fragment("look", '{"where": ', index=1, id="b")],
        [fragment(None, '"down"}', index=1), fragment(None, '"up"}', index=0)],
    ],
    "gemini, without an index": [
        [fragment("look", json.dumps(UP), id="a")],
        [fragment("look", json.dumps(DOWN), id="b")],
    ],
    "gemini, always index 0": [
        [fragment("look", json.dumps(UP), id="a", index=0)],
        [fragment("look", json.dumps(DOWN), id="b", index=0)],
    ],
    "neither index nor id": [[fragment("look", json.dumps(UP)), fragment("look", json.dumps(DOWN), id="")]],
    "neither, in pieces": [
        [fragment("look", '{"where"')],
        [fragment(None, ': "up"}')],
        [fragment("look", json.dumps(DOWN))],
    ],
    "ollama, arguments as an object": [
        [fragment("look", UP, index=0, id="a"), fragment("look", DOWN, index=1, id="b")]
    ],
    "the id and the name with every piece": [
        [fragment("look", '{"where": ', index=0, id="a")],
        [fragment("look", '"up"}', index=0, id="a")],
        [fragment("look", json.dumps(DOWN), index=1, id="b")],
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_several_calls_are_told_apart_however_they_come(shape: str) -> None:
    said = await said_by("openai", *(delta(tool_calls=calls) for calls in SHAPES[shape]), delta("tool_calls"))
    assert [(call.name, json.loads(call.arguments)) for call in said.tool_calls] == [("look", UP), ("look", DOWN)]
    assert len({call.id for call in said.tool_calls}) == 2
    assert [call["id"] for call in said.message["tool_calls"]] == [call.id for call in said.tool_calls]


async def test_numbers_in_arguments_that_come_as_an_object_stay_numbers() -> None:
    said = await said_by("ollama", delta("tool_calls", tool_calls=[fragment("look", {"far": 1.5, "times": 2})]))
    assert json.loads(said.tool_calls[0].arguments) == {"far": 1.5, "times": 2}


async def test_geminis_signature_of_a_thought_goes_back_with_the_call() -> None:
    signed = {"google": {"thought_signature": "c2lnbmVk", "weight": 0.5}}
    call = fragment("look", json.dumps(UP), id="a", extra_content=signed)
    said = await said_by("gemini", delta("tool_calls", tool_calls=[call]))
    body = await sent_by("gemini", everything(messages=[said.message]))
    assert body["messages"][0]["tool_calls"][0]["extra_content"] == signed


# Lists


@pytest.mark.parametrize(
    ("name", "body", "ids"),
    [
        ("gemini", b'{"object": "list", "data": [{"id": "models/gemini-2.5-flash"}]}', ["gemini-2.5-flash"]),
        ("ollama", b'{"object": "list", "data": null}', []),
        ("groq", b'{"object": "list", "data": [{"id": "openai/gpt-oss-20b", "active": true}]}', ["openai/gpt-oss-20b"]),
    ],
)
async def test_models_are_listed_by_the_ids_they_are_asked_with(name: str, body: bytes, ids: list[str]) -> None:
    with parrot(200, body) as bird:
        async with client_of(name, bird.url) as client:
            assert [entry["id"] for entry in await client.list_models()] == ids


# One factory, and no key for anybody else


def test_without_a_choice_or_without_its_key_only_the_local_model_is_made(settings: MakeSettings) -> None:
    assert list(make_providers(*settings())) == ["local"]
    for name in OF_ITS_OWN:
        made = list(make_providers(*settings(LLM_PROVIDER=name)))
        assert made == (["local", name] if name == "ollama" else ["local"])


@pytest.mark.parametrize("name", ["openrouter", "gemini"])
async def test_without_its_key_a_being_lives_with_the_local_model_and_says_why(
    settings: MakeSettings, clock: VirtualClock, name: str
) -> None:
    chosen, secrets = settings(LLM_PROVIDER=name)
    async with open_being(chosen, secrets, clock, {"local": Scripted(name="local")}) as being:
        await being.birth.ensure()
        await being.brain.live()
        thought = (await events(being.books.store, "thought"))[-1]
    assert thought.data["model"] == LOCAL
    assert "was not asked" in thought.data["why"]


@pytest.mark.parametrize("name", [*OF_ITS_OWN, "local"])
def test_the_default_model_is_the_chosen_providers(settings: MakeSettings, name: str) -> None:
    chosen, _ = settings(LLM_PROVIDER=name)
    assert default_model(chosen) == (dialects()[name].default_model if name != "local" else LOCAL)


@pytest.mark.parametrize("name", OF_ITS_OWN)
async def test_a_key_is_sent_to_its_own_provider_and_to_nobody_else(settings: MakeSettings, name: str) -> None:
    with ExitStack() as servers:
        birds = {other: servers.enter_context(parrot(200, HELLO)) for other in OF_ITS_OWN}
        keys = {other: f"the-key-of-{other}" for other in OF_ITS_OWN}
        chosen, secrets = settings(
            LLM_PROVIDER=name,
            LOCAL_MODEL_PATH="none",
            **{f"{other.upper()}_BASE_URL": bird.url for other, bird in birds.items()},
            **{f"{other.upper()}_API_KEY": key for other, key in keys.items()},
        )
        (provider,) = make_providers(chosen, secrets).values()
        await provider.complete(everything(), lambda _: None)
        await provider.aclose()
    assert [other for other, bird in birds.items() if bird.heard] == [name]
    heard = json.dumps(birds[name].heard)
    assert birds[name].heard[0]["authorization"] == f"Bearer {keys[name]}"
    assert not [key for other, key in keys.items() if other != name and key in heard]
    assert ("x-openrouter-title" in birds[name].heard[0]) is (name == "openrouter")


async def test_without_a_key_none_is_sent() -> None:
    with parrot(200, HELLO) as bird:
        async with client_of("ollama", bird.url, None) as client:
            await client.complete(everything(), lambda _: None)
    assert "authorization" not in bird.heard[0]


@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_every_providers_key_is_masked_wherever_it_stands(settings: MakeSettings, name: str) -> None:
    _, secrets = settings(**{dialects()[name].secret: KEY})
    assert KEY not in vault.Redactor(secrets).text(f"it said {KEY} to me")
