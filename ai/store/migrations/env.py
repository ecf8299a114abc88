"""How alembic reaches the store: one connection, WAL mode, one immediate transaction for the whole upgrade."""

from __future__ import annotations

import sqlite3

from alembic import context
from sqlalchemy import URL, Connection, create_engine, event

from ai.store.schema import metadata

engine = create_engine(
    URL.create("sqlite", database=str(context.config.attributes["path"])),
    connect_args={"isolation_level": None, "timeout": 30},
)


@event.listens_for(engine, "connect")
def use_wal(connection: sqlite3.Connection, _: object) -> None:
    """WAL is a property of the file: set once, here, by whoever makes or upgrades it."""
    connection.execute("PRAGMA journal_mode=WAL")


@event.listens_for(engine, "begin")
def begin_immediate(connection: Connection) -> None:
    """The driver would begin lazily and leave DDL outside the transaction."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    context.run_migrations()
engine.dispose()
