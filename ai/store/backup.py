"""Copies of the store: consistent while it is being written, the newest few kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from ai.errors import StoreDamaged, StoreError, StoreMissing
from ai.store.versions import FILE_NAME, check_version

FOLDER = "backups"
KEPT = 7
SUFFIXES = ("", "-wal", "-shm")  # what SQLite keeps beside a database belongs to it


def copy_store(path: Path, target: Path) -> None:
    """Copy the database at `path` to `target` as it is at this moment, also while it is written.

    `target` appears whole or not at all. Raises StoreError when either cannot be used.
    """
    if not path.exists():
        raise StoreMissing(f"There is no store {path} to copy.", hint="Begin a life with `alive up`.")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, complete without companions
        part.chmod(0o600)
        part.replace(target)
    except (OSError, sqlite3.Error) as exc:
        part.unlink(missing_ok=True)
        raise StoreError(f"The copy {target} could not be written: {exc}.", hint="Choose another place.") from exc


def back_up(data_dir: Path, now: datetime) -> Path:
    """Copy the store into DATA_DIR/backups and remove all but the newest few; return the new copy."""
    folder = data_dir / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    target = folder / f"alive-{now:%Y%m%d-%H%M%S}.db"
    copy_store(data_dir / FILE_NAME, target)
    for old in backups(data_dir)[KEPT:]:
        old.unlink(missing_ok=True)
    return target


def backups(data_dir: Path) -> list[Path]:
    """The copies in DATA_DIR/backups, newest first."""
    return sorted((data_dir / FOLDER).glob("alive-*.db"), reverse=True)


def restore(data_dir: Path, source: Path, now: datetime) -> Path | None:
    """Put a copy back in place of the store; return where the replaced one was kept, None when there was none.

    The caller holds the being's lock. Raises StoreError when `source` is no store this version can use.
    """
    if not source.is_file():
        raise StoreMissing(f"There is no backup {source}.", hint=_offer(data_dir))
    check_whole(source)
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / FILE_NAME
    incoming = path.with_name(f".{FILE_NAME}.incoming")
    copy_store(source, incoming)
    with closing(sqlite3.connect(incoming)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    kept = set_aside(path, f"before-restore-{now:%Y%m%d-%H%M%S}") if path.exists() else None
    incoming.replace(path)
    return kept


def set_aside(path: Path, why: str) -> Path:
    """Rename a database with its companions, so that nothing ever overwrites it; return its new name."""
    aside = path.with_name(f"{path.name}.{why}")
    for suffix in SUFFIXES:
        companion = Path(f"{path}{suffix}")
        if companion.exists():
            companion.rename(f"{aside}{suffix}")
    return aside


def check_whole(path: Path) -> None:
    """Return when the database at `path` is whole, of a known version; else raise StoreDamaged or its kin."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as exc:
        verdict = str(exc)
    if verdict != "ok":
        raise StoreDamaged(f"{path} is damaged ({verdict}).", hint=_offer(path.parent))
    check_version(path)


def _offer(data_dir: Path) -> str:
    newest = next(iter(backups(data_dir)), None)
    return f"The newest backup is {newest}: `alive restore {newest}`." if newest else "There is no backup."
