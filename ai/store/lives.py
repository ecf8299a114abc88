"""The present life and the lives before it, in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from ai.store.engine import Transaction
from ai.store.schema import beings, lives


@dataclass(frozen=True, slots=True)
class Life:
    """The present life, or the last one. `resident_model` None means the provider's default; `tier` None means not
    judged yet; `birth_due_ms` is when the next life begins after a death, None when none is planned."""

    number: int
    state: str
    name: str
    pronoun: str
    icon: str
    born_at_ms: int
    died_at_ms: int | None
    cause_of_death: str | None
    thoughts: int
    mode: str | None
    first_words: str | None
    last_words: str | None
    obituary: str | None
    tier: str | None
    resident_model: str | None
    resident_by: str | None
    birth_due_ms: int | None


def read_life(transaction: Transaction, being: str) -> Life | None:
    """The present or last life of `being`, or None while it is unborn."""
    row = transaction.execute(
        select(beings, lives)
        .join(lives, (lives.c.being == beings.c.being) & (lives.c.number == beings.c.life))
        .where(beings.c.being == being)
    ).one_or_none()
    return None if row is None else Life(**{name: getattr(row, name) for name in Life.__slots__})


def read_resident(transaction: Transaction, being: str) -> str | None:
    """The resident model, which the keeper may choose even before a birth."""
    return transaction.execute(select(beings.c.resident_model).where(beings.c.being == being)).scalar()


def names_so_far(transaction: Transaction, being: str) -> list[str]:
    """What every life was called, oldest first."""
    return list(transaction.execute(select(lives.c.name).where(lives.c.being == being).order_by("number")).scalars())


def change_being(transaction: Transaction, being: str, **values: Any) -> None:
    """Change columns of the being's row, making the row of an unborn being when there is none."""
    changed = transaction.execute(update(beings).where(beings.c.being == being).values(**values))
    if changed.rowcount == 0:
        row = {"being": being, "state": "unborn", "life": 0} | values
        transaction.execute(insert(beings).values(**row))


def add_life(transaction: Transaction, being: str, number: int, **details: Any) -> None:
    """Add the row of a life that begins."""
    transaction.execute(insert(lives).values(being=being, number=number, thoughts=0, **details))


def change_life(transaction: Transaction, being: str, **values: Any) -> None:
    """Change columns of the present life's row."""
    present = select(beings.c.life).where(beings.c.being == being).scalar_subquery()
    transaction.execute(update(lives).where(lives.c.being == being, lives.c.number == present).values(**values))


def count_thought(transaction: Transaction, being: str) -> None:
    """One more thought in the present life."""
    change_life(transaction, being, thoughts=lives.c.thoughts + 1)


@dataclass(frozen=True, slots=True)
class Ended:
    """A life that is over."""

    number: int
    name: str
    born_at_ms: int
    died_at_ms: int
    cause_of_death: str
    thoughts: int


def ended_lives(transaction: Transaction, being: str, limit: int) -> list[Ended]:
    """The lives that are over, newest first."""
    over = select(*(lives.c[name] for name in Ended.__slots__)).where(lives.c.being == being, lives.c.died_at_ms > 0)
    return [Ended(*row) for row in transaction.execute(over.order_by(lives.c.number.desc()).limit(limit))]
