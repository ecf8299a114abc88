"""Small parts that many tests share: a fresh store, amounts, looks into the books, a server that says anything."""

from __future__ import annotations

import asyncio
import functools
import inspect
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ai.economy.account import Hold
from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import parse_usd
from ai.economy.statement import audit, entry_json, ledger
from ai.llm.base import Message, Tool
from ai.llm.question import Question
from ai.models.model_config import CLASSES, ModelInfo
from ai.store.engine import Store
from ai.store.journal import Event, read_events
from ai.store.migrate import migrate
from ai.store.schema import holds

FILE_NAME = "alive.db"
BEING = "genesis"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GRANT = parse_usd("5.00")
RESERVE = parse_usd("0.10")  # 2 % of the grant
ALL_CLASSES = CLASSES

LOCAL = "local/smollm2-135m-instruct"
FREE = "qwen/qwen3-coder:free"
CHEAP = "anthropic/claude-3-haiku"
PREMIUM = "anthropic/claude-sonnet-4.5"


@functools.cache
def _empty_store() -> bytes:
    """The file of a migrated store with nothing in it, made once a process."""
    with tempfile.TemporaryDirectory() as folder:
        migrate(Path(folder))
        return (Path(folder) / FILE_NAME).read_bytes()


def fresh_store(data_dir: Path) -> Path:
    """Put a migrated, empty store into `data_dir` and give the folder back."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / FILE_NAME).write_bytes(_empty_store())
    return data_dir


async def hold(tracker: CreditTracker, usd: str, *, use_reserve: bool = False, timeout_s: float = 120) -> Hold:
    """A hold of that many dollars."""
    return await tracker.hold(
        parse_usd(usd),
        provider="openrouter",
        model="vendor/model",
        purpose="daily",
        timeout_s=timeout_s,
        use_reserve=use_reserve,
    )


async def entries(store: Store, kind: str | None = None) -> list[dict[str, Any]]:
    """The entries of the ledger as commands show them, oldest first; of one kind when asked."""
    rows = await store.read(lambda t: [entry_json(row) for row in reversed(ledger(t, BEING, 10_000))])
    return [row for row in rows if kind in (None, row["kind"])]


async def hold_states(store: Store) -> list[str]:
    """The state of every hold there ever was, oldest first."""
    return await store.read(
        lambda t: list(t.execute(select(holds.c.state).where(holds.c.being == BEING).order_by(holds.c.id)).scalars())
    )


async def imbalance(store: Store) -> int:
    """What the accounts and the entries disagree about: zero in sound books."""
    return await store.read(lambda t: audit(t, BEING))


async def events(store: Store, kind: str | None = None) -> list[Event]:
    """The journal, oldest first, the keeper's rows too."""
    return await store.read(lambda t: read_events(t, BEING, kind=kind, keeper=True, limit=10_000))


def question(
    wanted: str,
    *,
    classes: Sequence[str] = ALL_CLASSES,
    cap: int = 200,
    text: str = "Think.",
    tools: Sequence[Tool] = (),
    fallback: bool = True,
    use_reserve: bool = False,
) -> Question:
    """A question to `wanted`, allowed every class unless told otherwise."""

    def compose(_: ModelInfo) -> Sequence[Message]:
        return [{"role": "system", "content": "You are a test."}, {"role": "user", "content": text}]

    return Question(
        purpose="daily",
        wanted=wanted,
        classes=classes,
        reply_cap_tokens=cap,
        compose=compose,
        tools=tools,
        fallback=fallback,
        use_reserve=use_reserve,
    )


@dataclass
class Parrot:
    """A web server on loopback that gives everybody the same answer; kept are the headers and bodies it was sent."""

    url: str
    heard: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def parrot(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, echo_authorization: bool = False
) -> Iterator[Parrot]:
    """Answer every request with this. `echo_authorization` puts the request's key in place of `{key}`."""
    sent = {"Content-Type": "application/json"} | dict(headers or {})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bird.bodies.append(self.rfile.read(int(self.headers.get("content-length") or 0)))
            self.do_GET()

        def do_GET(self) -> None:
            bird.heard.append({name.lower(): value for name, value in self.headers.items()})
            key = self.headers.get("authorization", "").removeprefix("Bearer ").encode()
            said = body.replace(b"{key}", key) if echo_authorization else body
            self.send_response(status)
            for name, value in sent.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    bird = Parrot(f"http://127.0.0.1:{server.server_address[1]}/api/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="parrot")
    thread.start()
    try:
        yield bird
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def until(happened: Callable[[], Any], timeout_s: float = 10.0) -> None:
    """Let the event loop run until something is true; a coroutine's answer is waited for."""
    async with asyncio.timeout(timeout_s):
        while True:
            answer = happened()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.002)
