"""The last good copy of a provider's list of models, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from ai.store.engine import Transaction
from ai.store.schema import catalogue


def read_models(transaction: Transaction, being: str, provider: str) -> list[dict[str, Any]] | None:
    """The list as the provider gave it, or None when there never was one."""
    return transaction.execute(
        select(catalogue.c.models).where(catalogue.c.being == being, catalogue.c.provider == provider)
    ).scalar()


def fetched_at_ms(transaction: Transaction, being: str, provider: str) -> int | None:
    """When the list was last fetched (milliseconds since the epoch), or None when it never was."""
    where = (catalogue.c.being == being) & (catalogue.c.provider == provider)
    return transaction.execute(select(catalogue.c.fetched_at_ms).where(where)).scalar()


def keep_models(transaction: Transaction, being: str, provider: str, models: list[dict[str, Any]], at_ms: int) -> None:
    """Keep `models` as the last good copy."""
    row = {"being": being, "provider": provider, "fetched_at_ms": at_ms, "models": models}
    transaction.execute(insert(catalogue).values(**row).on_conflict_do_update(set_=row))
