"""Bring a store to this version, under a lock, loading the migration library only when there is work."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from ai.clock import Clock, SystemClock
from ai.errors import StoreDamaged, StoreError, StoreMissing, StoreOlder
from ai.store.backup import back_up, check_whole, damaged, offer, set_aside
from ai.store.lease import MIGRATION_LOCK
from ai.store.versions import FILE_NAME, HEAD, check_version


def migrate(data_dir: Path, clock: Clock | None = None) -> None:
    """Make the store in `data_dir` usable by this version, creating folder and file when missing.

    Only the programs that own a life call it. A store of an older version is copied before it is upgraded. Raises
    StoreNewer when it is ahead of this version; StoreDamaged when it is no whole database: it is then set aside
    under another name, never overwritten.
    """
    now = (clock or SystemClock()).now()
    path = data_dir / FILE_NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreError(
            f"The data directory {data_dir} cannot be made: {exc.strerror}.",
            hint="Set DATA_DIR to one you may write.",
        ) from exc
    with _lock(data_dir / MIGRATION_LOCK):
        try:
            check_whole(path) if path.exists() else check_version(path)
        except StoreDamaged as exc:
            aside = set_aside(path, f"damaged-{now:%Y%m%d-%H%M%S}")
            raise _was_damaged(data_dir, aside) from exc
        except StoreOlder:
            back_up(data_dir, now)
            _upgrade(path)
        except StoreMissing as exc:
            # A container that is started again and again must not begin a new life, and be granted a new allowance.
            if not path.exists() and (former := damaged(data_dir)):
                raise _was_damaged(data_dir, former) from exc
            _upgrade(path)


def _was_damaged(data_dir: Path, aside: Path) -> StoreDamaged:
    hint = f"{offer(data_dir)} To begin anew, move that file away."
    return StoreDamaged(f"The store was damaged and is set aside as {aside}.", hint=hint)


def _upgrade(path: Path) -> None:
    from alembic import command  # heavy: loaded only when there is something to migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["path"] = path
    try:
        command.upgrade(config, HEAD)
    except DatabaseError as exc:
        raise StoreError(
            f"The store {path} cannot be made: {exc.orig}.", hint="Is the disk full, or the folder read-only?"
        ) from exc


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    try:
        file = path.open("w")
    except OSError as exc:
        raise StoreError(
            f"The data directory {path.parent} cannot be written: {exc.strerror}.",
            hint="Set DATA_DIR to one you may write.",
        ) from exc
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
