"""The being's own notes, in SQL."""

from __future__ import annotations

from sqlalchemy import insert, select

from ai.store.engine import Transaction
from ai.store.schema import beings, memories


def add_note(transaction: Transaction, being: str, text: str, at_ms: int) -> bool:
    """Keep a note of the present life; False when the same one is kept already."""
    known = select(memories.c.id).where(memories.c.being == being, memories.c.text == text)
    if transaction.execute(known).first() is not None:
        return False
    life = select(beings.c.life).where(beings.c.being == being).scalar_subquery()
    transaction.execute(insert(memories).values(being=being, life=life, at_ms=at_ms, text=text))
    return True


def newest_notes(transaction: Transaction, being: str, limit: int, *, before_ms: int | None = None) -> list[str]:
    """The newest notes (made before a moment, milliseconds since the epoch), oldest of them first."""
    rows = select(memories.c.text).where(memories.c.being == being)
    if before_ms is not None:
        rows = rows.where(memories.c.at_ms < before_ms)
    return list(transaction.execute(rows.order_by(memories.c.id.desc()).limit(limit)).scalars())[::-1]
