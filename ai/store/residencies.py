"""Who was the resident model, from when to when and by whose choice, in SQL."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from ai.store.engine import Transaction
from ai.store.schema import beings, lives, residencies


def begin_residency(
    transaction: Transaction, being: str, model: str, by: str, reason: str, at_ms: int, leaving: str | None = None
) -> None:
    """`model` moves in, and whoever was resident until now moves out.

    `leaving` was resident since the birth by default: nobody chose it, so it has no row yet.
    """
    if leaving is not None:
        born = select(lives.c.born_at_ms).where(lives.c.being == being).order_by(lives.c.number.desc()).limit(1)
        since_ms = transaction.execute(born).scalar()
        _move_in(transaction, being, leaving, "keeper", "it was there by default", since_ms or at_ms)
    here = (residencies.c.being == being) & residencies.c.until_ms.is_(None)
    transaction.execute(update(residencies).where(here).values(until_ms=at_ms))
    _move_in(transaction, being, model, by, reason, at_ms)


def _move_in(transaction: Transaction, being: str, model: str, by: str, reason: str, at_ms: int) -> None:
    life = select(beings.c.life).where(beings.c.being == being).scalar_subquery()
    row = {"being": being, "life": life, "model": model, "chosen_by": by, "reason": reason, "since_ms": at_ms}
    transaction.execute(insert(residencies).values(**row))


def newest_residents(transaction: Transaction, being: str, limit: int) -> list[str]:
    """The models of the newest `limit` residencies, newest first; one may stand there more than once."""
    rows = select(residencies.c.model).where(residencies.c.being == being)
    return list(transaction.execute(rows.order_by(residencies.c.id.desc()).limit(limit)).scalars())
