"""The model on this machine, the real one: it writes, chooses under a schema, remembers its prompt, and can be cut."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from ai.llm.base import Completion, CompletionRequest
from ai.llm.failures import CallFailed, Fate, Scope
from ai.llm.local import PACKAGED, LocalModel
from tests.parts import LOCAL

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 120.0  # a busy machine may take long to load a model
DIARY = [
    {"role": "system", "content": "You write a diary about the weather, in short sentences."},
    {"role": "user", "content": "Write about rain."},
]
SCHEMA = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"action": {"const": "rest"}},
            "required": ["action"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"action": {"const": "post"}, "text": {"type": "string", "minLength": 1, "maxLength": 80}},
            "required": ["action", "text"],
            "additionalProperties": False,
        },
    ]
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextmanager
def one_core() -> Iterator[None]:
    """Let the model see one core: threads that wait for each other on busy ones take ten times as long."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@pytest.fixture(scope="module")
def loaded() -> Iterator[LocalModel]:
    """The packaged model, loaded once for all tests of this file."""
    model = LocalModel(PACKAGED, timeout_s=PATIENCE_S)

    async def wake() -> Completion:
        with one_core():
            return await model.complete(request(max_tokens=4), unheard)

    asyncio.run(wake())
    yield model
    asyncio.run(model.aclose())


@pytest.fixture
async def model(loaded: LocalModel) -> AsyncIterator[LocalModel]:
    yield loaded


def request(**more: object) -> CompletionRequest:
    fields = {"model": LOCAL, "messages": DIARY, "max_tokens": 24} | more
    return CompletionRequest(**fields)  # type: ignore[arg-type]  # the fields of the request


def unheard(_: str) -> None:
    """Nobody watches."""


async def failure(path: Path) -> CallFailed:
    model = LocalModel(path, timeout_s=PATIENCE_S)
    try:
        with pytest.raises(CallFailed) as failed:
            await model.complete(request(), unheard)
    finally:
        await model.aclose()
    return failed.value


async def test_it_writes_prose_streamed_and_says_how_many_tokens_it_took(model: LocalModel) -> None:
    pieces: list[str] = []
    said = await model.complete(request(), pieces.append)
    assert len(pieces) > 3
    assert "".join(pieces) == said.text
    assert said.text.strip()
    assert said.usage is not None
    assert 0 < said.usage.tokens_out <= 24
    assert said.usage.tokens_in > 10
    assert said.usage.cost_usd is None or said.usage.cost_usd == 0
    assert said.tool_calls == ()


async def test_its_choice_under_a_schema_is_exactly_one_valid_action(model: LocalModel) -> None:
    said = await model.complete(request(schema=SCHEMA, max_tokens=120), unheard)
    jsonschema.validate(json.loads(said.text), SCHEMA)


async def test_the_second_time_it_has_the_prompt_cached(model: LocalModel) -> None:
    await model.complete(request(), unheard)
    again = await model.complete(request(), unheard)
    assert again.usage is not None
    assert again.usage.tokens_cached > 0


async def test_a_reply_begun_for_it_is_part_of_what_it_says(model: LocalModel) -> None:
    begun = [*DIARY, {"role": "assistant", "content": "Today the rain"}]
    said = await model.complete(request(messages=begun, max_tokens=12), unheard)
    assert said.text.startswith("Today the rain")
    assert len(said.text) > len("Today the rain")


async def test_a_request_may_shorten_the_bound_of_its_call(model: LocalModel) -> None:
    with pytest.raises(CallFailed, match=r"longer than 0\.05 s"):
        await model.complete(request(max_tokens=2_000, timeout_s=0.05), unheard)


async def test_cut_short_it_ends_soon_and_can_think_again(model: LocalModel) -> None:
    writing = asyncio.Event()
    endless = request(max_tokens=2_000, messages=[{"role": "user", "content": "Count from 1 to 1000."}])
    thinking = asyncio.create_task(model.complete(endless, lambda _: writing.set()))
    await asyncio.wait_for(writing.wait(), PATIENCE_S)
    asked = time.monotonic()
    thinking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await thinking
    assert time.monotonic() - asked < 5
    assert (await model.complete(request(max_tokens=8), unheard)).text


async def test_a_lone_surrogate_in_a_prompt_does_no_harm(model: LocalModel) -> None:
    broken = [{"role": "user", "content": "half an emoji: \ud83d. Say hello."}]
    assert (await model.complete(request(messages=broken, max_tokens=8), unheard)).text


async def test_a_prompt_too_long_for_it_is_a_failure_in_one_sentence_and_it_can_think_again(model: LocalModel) -> None:
    endless = [{"role": "user", "content": "word " * 6_000}]
    with pytest.raises(CallFailed) as failed:
        await model.complete(request(messages=endless), unheard)
    assert failed.value.fate is Fate.FREE
    assert "\n" not in str(failed.value)
    assert (await model.complete(request(max_tokens=8), unheard)).text


async def test_a_missing_file_is_one_sentence_that_says_how_to_get_one(tmp_path: Path) -> None:
    failed = await failure(tmp_path / "nowhere.gguf")
    assert (failed.scope, failed.fate) == (Scope.MODEL, Fate.FREE)
    assert "nowhere.gguf" in failed.message
    assert "LOCAL_MODEL_PATH" in failed.hint
    assert "\n" not in str(failed)


async def test_a_file_that_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "list.gguf").write_text("a shopping list" * 1_000)
    failed = await failure(tmp_path / "list.gguf")
    assert "cannot be loaded" in failed.message
    assert "\n" not in str(failed)


LOADS_AND_LETS_GO = """
import asyncio, os
from ai.llm.local import PACKAGED, LocalModel
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
async def once():
    model = LocalModel(PACKAGED, timeout_s=60)
    await model.load()
    await model.aclose()
for _ in range(3):
    asyncio.run(once())
"""


async def test_it_can_be_let_go_of_as_soon_as_it_is_loaded() -> None:
    """On one core the engine's loop has not begun by then, and ending it would wait for ever."""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", LOADS_AND_LETS_GO], cwd=ROOT, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0
