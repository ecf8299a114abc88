"""The program as a process: how soon it is on the wire, and how much memory it takes."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.figure import Figure
from tests.openrouter_server import OpenRouterServer

RUNS = 5
SETTLE_S = 4.0  # a first thought, its page and its heartbeat are over by then


def measure() -> Iterator[Figure]:
    """Start to first request, and resident memory of `run` and `up`."""
    with OpenRouterServer(strict=False) as server:
        with _life(server, "run"):  # the store exists from now on, as it does at every start but the first
            server.wait_until(lambda: _asked(server) > 0, timeout_s=20)
        starts = [_start_to_wire_s(server) for _ in range(RUNS)]
        how = f"`alive run` spawned until its first chat request arrives; median of {RUNS}"
        yield Figure("process start to first request", statistics.median(starts), "s", 0.5, how)
        for command, goal in (("run", 80), ("up", 100)):
            rss = _resident_mib(server, command, {"LOCAL_MODEL_PATH": "none"})
            yield Figure(f"memory of `{command}`, no local model", rss, "MiB", goal, "VmRSS after the first thought")
    rss = _resident_mib(None, "run", {})
    yield Figure("memory of `run`, local model", rss, "MiB", 350, "VmRSS after the first thought")


_DATA = tempfile.TemporaryDirectory()


@contextmanager
def _life(server: OpenRouterServer | None, command: str, extra: dict[str, str] | None = None) -> Iterator[int]:
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": _DATA.name, "OBSERVER_PORT": "0", **(extra or {})}
    if server is not None:
        environ |= {"OPENROUTER_API_KEY": server.api_key, "OPENROUTER_BASE_URL": server.base_url}
    process = subprocess.Popen([sys.executable, "-m", "ai", command], env=environ, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _start_to_wire_s(server: OpenRouterServer) -> float:
    before = _asked(server)
    started = time.perf_counter()
    with _life(server, "run"):
        while _asked(server) == before:
            time.sleep(0.002)
        return time.perf_counter() - started


def _asked(server: OpenRouterServer) -> int:
    return sum(call.path.endswith("/chat/completions") for call in server.calls)


def _resident_mib(server: OpenRouterServer | None, command: str, extra: dict[str, str]) -> float:
    with _life(server, command, extra) as pid:
        time.sleep(SETTLE_S if server else SETTLE_S * 3)
        with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123 - a kernel file
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
