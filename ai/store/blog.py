"""The being's longer writings, in SQL."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, func, insert, select

from ai.store.engine import Transaction
from ai.store.schema import beings, blog


@dataclass(frozen=True, slots=True)
class Essay:
    """One blog post. `at_ms` is milliseconds since the epoch."""

    id: int
    life: int
    at_ms: int
    title: str
    text: str


COLUMNS = [blog.c[field.name] for field in fields(Essay)]


def add_essay(transaction: Transaction, being: str, title: str, text: str, at_ms: int) -> int | None:
    """Keep an essay of the present life; return its number, or None when the same text is kept already."""
    if transaction.execute(select(blog.c.id).where(blog.c.being == being, blog.c.text == text)).first() is not None:
        return None
    life = func.coalesce(select(beings.c.life).where(beings.c.being == being).scalar_subquery(), 0)
    row = {"being": being, "life": life, "at_ms": at_ms, "title": title, "text": text}
    number: int = transaction.execute(insert(blog).values(**row).returning(blog.c.id)).scalar_one()
    return number


def read_essay(transaction: Transaction, being: str, number: int) -> Essay | None:
    """One essay, or None when there is none of that number."""
    row = transaction.execute(select(*COLUMNS).where(blog.c.being == being, blog.c.id == number)).one_or_none()
    return _essay(row) if row is not None else None


def newest_essays(transaction: Transaction, being: str, limit: int, upto: int | None = None) -> list[Essay]:
    """The newest essays, newest first; from number `upto` down when it is given."""
    rows = select(*COLUMNS).where(blog.c.being == being)
    if upto is not None:
        rows = rows.where(blog.c.id <= upto)
    return [_essay(row) for row in transaction.execute(rows.order_by(blog.c.id.desc()).limit(limit))]


def _essay(row: Row[Any]) -> Essay:
    return Essay(**row._asdict())
