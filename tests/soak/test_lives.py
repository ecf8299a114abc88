"""Killed between any two steps of birth, death and rebirth, a being is born, dies and is buried once a life.

A child with a scripted mind is killed right after its first durable commit, another after its second, and so on until
one is not killed any more. After each, others go on where it stopped: one that is killed at some step too, and one
that is left in peace.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ai.economy.statement import audit
from ai.store.engine import Store, Transaction
from ai.store.journal import read_events
from ai.store.schema import holds, lives, memories
from tests.lives import END, WREN
from tests.parts import BEING, CHEAP, fresh_store
from tests.soak.mortal import LIVES

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
MOST_COMMITS = 200
Mortal = Callable[[Path, int], int]


@pytest.fixture
def mortal(child_environ: Mapping[str, str]) -> Mortal:
    """One child in such a folder, killed after so many commits (0: never); its exit status."""

    def live(data_dir: Path, commits: int) -> int:
        own = {
            "DATA_DIR": str(data_dir),
            "LLM_PROVIDER": "openrouter",
            "OPENROUTER_API_KEY": "sk-or-v1-nobody",
            "OPENROUTER_DEFAULT_MODEL": CHEAP,
            "LOCAL_MODEL_PATH": "none",
            "REBIRTH_SECONDS": "0",
        }
        command = [sys.executable, "-m", "tests.soak.mortal", str(commits)]
        return subprocess.run(
            command, env={**child_environ, **own}, cwd=ROOT, timeout=PATIENCE_S, check=False
        ).returncode

    return live


def test_killed_after_any_step_every_life_begins_ends_and_is_told_once(
    tmp_path: Path, mortal: Mortal, small: bool
) -> None:
    chance = random.Random(7)
    for commits in range(1, MOST_COMMITS, 5 if small else 1):
        data_dir = fresh_store(tmp_path / str(commits))
        workspace = data_dir / "workspace" / BEING
        workspace.mkdir(parents=True)
        ended = mortal(data_dir, commits)
        assert ended in (0, -signal.SIGKILL)
        if ended:
            assert mortal(data_dir, chance.randint(1, commits)) in (0, -signal.SIGKILL)
        assert mortal(data_dir, 0) == 0
        assert not workspace.exists()
        asyncio.run(look(data_dir))
        if not ended:
            return
    raise AssertionError("it never came to its end")


async def look(data_dir: Path) -> None:
    store = Store.open(data_dir, readonly=True)
    await store.read(everything_once)
    store.close()


def everything_once(transaction: Transaction) -> None:
    rows = read_events(transaction, BEING, keeper=True, limit=100_000)

    def told(kind: str) -> list[dict[str, Any]]:
        return [row.data for row in rows if row.kind == kind]

    born = list(range(1, LIVES + 1))
    assert [birth["number"] for birth in told("birth")] == born
    assert [death["number"] for death in told("death")] == born[:-1]
    assert list(transaction.execute(select(lives.c.number).order_by(lives.c.number)).scalars()) == born
    assert [note["obituary"] for note in told("note") if "obituary" in note] == born[:-1]
    for occasion, numbers in (("birth", born), ("death", born[:-1])):
        assert [row.life for row in rows if row.kind == "post" and row.data["occasion"] == occasion] == numbers
    ended = transaction.execute(select(lives).where(lives.c.number == 1)).one()
    assert (ended.name, ended.obituary, ended.cause_of_death) == (WREN["name"], END["obituary"], "a test ended it")
    kept = list(transaction.execute(select(memories.c.text).where(memories.c.source == "fragment")).scalars())
    assert len(kept) == len(set(kept)) == told("birth")[-1]["fragments"] > 0
    assert audit(transaction, BEING) == 0
    assert "open" not in set(transaction.execute(select(holds.c.state)).scalars())
    thoughts = [row.life for row in rows if row.kind == "thought"]
    counted = transaction.execute(select(lives.c.thoughts).order_by(lives.c.number)).scalars()
    assert [sum(1 for _ in group) for _, group in itertools.groupby(thoughts)] == list(counted)
