"""Sixty-four processes on one account, each holding fifty times."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ai.economy.money import parse_usd
from tests.parts import GRANT, RESERVE, fresh_store
from tests.test_many_processes import race, the_books_agree

HOLDS = 50


@pytest.mark.parametrize("keep", [True, False])
async def test_many_processes_never_exceed_the_account_and_none_fails_for_a_lock(
    tmp_path: Path, small: bool, keep: bool
) -> None:
    processes = 12 if small else 64
    usd = "0.0113" if small else "0.0021"
    data_dir = fresh_store(tmp_path / "shared")
    tally = await asyncio.to_thread(race, data_dir, processes, HOLDS, usd, keep=keep)
    assert tally["granted"] + tally["refused"] == processes * HOLDS
    if keep:
        assert tally["granted"] == (GRANT - RESERVE) // parse_usd(usd) < processes * HOLDS
    await the_books_agree(data_dir, tally)
