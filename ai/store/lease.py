"""One being, one running instance: an OS lock decides, a row tells who holds it.

The kernel frees the lock at any death of its holder, so the next start never waits. Every holder gets a higher epoch,
by which the holds of a former one are known to be lost.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.sqlite import insert

from ai.clock import iso
from ai.errors import InstanceHeld, StoreError
from ai.store.engine import Store, Transaction
from ai.store.schema import leases

MIGRATION_LOCK = "migrate.lock"


@contextmanager
def hold_lock(data_dir: Path, being: str) -> Iterator[None]:
    """Hold the being's lock while the block runs. Raises InstanceHeld when another process has it."""
    path = data_dir / f"{being}.lock"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as exc:
        raise StoreError(
            f"The data directory {data_dir} cannot be written: {exc.strerror}.",
            hint="Set DATA_DIR to one you may write.",
        ) from exc
    with file:
        if not _locked(file):
            raise InstanceHeld(f"Somebody else is running {being} in {data_dir}.", hint="Stop that one first.")
        yield


@contextmanager
def hold_all_locks(data_dir: Path) -> Iterator[None]:
    """Hold the locks of every being that ever lived in `data_dir`, whose store is one and the same."""
    with ExitStack() as stack:
        for path in sorted(data_dir.glob("*.lock")):
            if path.name != MIGRATION_LOCK:
                stack.enter_context(hold_lock(data_dir, path.stem))
        yield


def is_running(data_dir: Path, being: str) -> bool:
    """Whether some process holds the being's lock."""
    try:
        with (data_dir / f"{being}.lock").open() as file:
            return not _locked(file)
    except OSError:
        return False


def take_lease(transaction: Transaction, being: str, now_ms: int) -> int:
    """Write down who runs the being from now on (the lock is ours); return the new epoch."""
    before = read_lease(transaction, being)
    row = {
        "being": being,
        "epoch": (before.epoch if before else 0) + 1,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since_ms": now_ms,
    }
    transaction.execute(insert(leases).values(**row).on_conflict_do_update(set_=row))
    return int(row["epoch"])


def read_lease(transaction: Transaction, being: str) -> Row[Any] | None:
    """The newest holder (epoch, host, pid, since_ms), or None when nobody ever ran it."""
    return transaction.execute(select(leases).where(leases.c.being == being)).one_or_none()


async def name_holder(store: Store, being: str) -> str:
    """The holder in words, for whoever was refused."""
    row = await store.read(lambda t: read_lease(t, being))
    return f"process {row.pid} on {row.host} since {iso(row.since_ms)}" if row else "another process"


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
