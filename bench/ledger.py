"""The price of a hold: beside bare durable commits of the same rows, and on an account with a long past."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import vault
from ai.clock import VirtualClock
from ai.economy import books
from ai.economy.account import Charge, Hold
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal
from ai.store.migrate import migrate
from ai.store.schema import entries
from ai.store.versions import FILE_NAME
from bench.figure import Figure

BEING = "genesis"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROUNDS = 200
FEW, MANY = 1_000, 1_000_000
BATCH = 20_000
QUERIES = 300
CENT = 10_000_000
FRESH = ("id", "external_id", "hold_id")  # columns that differ from row to row
Statement = tuple[str, list[object]]
ROWS = ("holds", "accounts", "entries", "journal")  # the rows a hold and its settlement write


def measure() -> Iterator[Figure]:
    """Hold and settle against two bare commits; the balance over a thousand and over a million entries."""
    with tempfile.TemporaryDirectory() as folder:
        ours_ms, bare_ms = asyncio.run(_hold_and_settle(Path(folder)))
        how = f"median of {ROUNDS}, in turns, the rows of each copied by bare sqlite3 in two synchronous=FULL commits"
        yield Figure("hold + settle against two bare durable commits", ours_ms / bare_ms, "×", 2, how)
        yield Figure("hold + settle", ours_ms, "ms", None, "the same run")
        yield Figure("two bare durable commits", bare_ms, "ms", None, "the same run")
    with tempfile.TemporaryDirectory() as folder:
        few_us, many_us = asyncio.run(_balances(Path(folder)))
        how = f"median of {QUERIES} queries, 1,000,000 entries against 1,000, queries in turns"
        yield Figure("balance of a long past against a short one", many_us / few_us, "×", 1.2, how)
        yield Figure("balance at 1,000,000 entries", many_us, "µs", None, "the same run")


def _purse(store: Store) -> CreditTracker:
    clock = VirtualClock(NOW)
    journal = Journal(store, clock, BEING, vault.Redactor({}).json)
    return CreditTracker(store, journal, clock, BEING, Allowance(10**15, CENT))


async def _hold_and_settle(folder: Path) -> tuple[float, float]:
    migrate(folder)
    store = Store.open(folder)
    tracker = _purse(store)
    await tracker.open_month()
    bare = await _bare_commits(store, folder)
    ours_ms, bare_ms = list[float](), list[float]()
    for number in range(ROUNDS):
        started = time.perf_counter()
        await tracker.settle(await _hold(tracker), Charge(CENT // 2, "reported", generation_id=f"gen-{number}"))
        between = time.perf_counter()
        bare.twice()
        ours_ms.append((between - started) * 1000)
        bare_ms.append((time.perf_counter() - between) * 1000)
    bare.close()
    store.close()
    return statistics.median(ours_ms), statistics.median(bare_ms)


async def _hold(tracker: CreditTracker) -> Hold:
    return await tracker.hold(CENT, provider="openrouter", model="vendor/model", purpose="daily", timeout_s=60)


class _Bare:
    """The rows that one hold and its settlement wrote, written again by the bare library into a store of its own."""

    def __init__(self, path: Path, rows: dict[str, tuple[list[str], list[object]]]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=FULL")
        insert = "INSERT INTO {} ({}) VALUES ({})"
        self._rows = {
            table: (insert.format(table, ", ".join(names), ", ".join("?" * len(names))), values)
            for table, (names, values) in rows.items()
        }
        self._number = 10**6

    def twice(self) -> None:
        """The hold's commit and the settlement's."""
        self._number += 1
        ended: Statement = ("UPDATE holds SET state = 'settled', closed_at_ms = 1 WHERE id = ?", [self._number])
        spent: Statement = (
            "UPDATE accounts SET allowance_nanos = allowance_nanos - 1, spent_nanos = spent_nanos + 1",
            [],
        )
        self._commit([self._insert("holds")])
        self._commit([ended, self._insert("entries"), spent, self._insert("journal")])

    def close(self) -> None:
        self._connection.close()

    def _insert(self, table: str) -> Statement:
        sql, values = self._rows[table]
        return sql, [self._number if value is _Bare else value for value in values]

    def _commit(self, statements: Sequence[Statement]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            self._connection.execute(sql, values)
        self._connection.execute("COMMIT")


async def _bare_commits(store: Store, folder: Path) -> _Bare:
    """One hold is settled by ours, and its rows are read back: the bare library writes the very same."""
    tracker = _purse(store)
    await tracker.settle(await _hold(tracker), Charge(CENT // 2, "reported", generation_id="gen"))
    twin = folder / "twin"
    migrate(twin)
    rows: dict[str, tuple[list[str], list[object]]] = {}
    reader = sqlite3.connect(folder / FILE_NAME)
    writer = sqlite3.connect(twin / FILE_NAME)
    for table in ROWS:
        cursor = reader.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT 1")
        names, values = [column[0] for column in cursor.description], list(cursor.fetchone())
        if table == "accounts":
            writer.execute(f"INSERT INTO accounts VALUES ({', '.join('?' * len(values))})", values)
        row = dict(zip(names, values, strict=True)) | ({"state": "open"} if table == "holds" else {})
        rows[table] = names, [_Bare if name in FRESH else value for name, value in row.items()]
    writer.commit()
    reader.close()
    writer.close()
    return _Bare(twin / FILE_NAME, rows)


async def _balances(folder: Path) -> tuple[float, float]:
    stores = [await _filled(folder / str(size), size) for size in (FEW, MANY)]
    took_us: list[list[float]] = [[], []]
    for _ in range(QUERIES):  # in turns, so that both meet the same machine
        for store, taken in zip(stores, took_us, strict=True):
            taken.append(await store.read(_one_us))
    for store in stores:
        store.close()
    return statistics.median(took_us[0]), statistics.median(took_us[1])


async def _filled(folder: Path, size: int) -> Store:
    """An account with that many charges in its past."""
    migrate(folder)
    store = Store.open(folder, durable=False)
    await _purse(store).open_month()
    for start in range(0, size, BATCH):
        await store.write(partial(_fill, start=start, count=min(BATCH, size - start)))
    return store


def _fill(transaction: Transaction, start: int, count: int) -> None:
    """Charges of a nano-dollar each, with the account they belong to."""
    rows = [
        {
            "being": BEING,
            "at_ms": start + number,
            "month": "2026-11",
            "kind": "charge",
            "allowance_nanos": -1,
            "topup_nanos": 0,
            "external_id": f"charge:bench:{start + number}",
            "model": "vendor/model",
        }
        for number in range(count)
    ]
    transaction.execute(entries.insert(), rows)
    transaction.exec_driver_sql(
        "UPDATE accounts SET allowance_nanos = allowance_nanos - ?, spent_nanos = spent_nanos + ?", (count, count)
    )


def _one_us(transaction: Transaction) -> float:
    started = time.perf_counter()
    books.balance(transaction, BEING)
    return (time.perf_counter() - started) * 1e6
