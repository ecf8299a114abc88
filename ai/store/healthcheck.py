"""`python -m ai.store.healthcheck`, the health check of the `ai` container.

Exits 0 while the being's heart beats, else says why and exits 1. It is asked every few seconds, so it loads nothing but
the standard library (0.05 s, where the whole program takes a second). It opens the file for writing because a WAL
database cannot be opened otherwise, and writes nothing.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from ai.store.versions import FILE_NAME

STOPPED_AFTER_S = 15.0  # no heartbeat for this long: nobody is running
STORE = Path(os.environ.get("DATA_DIR") or "data") / FILE_NAME
BEING = os.environ.get("BEING") or "genesis"


def heartbeat_age_s() -> float | None:
    """Seconds since the last heartbeat; None when there never was one. Raises sqlite3.Error when nobody can tell."""
    with closing(sqlite3.connect(f"{STORE.absolute().as_uri()}?mode=rw", uri=True, timeout=2)) as store:
        store.execute("PRAGMA query_only=ON")
        row = store.execute("SELECT at_ms FROM heartbeats WHERE being = ?", (BEING,)).fetchone()
    return time.time() - row[0] / 1000 if row else None


def main() -> str | None:
    """Why the being is not well; None when it is."""
    try:
        age_s = heartbeat_age_s()
    except sqlite3.Error as exc:
        return f"{STORE}: {exc}"
    if age_s is None:
        return f"{BEING} has never run here."
    return f"{BEING}'s last heartbeat was {age_s:.0f} s ago." if age_s > STOPPED_AFTER_S else None


if __name__ == "__main__":
    sys.exit(main())
