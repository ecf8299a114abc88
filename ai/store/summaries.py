"""What a life has been about so far, in SQL: rows are only ever added."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from ai.store.engine import Transaction
from ai.store.schema import summaries

LONGEST_STORY = 500  # characters: the share of a prompt that the story of a life may have


@dataclass(frozen=True, slots=True)
class Summary:
    """The story of a life up to journal row `upto`; `made_by` is the model that wrote it, or "cut"."""

    text: str
    upto: int
    made_by: str


def read_summary(transaction: Transaction, being: str, life: int) -> Summary | None:
    """The newest summary of a life, or None."""
    rows = select(summaries.c.text, summaries.c.upto, summaries.c.made_by)
    newest = rows.where(summaries.c.being == being, summaries.c.life == life).order_by(summaries.c.id.desc())
    row = transaction.execute(newest.limit(1)).one_or_none()
    return Summary(*row) if row else None


def add_summary(transaction: Transaction, being: str, life: int, summary: Summary, at_ms: int) -> None:
    """Keep a newer one beside the former."""
    told = {"text": summary.text, "upto": summary.upto, "made_by": summary.made_by}
    transaction.execute(insert(summaries).values(being=being, life=life, at_ms=at_ms, **told))
