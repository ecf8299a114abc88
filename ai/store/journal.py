"""The journal: everything that happened, one row each, in order, for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from ai.clock import Clock, iso, to_ms
from ai.store.engine import Store, Transaction
from ai.store.schema import journal
from ai.wellformed import well_formed

KINDS = (
    "birth",
    "thought",
    "action",
    "result",
    "charge",
    "tier",
    "model",
    "post",
    "delivery",
    "channel",
    "refusal",
    "blog",
    "message",
    "reply",
    "memory",
    "task",
    "topup",
    "rollover",
    "failure",
    "hibernation",
    "revival",
    "death",
    "note",
)
PUBLIC, KEEPER = "public", "keeper"

# What every thought asks and says is SQL as it stands: a third of the time of building it each time.
APPEND = """
    INSERT INTO journal (being, life, at_ms, kind, visibility, data)
    VALUES (:being, COALESCE((SELECT life FROM beings WHERE being = :being), 0), :at_ms, :kind, :visibility, :data)
    RETURNING id, life
"""

Redact = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the journal. `at_ms` is milliseconds since the epoch, `data` plain JSON."""

    id: int
    life: int
    at_ms: int
    kind: str
    visibility: str
    data: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The event as every interface shows it."""
        return {
            "id": self.id,
            "at": iso(self.at_ms),
            "life": self.life,
            "kind": self.kind,
            "visibility": self.visibility,
            "data": self.data,
        }


class Journal:
    """Appends for one being. Whatever is written passes the redaction first."""

    def __init__(self, store: Store, clock: Clock, being: str, redact: Redact) -> None:
        self._store = store
        self._clock = clock
        self._being = being
        self._redact = redact

    def append(self, transaction: Transaction, kind: str, data: dict[str, Any], *, visibility: str = PUBLIC) -> Event:
        """Append one event inside the caller's transaction, so that it stands exactly when its cause does."""
        if kind not in KINDS:
            raise ValueError(f"“{kind}” is no kind of journal row")
        at_ms = to_ms(self._clock.now())
        clean = self.clean(data)
        row = {"being": self._being, "at_ms": at_ms, "kind": kind, "visibility": visibility}
        number, life = transaction.exec_driver_sql(APPEND, {**row, "data": json.dumps(clean, ensure_ascii=False)}).one()
        event = Event(number, life, at_ms, kind, visibility, clean)
        transaction.info["events"].append(event)
        return event

    def clean(self, data: dict[str, Any]) -> dict[str, Any]:
        """`data` as a row may hold it: without secrets, and text that can be written everywhere."""
        return dict(well_formed(self._redact(data)))

    async def write(self, kind: str, data: dict[str, Any], *, visibility: str = PUBLIC) -> Event:
        """Append one event in a transaction of its own."""
        return await self._store.write(lambda t: self.append(t, kind, data, visibility=visibility))


def read_events(
    transaction: Transaction,
    being: str,
    *,
    after: int = 0,
    kind: str | None = None,
    query: str | None = None,
    keeper: bool = False,
    limit: int = 100,
) -> list[Event]:
    """Events with a number above `after`, oldest first; the keeper's rows only for the keeper."""
    where, values = _matching(being, kind, query, keeper)
    rows = transaction.exec_driver_sql(
        _events(f"{where} AND id > :after ORDER BY id"), {**values, "after": after, "limit": limit}
    )
    return [_event(row) for row in rows]


def last_events(
    transaction: Transaction, being: str, *, kind: str | None = None, keeper: bool = False, limit: int = 1
) -> list[Event]:
    """The newest `limit` events, oldest of them first."""
    where, values = _matching(being, kind, None, keeper)
    rows = transaction.exec_driver_sql(_events(f"{where} ORDER BY id DESC"), {**values, "limit": limit})
    return [_event(row) for row in reversed(rows.all())]


def count_events(transaction: Transaction, being: str, kind: str, since_ms: int) -> int:
    """How many events of a kind there were after a moment (milliseconds since the epoch)."""
    matching = (journal.c.being == being) & (journal.c.kind == kind) & (journal.c.at_ms > since_ms)
    return transaction.execute(select(func.count()).where(matching)).scalar_one()


def newest_number(transaction: Transaction, being: str, kinds: Sequence[str] = ()) -> int:
    """The number of the newest event (of these kinds, if any are given), 0 when there is none."""
    newest = select(func.max(journal.c.id)).where(journal.c.being == being)
    if kinds:
        newest = newest.where(journal.c.kind.in_(kinds))
    return transaction.execute(newest).scalar() or 0


def newest_of(transaction: Transaction, being: str, kind: str) -> Event | None:
    """The newest event of a kind, the keeper's rows too, or None when there is none."""
    return next(iter(last_events(transaction, being, kind=kind, keeper=True)), None)


def _matching(being: str, kind: str | None, query: str | None, keeper: bool) -> tuple[str, dict[str, Any]]:
    """A WHERE clause of constants of ours, and the values bound to it."""
    where, values = "being = :being", {"being": being}
    if kind:
        where, values = f"{where} AND kind = :kind", {**values, "kind": kind}
    if query:
        where, values = f"{where} AND instr(lower(data), lower(:query)) > 0", {**values, "query": query}
    return where if keeper else f"{where} AND visibility = '{PUBLIC}'", values


def _events(clause: str) -> str:
    return f"SELECT id, life, at_ms, kind, visibility, data FROM journal WHERE {clause} LIMIT :limit"


def _event(row: Row[Any]) -> Event:
    return Event(row.id, row.life, row.at_ms, row.kind, row.visibility, json.loads(row.data))
