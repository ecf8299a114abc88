"""The being's own notes, in SQL."""

from __future__ import annotations

import re

from sqlalchemy import func, insert, select

from ai.said import SELF, Note
from ai.store.engine import Transaction
from ai.store.schema import beings, memories


def add_note(transaction: Transaction, being: str, text: str, at_ms: int, source: str = SELF) -> bool:
    """Keep a note of the present life; False when the same one is kept already."""
    life = transaction.execute(select(beings.c.life).where(beings.c.being == being)).scalar() or 0
    here = (memories.c.being == being) & (memories.c.life == life)
    if transaction.execute(select(memories.c.id).where(here, memories.c.text == text)).first() is not None:
        return False
    row = {"being": being, "life": life, "at_ms": at_ms, "text": text, "source": source}
    transaction.execute(insert(memories).values(**row))
    return True


def count_notes(transaction: Transaction, being: str, life: int) -> int:
    """How many notes a life keeps."""
    kept = (memories.c.being == being) & (memories.c.life == life)
    return transaction.execute(select(func.count()).where(kept)).scalar_one()


def newest_notes(
    transaction: Transaction, being: str, life: int, limit: int, *, before_ms: int | None = None
) -> list[Note]:
    """The newest notes of a life (made before a moment, milliseconds since the epoch), oldest of them first."""
    rows = select(memories.c.text, memories.c.source).where(memories.c.being == being, memories.c.life == life)
    if before_ms is not None:
        rows = rows.where(memories.c.at_ms < before_ms)
    found = transaction.execute(rows.order_by(memories.c.id.desc()).limit(limit)).all()
    return [Note(*row) for row in reversed(found)]


FIND = """
    SELECT m.text, m.source FROM memories_index i JOIN memories m ON m.id = i.rowid
     WHERE memories_index MATCH :words AND m.being = :being AND m.life = :life
     ORDER BY bm25(memories_index), m.id DESC LIMIT :limit
"""


def find_notes(transaction: Transaction, being: str, life: int, query: str, limit: int) -> list[Note]:
    """Notes of a life with any word of `query` in them, the best first. What is no word is left out, never obeyed."""
    words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", query)[:20])
    if not words:
        return []
    asked = {"words": words, "being": being, "life": life, "limit": limit}
    return [Note(*row) for row in transaction.exec_driver_sql(FIND, asked)]


def past_notes(transaction: Transaction, being: str, before_life: int, limit: int) -> list[str]:
    """What former lives noted of themselves, newest first."""
    former = (memories.c.being == being) & (memories.c.life < before_life) & (memories.c.source == SELF)
    rows = select(memories.c.text).where(former).order_by(memories.c.id.desc()).limit(limit)
    return list(transaction.execute(rows).scalars())
