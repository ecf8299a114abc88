"""A store filled by hand, for tests of the page: real SQLite, the real journal, the real purse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert

from ai.clock import Clock, SystemClock, to_ms
from ai.economy.account import Charge
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.money import parse_usd
from ai.store.engine import Store
from ai.store.journal import Event, Journal
from ai.store.migrate import migrate
from ai.store.schema import beings, drafts, heartbeats, lives
from ai.store.versions import FILE_NAME

BEING = "genesis"


@cache
def _new_store() -> bytes:
    """An empty store of this version: migrated once, then copied."""
    with TemporaryDirectory() as folder:
        migrate(Path(folder))
        return (Path(folder) / FILE_NAME).read_bytes()


class Books:
    """The being's side of the store, as the daemon writes it."""

    def __init__(self, data_dir: Path, clock: Clock | None = None) -> None:
        (data_dir / FILE_NAME).write_bytes(_new_store())
        self.clock = clock or SystemClock()
        self.store = Store.open(data_dir)
        self._closed = False
        self.journal = Journal(self.store, self.clock, BEING, lambda data: data)
        allowance = Allowance(parse_usd("5.00"), parse_usd("0.05"))
        self.purse = CreditTracker(self.store, self.journal, self.clock, BEING, allowance)

    async def being(
        self, state: str = "alive", *, life: int = 1, tier: str | None = "comfortable", **changed: Any
    ) -> None:
        await self._put(beings, {"being": BEING, "state": state, "life": life, "tier": tier} | changed)

    async def life(self, number: int = 1, **changed: Any) -> None:
        row = {
            "being": BEING,
            "number": number,
            "name": "Genesis",
            "pronoun": "it",
            "icon": "✨",
            "born_at_ms": to_ms(self.clock.now()),
            "died_at_ms": None,
            "cause_of_death": None,
            "thoughts": 0,
        }
        await self._put(lives, row | changed)

    async def heartbeat(
        self, *, thinking: bool = False, at: datetime | None = None, next_thought_at: datetime | None = None
    ) -> None:
        row = {
            "being": BEING,
            "at_ms": to_ms(at or self.clock.now()),
            "thinking": thinking,
            "next_thought_at_ms": to_ms(next_thought_at) if next_thought_at else None,
        }
        await self._put(heartbeats, row)

    async def draft(self, text: str, thought_id: str = "t1", attempt: int = 1, at: datetime | None = None) -> None:
        at_ms = to_ms(at or self.clock.now())
        row = {"being": BEING, "thought_id": thought_id, "attempt": attempt, "text": text, "at_ms": at_ms}
        await self._put(drafts, row)

    async def no_draft(self) -> None:
        await self.draft("", thought_id="")

    async def thought(self, text: str, thought_id: str = "t1", **changed: Any) -> Event:
        data = {
            "thought_id": thought_id,
            "text": text,
            "model": "qwen/qwen3-coder",
            "name": "Qwen3 Coder",
            "provider": "openrouter",
            "class": "cheap",
            "moment": "daily",
            "why": "the resident model, which the balance can pay",
            "cost": "0.000123",
            "tokens_in": 1023,
            "tokens_out": 297,
            "latency_s": 2.41,
            "attempts": [],
            "balance": "4.87",
            "tier": "comfortable",
        }
        return await self.journal.write("thought", data | changed)

    async def spend(self, amount: str, model: str = "qwen/qwen3-coder") -> None:
        nanos = parse_usd(amount)
        hold = await self.purse.hold(nanos, provider="openrouter", model=model, purpose="thought", timeout_s=60)
        await self.purse.settle(hold, Charge(nanos, "reported", 1023, 297))

    async def alive(self) -> None:
        """A being that lives, has money and runs."""
        await self.being()
        await self.life()
        await self.purse.open_month()
        await self.heartbeat()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.store.close()

    async def _put(self, table: Table, row: Mapping[str, Any]) -> None:
        def work(connection: Connection) -> None:
            statement = insert(table).values(**row)
            keys = [column.name for column in table.primary_key]
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=dict(row)))

        await self.store.write(work)


def remove_store(data_dir: Path) -> None:
    for file in data_dir.glob("alive.db*"):
        file.unlink()


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
