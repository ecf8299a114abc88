"""One protected completion beside what others take for an unprotected one: the same loopback server, in one run.

Ours is the whole path: hold, streamed call, name, settle, journal, each commit durable. The peers protect nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ai.store.migrate import migrate
from bench.figure import Figure

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".bench-venv" / "bin" / "python"
HOW_TO_GET_THEM = "not measured: `make bench-peers` installs it"
OURS, RAW, SDK, LITELLM = "ours", "httpx", "openai", "litellm"
CLIENTS = (OURS, RAW, SDK, LITELLM)
WAYS = {"answered whole": "", "streamed": " streamed"}
TITLES = {OURS: "ours, protected", RAW: "raw httpx", SDK: "the OpenAI SDK", LITELLM: "litellm.acompletion"}
ROUNDS, CALLS = 20, 20  # the clients take turns, so many calls each
STARTS = 3
SYNCS = 200


def measure() -> Iterator[Figure]:
    """Milliseconds of a call, seconds of an import, memory after one call: ours and each peer's."""
    with tempfile.TemporaryDirectory() as folder, _answering() as url:
        migrate(Path(folder))
        calls_ms = _calls(url, folder)
        starts = {name: _starts(name, url, folder) for name in CLIENTS}
        sync_ms = _sync_ms(Path(folder))
    for way, mark in WAYS.items():
        ours_ms = calls_ms[OURS + mark]
        assert ours_ms is not None, "ours runs in the Python that runs this"
        how = f"median of {ROUNDS * CALLS} calls in turns, the same loopback server; ours in two durable commits"
        what = f"a protected call against litellm's unprotected one, {way}"
        yield _against(what, ours_ms, calls_ms[LITELLM + mark], 1, how)
        for name in CLIENTS:
            yield Figure(
                f"a call, {way}: {TITLES[name]}", calls_ms[name + mark], "ms", None, _told(calls_ms[name + mark])
            )
    yield Figure("a fdatasync of this disk", sync_ms, "ms", None, f"median of {SYNCS}")
    for what, unit, part, goal in (("import", "s", "import_s", 0.25), ("memory", "MiB", "rss_mib", 0.5)):
        own, theirs = starts[OURS][part], starts[LITELLM][part]
        assert own is not None, "ours runs in the Python that runs this"
        how = f"median of {STARTS} fresh processes" + (", VmRSS after one call" if what == "memory" else "")
        yield _against(f"{what} against litellm's", own, theirs, goal, how)
        for name in CLIENTS:
            yield Figure(f"{what}: {TITLES[name]}", starts[name][part], unit, None, _told(starts[name][part]))


def _against(what: str, ours: float, theirs: float | None, goal: float, how: str) -> Figure:
    return Figure(what, theirs and ours / theirs, "×", goal, how if theirs else HOW_TO_GET_THEM)


def _told(value: float | None) -> str:
    return HOW_TO_GET_THEM if value is None else "the same run"


class _Client:
    """A `bench.caller` at work. `start` is what it cost to begin: {import_s, rss_mib}."""

    def __init__(self, name: str, url: str, folder: str) -> None:
        python = Path(sys.executable) if name.split()[0] in (OURS, RAW) else PEERS
        command = [str(python), "-m", "bench.caller", name, url, folder]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.start: dict[str, float] = self._heard()

    def calls_ms(self, count: int) -> list[float]:
        """Make that many calls, one after another; the milliseconds of each."""
        assert self._process.stdin is not None, "it was opened with a pipe"
        print(count, file=self._process.stdin, flush=True)
        took_ms: list[float] = self._heard()
        return took_ms

    def close(self) -> None:
        self._process.communicate()

    def _heard(self) -> Any:
        assert self._process.stdout is not None, "it was opened with a pipe"
        return json.loads(self._process.stdout.readline())


def _there(name: str) -> bool:
    return name.split()[0] in (OURS, RAW) or PEERS.exists()


def _calls(url: str, folder: str) -> dict[str, float | None]:
    names = [name + way for way in WAYS.values() for name in CLIENTS]
    clients = {name: _Client(name, url, folder) for name in names if _there(name)}
    took_ms: dict[str, list[float]] = {name: [] for name in clients}
    for number in range(ROUNDS + 1):
        for name, client in clients.items():
            took = client.calls_ms(CALLS)
            took_ms[name] += took if number else []  # the first round warms everybody up
    for client in clients.values():
        client.close()
    return {name: statistics.median(took_ms[name]) if name in took_ms else None for name in names}


def _starts(name: str, url: str, folder: str) -> dict[str, float | None]:
    """The medians of what it costs to begin, each time in a fresh process."""
    if not _there(name):
        return {"import_s": None, "rss_mib": None}
    starts = []
    for _ in range(STARTS):
        client = _Client(name, url, folder)
        starts.append(client.start)
        client.close()
    return {part: statistics.median(start[part] for start in starts) for part in starts[0]}


def _sync_ms(folder: Path) -> float:
    """What the disk itself takes to keep a page."""
    took_ms = []
    with (folder / "page").open("wb", buffering=0) as page:
        for _ in range(SYNCS):
            page.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(page.fileno())
            took_ms.append((time.perf_counter() - started) * 1000)
    return statistics.median(took_ms)


@contextmanager
def _answering() -> Iterator[str]:
    """The loopback provider in a process of its own; its address."""
    command = [sys.executable, "-m", "bench.answering"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None, "it was opened with a pipe"
        yield server.stdout.readline().strip()
        server.communicate()
