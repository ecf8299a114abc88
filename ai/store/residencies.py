"""Who was the resident model, from when to when and by whose choice, in SQL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, text, update

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


@dataclass(frozen=True, slots=True)
class Mind:
    """What a being and one model have to do with each other.

    `resident_ms` is how long it was the resident model, `chosen` how often the being itself chose it; `answers` are
    the messages that came in after one of its posts and before the next post of anyone.
    """

    model: str
    resident_ms: int
    residencies: int
    chosen: int
    thoughts: int
    posts: int
    answers: int


MINDS = text("""
    WITH said AS (SELECT kind, id, json_extract(data, '$.model') AS model FROM journal
                   WHERE being = :being AND kind IN ('thought', 'post')),
         heard AS (SELECT (SELECT p.model FROM said p WHERE p.kind = 'post' AND p.id < m.id ORDER BY p.id DESC LIMIT 1)
                          AS model
                     FROM journal m WHERE m.being = :being AND m.kind = 'message'),
         lived AS (SELECT model, SUM(COALESCE(until_ms, :now_ms) - since_ms) AS resident_ms, COUNT(*) AS residencies,
                          SUM(chosen_by = 'being') AS chosen
                     FROM residencies WHERE being = :being GROUP BY model),
         names AS (SELECT model FROM lived UNION SELECT model FROM said)
    SELECT n.model, COALESCE(l.resident_ms, 0) AS resident_ms, COALESCE(l.residencies, 0) AS residencies,
           COALESCE(l.chosen, 0) AS chosen,
           (SELECT COUNT(*) FROM said s WHERE s.kind = 'thought' AND s.model = n.model) AS thoughts,
           (SELECT COUNT(*) FROM said s WHERE s.kind = 'post' AND s.model = n.model) AS posts,
           (SELECT COUNT(*) FROM heard h WHERE h.model = n.model) AS answers
      FROM names n LEFT JOIN lived l ON l.model = n.model
     WHERE n.model IS NOT NULL
     ORDER BY chosen DESC, thoughts DESC, n.model
""")


def read_minds(transaction: Transaction, being: str, now_ms: int) -> list[Mind]:
    """Every model a being has thought with, the ones it prefers first; `now_ms` is milliseconds since the epoch."""
    rows = transaction.execute(MINDS, {"being": being, "now_ms": now_ms}).mappings()
    return [Mind(**row) for row in rows]
