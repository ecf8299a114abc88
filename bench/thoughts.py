"""Our own share of a thought: everything but the model."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from ai import settings
from ai.app import open_being
from ai.life.identity import default_identity
from ai.llm.scripted import Scripted, says
from bench.figure import Figure

THOUGHTS = 100


def measure() -> Iterator[Figure]:
    """Milliseconds and commits a thought, with a model that answers at once."""
    with tempfile.TemporaryDirectory() as data_dir:
        took_ms, commits = asyncio.run(_live(data_dir))
    how = f"median of {THOUGHTS} thoughts with one action each, on disk, scripted model"
    yield Figure("our own time per thought", took_ms, "ms", 15, how)
    yield Figure("commits per thought", commits, "", None, "durable transactions, the action's own included")


async def _live(data_dir: str) -> tuple[float, float]:
    chosen, secrets = settings.load({"DATA_DIR": data_dir})
    numbers = iter(range(1, 10**6))

    def script(request: Any) -> Any:
        if request.schema is not None:
            return f'{{"action": "remember", "text": "thing {next(numbers)}"}}'
        return says("I am here, and the machine is quiet.", model=request.model)

    async with open_being(chosen, secrets, providers={"local": Scripted(script)}) as being:
        await being.birth.ensure(default_identity("genesis"))
        await being.brain.live()
        commits_before, took_ms = being.books.store.commits, []
        for _ in range(THOUGHTS):
            started = time.perf_counter()
            await being.brain.live()
            took_ms.append((time.perf_counter() - started) * 1000)
        return statistics.median(took_ms), (being.books.store.commits - commits_before) / THOUGHTS
