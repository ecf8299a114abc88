"""The store: migrations that equal the schema, versions told in one sentence, transactions that stand or fall whole."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import warnings
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select, text

import ai.store.migrations
from ai.clock import VirtualClock
from ai.errors import StoreError, StoreMissing, StoreNewer, StoreOlder
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal
from ai.store.lives import change_being
from ai.store.migrate import migrate
from ai.store.schema import beings, metadata
from ai.store.versions import HEAD, HISTORY
from tests.parts import BEING, FILE_NAME, events


def stamp(data_dir: Path, revision: str) -> None:
    with sqlite3.connect(data_dir / FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def states(transaction: Transaction) -> list[str]:
    return list(transaction.execute(select(beings.c.being).order_by(beings.c.being)).scalars())


# The full-text index and its shadow tables are the database's own affair.
OURS = {"include_name": lambda name, kind, _: kind != "table" or not name.startswith("memories_index")}


def test_migrations_lead_to_exactly_the_schema(data_dir: Path) -> None:
    engine = create_engine(f"sqlite:///{data_dir / FILE_NAME}")
    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # alembic warns of what SQLite cannot reflect
        assert compare_metadata(MigrationContext.configure(connection, opts=OURS), metadata) == []
    engine.dispose()


def test_the_history_names_every_migration_script_in_order() -> None:
    scripts = ScriptDirectory(str(Path(ai.store.migrations.__file__).parent))
    assert [script.revision for script in scripts.walk_revisions()] == list(reversed(HISTORY))
    assert scripts.get_current_head() == HEAD


async def test_to_migrate_again_changes_nothing(data_dir: Path, store: Store) -> None:
    await store.write(lambda t: change_being(t, "one", state="alive"))
    migrate(data_dir)
    assert await store.read(states) == ["one"]


async def test_many_that_migrate_at_once_make_one_store(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    await asyncio.gather(*(asyncio.to_thread(migrate, folder) for _ in range(4)))
    Store.open(folder).close()


def test_a_missing_store_is_one_sentence_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match=r"no life in .* yet\. Begin one"):
        Store.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_newer_store_is_one_sentence_and_is_not_touched(data_dir: Path) -> None:
    stamp(data_dir, "9999")
    for attempt in (Store.open, migrate):
        with pytest.raises(StoreNewer, match=r"newer version \(revision 9999.*Update the program"):
            attempt(data_dir)


@pytest.mark.parametrize("revision", HISTORY[:-1])
def test_an_older_store_is_one_sentence_and_only_those_that_live_migrate_it(data_dir: Path, revision: str) -> None:
    stamp(data_dir, revision)
    with pytest.raises(StoreOlder, match="older version"):
        Store.open(data_dir)


def test_a_file_that_is_no_store_is_one_sentence_and_is_never_overwritten(tmp_path: Path) -> None:
    shopping = b"a shopping list, by no means a database" * 50
    (tmp_path / FILE_NAME).write_bytes(shopping)
    for attempt in (Store.open, migrate):
        with pytest.raises(StoreError) as failed:
            attempt(tmp_path)
        assert "\n" not in str(failed.value)
    assert shopping in [path.read_bytes() for path in tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["with space", "what?#50%", "écrit ✨", "a&b=c"])
async def test_a_data_directory_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    migrate(folder)
    assert (folder / FILE_NAME).is_file()
    store = Store.open(folder)
    await store.write(lambda t: change_being(t, "one", state="alive"))
    store.close()
    with sqlite3.connect(folder / FILE_NAME) as connection:
        assert connection.execute("SELECT being FROM beings").fetchall() == [("one",)]
    connection.close()


async def test_what_is_written_is_durable_and_read_by_others(data_dir: Path, store: Store) -> None:
    await store.write(lambda t: change_being(t, "one", state="alive"))
    other = Store.open(data_dir, readonly=True)
    assert await other.read(states) == ["one"]
    other.close()

    def durability(transaction: Transaction) -> tuple[object, object]:
        pragma = transaction.exec_driver_sql
        return pragma("PRAGMA journal_mode").scalar(), pragma("PRAGMA synchronous").scalar()

    assert await store.write(durability) == ("wal", 2)


async def test_a_transaction_stands_or_falls_whole(store: Store, journal: Journal) -> None:
    said: list[object] = []
    store.after_commit.append(said.extend)

    def work(transaction: Transaction) -> None:
        change_being(transaction, "one", state="alive")
        journal.append(transaction, "note", {"text": "never"})
        raise LookupError("a change of mind")

    with pytest.raises(LookupError):
        await store.write(work)
    assert await store.read(states) == []
    assert await events(store) == said == []


async def test_a_writer_that_is_cancelled_still_completes_its_transaction(store: Store) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work(transaction: Transaction) -> None:
        change_being(transaction, "one", state="alive")
        begun.set()
        assert may_end.wait(10)

    writing = asyncio.create_task(store.write(work))
    await asyncio.to_thread(begun.wait, 10)
    writing.cancel()
    await asyncio.sleep(0.01)
    assert not writing.done(), "whoever is cancelled waits until it is known what happened"
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await store.read(states) == ["one"]


@pytest.mark.parametrize("how", ["read", "write", "jot"])
async def test_a_store_opened_to_look_cannot_be_written(data_dir: Path, how: str) -> None:
    store = Store.open(data_dir, readonly=True)
    try:
        with pytest.raises(StoreError, match="readonly"):
            await getattr(store, how)(lambda t: change_being(t, "one", state="alive"))
    finally:
        store.close()


async def test_reading_cannot_write_even_in_a_store_opened_for_writing(store: Store) -> None:
    with pytest.raises(StoreError, match="readonly"):
        await store.read(lambda t: change_being(t, "one", state="alive"))


async def test_a_mistake_in_a_statement_is_one_sentence_and_the_store_goes_on(store: Store) -> None:
    with pytest.raises(StoreError, match="no such table"):
        await store.write(lambda t: t.execute(text("INSERT INTO nowhere VALUES (1)")))
    await store.write(lambda t: change_being(t, "one", state="alive"))
    assert await store.read(states) == ["one"]


async def test_writers_in_several_connections_wait_for_each_other(data_dir: Path, clock: VirtualClock) -> None:
    stores = [Store.open(data_dir) for _ in range(3)]
    try:
        journals = [Journal(store, clock, BEING, lambda data: data) for store in stores]
        await asyncio.gather(*(journal.write("note", {"text": str(n)}) for n in range(20) for journal in journals))
        numbers = [event.id for event in await events(stores[0])]
        assert len(numbers) == 60
        assert numbers == sorted(set(numbers))
    finally:
        for store in stores:
            store.close()
