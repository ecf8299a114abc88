"""One protected completion beside what others take for an unprotected one, on the same loopback server in one run."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ai.store.migrate import migrate
from bench.figure import Figure

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".bench-venv" / "bin" / "python"
TELLS = {  # which Python runs each
    "ours": Path(sys.executable),
    "httpx": Path(sys.executable),
    "openai": PEERS,
    "litellm": PEERS,
    "openai streamed": PEERS,
    "litellm streamed": PEERS,
}
ROUNDS, CALLS = 20, 20  # per client; the clients take turns, a round each
STARTS = 3
