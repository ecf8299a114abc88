"""Bring a store to this version, under a lock, loading the migration library only when there is work."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai.errors import StoreError, StoreMissing, StoreOlder
from ai.store.engine import FILE_NAME
from ai.store.versions import HEAD, check_version


def migrate(data_dir: Path) -> None:
    """Make the store in `data_dir` usable by this version, creating folder and file when missing.

    Only the programs that own a life call it. Raises StoreNewer when the store is ahead of this version.
    """
    path = data_dir / FILE_NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreError(
            f"The data directory {data_dir} cannot be made: {exc.strerror}.",
            hint="Set DATA_DIR to one you may write.",
        ) from exc
    if _is_current(path):
        return
    with _lock(data_dir / "migrate.lock"):
        if not _is_current(path):
            _upgrade(path)


def _is_current(path: Path) -> bool:
    try:
        check_version(path)
    except (StoreMissing, StoreOlder):
        return False
    return True


def _upgrade(path: Path) -> None:
    from alembic import command  # heavy: loaded only when there is something to migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["path"] = path
    command.upgrade(config, HEAD)


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
