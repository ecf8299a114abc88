"""Who was the resident model, from when to when and by whose choice, in SQL."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from ai.store.engine import Transaction
from ai.store.schema import beings, residencies


def begin_residency(transaction: Transaction, being: str, model: str, by: str, reason: str, at_ms: int) -> None:
    """`model` moves in, and whoever was resident until now moves out."""
    here = (residencies.c.being == being) & residencies.c.until_ms.is_(None)
    transaction.execute(update(residencies).where(here).values(until_ms=at_ms))
    life = select(beings.c.life).where(beings.c.being == being).scalar_subquery()
    row = {"being": being, "life": life, "model": model, "chosen_by": by, "reason": reason, "since_ms": at_ms}
    transaction.execute(insert(residencies).values(**row))


def newest_residents(transaction: Transaction, being: str, limit: int) -> list[str]:
    """The models of the newest `limit` residencies, newest first; one may stand there more than once."""
    rows = select(residencies.c.model).where(residencies.c.being == being)
    return list(transaction.execute(rows.order_by(residencies.c.id.desc()).limit(limit)).scalars())
