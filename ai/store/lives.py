"""The present life and the lives before it, in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from ai.store.engine import Transaction
from ai.store.schema import beings, lives


@dataclass(frozen=True, slots=True)
class Life:
    """The present life. `resident_model` None means the provider's default; `tier` None means not judged yet."""

    number: int
    state: str
    name: str
    pronoun: str
    icon: str
    born_at_ms: int
    thoughts: int
    tier: str | None
    resident_model: str | None
    resident_by: str | None


def read_life(transaction: Transaction, being: str) -> Life | None:
    """The present life of `being`, or None while it is unborn."""
    row = transaction.execute(
        select(beings, lives)
        .join(lives, (lives.c.being == beings.c.being) & (lives.c.number == beings.c.life))
        .where(beings.c.being == being)
    ).one_or_none()
    if row is None:
        return None
    return Life(
        number=row.life,
        state=row.state,
        name=row.name,
        pronoun=row.pronoun,
        icon=row.icon,
        born_at_ms=row.born_at_ms,
        thoughts=row.thoughts,
        tier=row.tier,
        resident_model=row.resident_model,
        resident_by=row.resident_by,
    )


def read_resident(transaction: Transaction, being: str) -> str | None:
    """The resident model, which the keeper may choose even before a birth."""
    return transaction.execute(select(beings.c.resident_model).where(beings.c.being == being)).scalar()


def change_being(transaction: Transaction, being: str, **values: Any) -> None:
    """Change columns of the being's row, making the row of an unborn being when there is none."""
    changed = transaction.execute(update(beings).where(beings.c.being == being).values(**values))
    if changed.rowcount == 0:
        row = {"being": being, "state": "unborn", "life": 0} | values
        transaction.execute(insert(beings).values(**row))


def add_life(transaction: Transaction, being: str, number: int, **details: Any) -> None:
    """Add the row of a life that begins."""
    transaction.execute(insert(lives).values(being=being, number=number, thoughts=0, **details))


def count_thought(transaction: Transaction, being: str) -> None:
    """One more thought in the present life."""
    present = select(beings.c.life).where(beings.c.being == being).scalar_subquery()
    transaction.execute(
        update(lives).where(lives.c.being == being, lives.c.number == present).values(thoughts=lives.c.thoughts + 1)
    )


def end_life(transaction: Transaction, being: str, cause: str, at_ms: int) -> None:
    """Write down when and of what the present life ended."""
    present = select(beings.c.life).where(beings.c.being == being).scalar_subquery()
    transaction.execute(
        update(lives)
        .where(lives.c.being == being, lives.c.number == present)
        .values(died_at_ms=at_ms, cause_of_death=cause)
    )
