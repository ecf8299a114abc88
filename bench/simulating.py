"""A month lived in seconds: how many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from ai.simulator import Wish, simulate
from bench.figure import Figure

DAYS = 30


def measure() -> Iterator[Figure]:
    """Seconds for a month of thoughts every ten minutes on five dollars."""
    started = time.perf_counter()
    month = asyncio.run(simulate(Wish(days=DAYS)))
    took_s = time.perf_counter() - started
    how = f"`alive simulate --days {DAYS}`: {month.thoughts} thoughts by the real code"
    yield Figure(f"simulate --days {DAYS}", took_s, "s", 20, how)
    yield Figure("a simulated thought", took_s / month.thoughts * 1000, "ms", None, "the same run")
