"""One client in a process of its own: says what it costs to import and to hold, then makes as many calls as it is told.

`python -m bench.caller NAME URL FOLDER`; only ours looks into FOLDER, where a store is. Every line of the input is a
number of calls, every line of the output JSON: first {import_s, rss_mib}, then the milliseconds of each call.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[[], Awaitable[object]]
KEY = "sk-or-v1-bench"
CAP = 200
MESSAGES = [
    {"role": "system", "content": "You are Genesis, one artificial being. You live inside a small program. " * 15},
    {"role": "user", "content": "It is Saturday 21 November 2026, 12:00. You have $4.2000 for 9 days. Think."},
]


def main() -> None:
    """Import the client, time it, and call on demand."""
    name, url, folder = sys.argv[1:]
    started = time.perf_counter()
    client = CLIENTS[name]()
    import_s = time.perf_counter() - started
    import asyncio  # only now: whichever client needs it pays for it

    asyncio.run(_serve(import_s, client(url, folder)))


async def _serve(import_s: float, opening: Awaitable[Call]) -> None:
    import json

    call = await opening
    await call()
    print(json.dumps({"import_s": import_s, "rss_mib": _resident_mib()}), flush=True)
    for line in sys.stdin:
        took_ms = []
        for _ in range(int(line)):
            started = time.perf_counter()
            await call()
            took_ms.append((time.perf_counter() - started) * 1000)
        print(json.dumps(took_ms), flush=True)


def _resident_mib() -> float:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - a kernel file
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


# Each imports its library and gives back what opens a client with it; that gives back what makes one call.


def _ours(stream: bool = False) -> Callable[[str, str], Awaitable[Call]]:
    from pathlib import Path

    from pydantic import SecretStr

    import vault
    from ai.clock import SystemClock
    from ai.economy.credit_tracker import Allowance, CreditTracker
    from ai.llm.cooldowns import Cooldowns
    from ai.llm.free_pace import FreePace
    from ai.llm.openai_compatible import OpenAICompatible
    from ai.llm.question import Question
    from ai.llm.router import Router
    from ai.models.catalogue import Catalogue
    from ai.models.model_config import CLASSES
    from ai.store.engine import Store
    from ai.store.journal import Journal
    from bench.answering import MODEL

    async def opened(url: str, folder: str) -> Call:
        store, clock, being = Store.open(Path(folder)), SystemClock(), "genesis"
        journal = Journal(store, clock, being, vault.Redactor({"OPENROUTER_API_KEY": SecretStr(KEY)}).json)
        tracker = CreditTracker(store, journal, clock, being, Allowance(10**15, 10**8))
        catalogue = Catalogue(store, clock, being, "openrouter", None)
        await catalogue.load()
        await tracker.open_month()
        url = url if stream else url.replace("/api/v1", "/whole/api/v1")  # it always asks for a stream
        provider = OpenAICompatible("openrouter", url, SecretStr(KEY), timeout_s=30)
        cooldowns, pace = Cooldowns(store, clock, being), FreePace(clock, None)
        router = Router({"openrouter": provider}, catalogue, tracker, cooldowns, pace, clock, timeout_s=30)
        question = Question("daily", MODEL, CLASSES, CAP, lambda _: MESSAGES, fallback=False)

        async def call() -> object:
            answer = await router.ask(question, lambda _: lambda _: None)
            assert answer.cost_nanos, "it was paid for"
            return answer

        return call

    return opened


def _httpx(stream: bool = False) -> Callable[[str, str], Awaitable[Call]]:
    import json

    import httpx

    async def opened(url: str, _: str) -> Call:
        client = httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"})
        body = {"model": "m", "messages": MESSAGES, "max_tokens": CAP, "stream": stream}

        async def call() -> object:
            if not stream:
                whole = await client.post(f"{url}/chat/completions", json=body)
                return whole.json()["choices"][0]["message"]["content"]
            async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
                events = [line[6:] async for line in response.aiter_lines() if line.startswith("data: {")]
            return "".join(json.loads(event)["choices"][0]["delta"]["content"] for event in events)

        return call

    return opened


def _openai(stream: bool = False) -> Callable[[str, str], Awaitable[Call]]:
    from importlib import import_module

    openai: Any = import_module("openai")  # in the peers' environment only

    async def opened(url: str, _: str) -> Call:
        create = openai.AsyncOpenAI(base_url=url, api_key=KEY).chat.completions.create
        return _heard(lambda: create(model="m", messages=MESSAGES, max_tokens=CAP, stream=stream), stream)

    return opened


def _litellm(stream: bool = False) -> Callable[[str, str], Awaitable[Call]]:
    import os
    from importlib import import_module

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its table of prices would be fetched from the network
    litellm: Any = import_module("litellm")
    from bench.answering import MODEL

    async def opened(url: str, _: str) -> Call:
        def create() -> Any:
            # Its own adapter of this provider: by the OpenAI SDK (openai/…) it takes half as long again.
            body = {"model": f"openrouter/{MODEL}", "messages": MESSAGES, "max_tokens": CAP, "stream": stream}
            return litellm.acompletion(**body, api_base=url, api_key=KEY)

        return _heard(create, stream)

    return opened


def _heard(create: Callable[[], Any], stream: bool) -> Call:
    """A call that reads its answer to the end, whole or streamed."""

    async def call() -> object:
        answer = await create()
        if not stream:
            return answer.choices[0].message.content
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])

    return call


CLIENTS: dict[str, Callable[[], Callable[[str, str], Awaitable[Call]]]] = {
    "ours": _ours,
    "httpx": _httpx,
    "openai": _openai,
    "litellm": _litellm,
    "ours streamed": lambda: _ours(stream=True),
    "httpx streamed": lambda: _httpx(stream=True),
    "openai streamed": lambda: _openai(stream=True),
    "litellm streamed": lambda: _litellm(stream=True),
}

if __name__ == "__main__":
    main()
