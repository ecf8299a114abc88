"""The store: plain synchronous transactions, each run whole in one thread of its own.

`write` begins IMMEDIATE and is durable when it returns (WAL, synchronous=FULL). `read` sees one snapshot and cannot
write. `jot` is for what may be lost (drafts, heartbeats): it does not wait for the disk. Whoever awaits a
transaction and is cancelled still waits for its end, so nobody ever wonders whether it happened.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from ai.errors import StoreError
from ai.store.versions import FILE_NAME, check_version

T = TypeVar("T")
Transaction = Connection
"""What a piece of work is handed: everything it does stands or falls together."""

Work = Callable[[Transaction], T]

BUSY_TIMEOUT_MS = 30_000  # many processes may share one account; a lock is waited for, not failed on


class Store:
    """One open store. Build it with `Store.open`; `close` it when done."""

    def __init__(self, path: Path, *, readonly: bool, durable: bool) -> None:
        self.path = path
        self.after_commit: list[Callable[[list[Any]], None]] = []
        self._closed = False
        self.commits = 0  # durable transactions so far
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._connections: dict[Engine, Connection] = {}
        self._inline = not durable  # a store that is thrown away needs no thread to wait for the disk in
        full = "FULL" if durable else "OFF"
        self._reader = _engine(path, "BEGIN", {"query_only": "ON"})
        self._writer = _engine(path, "BEGIN IMMEDIATE", {"query_only": readonly, "synchronous": full})
        self._jotter = _engine(path, "BEGIN IMMEDIATE", {"query_only": readonly, "synchronous": "NORMAL"})

    @classmethod
    def open(cls, data_dir: Path, *, readonly: bool = False, durable: bool = True) -> Store:
        """Open the store in `data_dir`; it must exist and be of this version.

        `durable` False does not wait for the disk: only for a store that is thrown away.

        Raises StoreMissing, StoreOlder or StoreNewer; `migrate` makes a new or an older one usable.
        """
        path = data_dir / FILE_NAME
        check_version(path)
        return cls(path, readonly=readonly, durable=durable)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one durable transaction; what it raises rolls it back and is raised here."""
        return await self._run(self._writer, work)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot; it cannot write."""
        return await self._run(self._reader, work)

    async def jot(self, work: Work[T]) -> T:
        """Run `work` in a transaction that may be lost with the power, never torn."""
        return await self._run(self._jotter, work)

    def close(self) -> None:
        """Finish what runs and close the file; the last process to do so folds the WAL back into it."""
        if not self._closed:
            self._closed = True
            self._disconnect() if self._inline else self._executor.submit(self._disconnect)
            self._executor.shutdown(wait=True)

    def _disconnect(self) -> None:
        for connection in self._connections.values():
            connection.close()

    async def _run(self, engine: Engine, work: Work[T]) -> T:
        if self._inline:
            return self._transact(engine, work)
        future = self._executor.submit(self._transact, engine, work)
        return await _to_its_end(future)

    def _transact(self, engine: Engine, work: Work[T]) -> T:
        try:
            connection = self._connections.get(engine)
            if connection is None:  # opened at its first use, and kept
                connection = self._connections[engine] = engine.connect()
            events: list[Any] = []
            connection.info["events"] = events
            with connection.begin():
                result = work(connection)
        except (DatabaseError, sqlite3.Error) as exc:  # the latter from a transaction that could not even begin
            why = exc.orig if isinstance(exc, DatabaseError) else exc
            raise StoreError(f"The store {self.path} failed: {why}.", hint="`alive doctor` looks closer.") from exc
        self.commits += engine is self._writer
        if events:
            for listener in self.after_commit:
                listener(events)
        return result


def _engine(path: Path, begin: str, pragmas: Mapping[str, object]) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        json_serializer=partial(json.dumps, ensure_ascii=False),  # so that a search finds what was said
        poolclass=NullPool,  # one long-lived connection each, held by the Store itself
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name}={value}")

    @event.listens_for(engine, "begin")
    def open_transaction(connection: Connection) -> None:
        driver = connection.connection.dbapi_connection
        assert driver is not None, "a connection that begins is open"
        driver.cursor().execute(begin)  # straight to the driver: it is said at every transaction

    return engine


async def _to_its_end(future: Future[T]) -> T:
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            waiting.exception()  # seen here, because the cancellation is what the caller hears of
        raise
