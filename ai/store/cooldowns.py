"""What rests at a provider, in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from ai.store.engine import Transaction
from ai.store.schema import cooldowns


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Something of `provider` that failed and is left alone until `until_ms` (milliseconds since the epoch).

    `subject` is the model's id where the scope speaks of one model, else empty; `failures` counts those in a row;
    `ends` names what ends it early; `account` is a fingerprint of the address and key it was met with.
    """

    provider: str
    scope: str
    subject: str
    until_ms: int
    failures: int
    ends: str
    reason: str
    account: str
    at_ms: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one cooldown for."""
        return self.provider, self.scope, self.subject


def read_cooldowns(transaction: Transaction, being: str) -> list[Cooldown]:
    """Everything that rests, and what rested and has not been tried since."""
    rows = transaction.execute(select(cooldowns).where(cooldowns.c.being == being)).mappings()
    return [Cooldown(**{name: value for name, value in row.items() if name != "being"}) for row in rows]


def keep_cooldown(transaction: Transaction, being: str, cooldown: Cooldown) -> None:
    """Keep this one in place of the former."""
    row = {"being": being, **asdict(cooldown)}
    transaction.execute(insert(cooldowns).values(**row).on_conflict_do_update(set_=row))


def end_cooldowns(transaction: Transaction, being: str, keys: Iterable[tuple[str, str, str]]) -> None:
    """These are well again."""
    for provider, scope, subject in keys:
        where = {"being": being, "provider": provider, "scope": scope, "subject": subject}
        transaction.execute(delete(cooldowns).filter_by(**where))
