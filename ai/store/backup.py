"""Copies of the store: consistent while it is being written, the newest few kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from ai.errors import StoreDamaged, StoreError, StoreMissing, StoreOlder
from ai.store.versions import FILE_NAME, check_version

FOLDER = "backups"
KEPT = 7
NAME = "alive-%Y%m%d-%H%M%S.db"
PRIMARY_CODE = 0xFF  # the rest of an SQLite error code only says more about it
SUFFIXES = ("", "-wal", "-shm")  # what SQLite keeps beside a database belongs to it


def copy_store(path: Path, target: Path) -> None:
    """Copy the database at `path` to `target` as it is at this moment, also while it is written.

    `target` appears whole or not at all. Raises StoreError when either cannot be used.
    """
    if not path.exists():
        raise StoreMissing(f"There is no store {path} to copy.", hint="Begin a life with `alive up`.")
    if target.exists() and target.samefile(path):
        raise StoreError(f"{target} is the store itself.", hint="Choose another place.")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, complete without companions
        part.chmod(0o600)
        part.replace(target)
    except (OSError, sqlite3.Error) as exc:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(f"The copy {target} could not be written: {exc}.", hint="Choose another place.") from exc


def back_up(data_dir: Path, now: datetime) -> Path:
    """Copy the store into DATA_DIR/backups and remove all but the newest few; return the new copy."""
    folder = data_dir / FOLDER
    target = folder / f"{now:{NAME}}"
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
    except OSError as exc:
        raise StoreError(
            f"The folder {folder} cannot be made: {exc.strerror}.", hint="Move away what is there."
        ) from exc
    copy_store(data_dir / FILE_NAME, target)
    others = [copy for copy in backups(data_dir) if copy != target]  # a clock set back must not cost the new one
    for old in others[KEPT - 1 :]:
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
        raise StoreMissing(f"There is no backup {source}.", hint=offer(data_dir))
    with suppress(StoreOlder):  # the next start brings it up to date
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


def taken_at(copy: Path) -> datetime:
    """When a copy in DATA_DIR/backups was taken, as its name says (UTC)."""
    return datetime.strptime(copy.name, NAME).replace(tzinfo=UTC)


def damaged(data_dir: Path) -> Path | None:
    """The newest store that was set aside because it was damaged, or None."""
    return max(data_dir.glob(f"{FILE_NAME}.damaged-*[0-9]"), default=None)


def set_aside(path: Path, why: str) -> Path:
    """Rename a database with its companions, so that nothing ever overwrites it; return its new name."""
    names = (path.with_name(f"{path.name}.{why}{again}") for again in ("", *(f"-{n}" for n in range(2, 1000))))
    aside = next(name for name in names if not name.exists())
    for suffix in SUFFIXES:
        companion = Path(f"{path}{suffix}")
        if companion.exists():
            companion.rename(f"{aside}{suffix}")
    return aside


def check_whole(path: Path) -> None:
    """Return when the database at `path` is whole, of this version; else raise StoreDamaged or its kin.

    Only what SQLite itself calls corrupt is damage; a disk that is full or a file that may not be read is not.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as exc:
        if exc.sqlite_errorcode & PRIMARY_CODE not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            hint = "Is the disk full, or may this user not read it?"
            raise StoreError(f"The store {path} cannot be read: {exc}.", hint=hint) from exc
        verdict = str(exc)
    if verdict != "ok":
        raise StoreDamaged(f"{path} is damaged ({verdict}).", hint=offer(path.parent))
    check_version(path)


def offer(data_dir: Path) -> str:
    """What a keeper whose store is damaged can do."""
    newest = next(iter(backups(data_dir)), None)
    return f"The newest backup is {newest}: `alive restore {newest}`." if newest else "There is no backup."
