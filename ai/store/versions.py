"""Which version a store is of, told without loading the migration library."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from ai.errors import StoreError, StoreMissing, StoreNewer, StoreOlder

FILE_NAME = "alive.db"
HISTORY = ("0001", "0002", "0003", "0004", "0005")  # every revision in order; a test holds it against the scripts
HEAD = HISTORY[-1]


def version_of(path: Path) -> str | None:
    """The revision of the database at `path`, or None when there is none yet.

    Raises StoreError when the file cannot be opened or is no database.
    """
    try:
        if not path.exists():
            return None
    except OSError as exc:
        hint = "Give this user the right to enter its folder."
        raise StoreError(f"The store {path} cannot be reached: {exc.strerror}.", hint=hint) from exc
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    except sqlite3.Error as exc:
        raise StoreError(f"The store {path} cannot be read: {exc}.", hint="`alive doctor` looks closer.") from exc
    return row[0] if row else None


def check_version(path: Path) -> None:
    """Return when the store at `path` is of this version, else raise StoreMissing, StoreOlder or StoreNewer."""
    version = version_of(path)
    if version is None:
        raise StoreMissing(f"There is no life in {path.parent} yet.", hint="Begin one with `alive up`.")
    if version not in HISTORY:
        raise StoreNewer(
            f"The store {path} was written by a newer version (revision {version}; this one knows {HEAD}).",
            hint="Update the program, or restore a backup.",
        )
    if version != HEAD:
        raise StoreOlder(
            f"The store {path} is of an older version (revision {version}; this one needs {HEAD}).",
            hint="`alive up`, `run` or `think` brings it up to date.",
        )
