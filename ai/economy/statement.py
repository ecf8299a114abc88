"""The account as people read it: the balance, who was paid, on which day, and whether the books add up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select, text

from ai.clock import from_ms, iso, month_end, to_ms
from ai.economy import books
from ai.economy.account import Sample
from ai.economy.forecast import runway
from ai.economy.money import exact
from ai.store.engine import Transaction
from ai.store.schema import accounts, beings, entries

RECENT = 20
SAMPLES = 100  # thoughts a forecast looks back on
CALLS_A_THOUGHT = 4  # how many entries a thought has at most, for looking back no further than needed


def read_budget(transaction: Transaction, being: str) -> dict[str, Any]:
    """The account in the shape of `/api/budget`; amounts are exact decimal strings of US dollars.

    Raises FundsError when the account was never opened.
    """
    now = books.balance(transaction, being)
    tier = transaction.execute(select(beings.c.tier).where(beings.c.being == being)).scalar()
    return {
        "month": now.month,
        "currency": "USD",
        "allowance": exact(now.granted_nanos),
        "topups": exact(now.carried_nanos + now.credited_nanos),
        "spent": exact(now.spent_nanos),
        "held": exact(now.held_nanos),
        "unknown": exact(now.unknown_nanos),
        "reserve": exact(now.reserve_nanos),
        "available": exact(now.available_nanos),
        "fraction": None if now.fraction is None else float(round(now.fraction, 4)),
        "tier": tier,
        "resets_at": iso(to_ms(month_end(now.month))),
        "runway": _runway(read_samples(transaction, being, SAMPLES), now.available_nanos),
        "providers": [_reckoned(row) for row in transaction.execute(RECKONED, {"being": being, "month": now.month})],
        "by_model": [
            {
                "model": row.model,
                "spent": exact(row.spent_nanos),
                "calls": row.calls,
                "tokens_in": row.tokens_in,
                "tokens_out": row.tokens_out,
            }
            for row in spending_by_model(transaction, being, now.month)
        ],
        "by_day": [
            {"day": row.day, "spent": exact(row.spent_nanos)} for row in spending_by_day(transaction, being, now.month)
        ],
        "recent": [entry_json(row) for row in ledger(transaction, being, RECENT)],
    }


# Drift is shown, never booked: what the provider counts beyond our settled charges may be somebody else's with the key.
RECKONED = text("""
    SELECT r.provider, r.at_ms, r.remaining_nanos,
           r.usage_nanos - COALESCE((SELECT -SUM(e.allowance_nanos + e.topup_nanos) FROM entries e
                                      WHERE e.being = r.being AND e.provider = r.provider AND e.month = r.month
                                        AND e.kind = 'charge' AND e.at_ms <= r.at_ms), 0) AS drift_nanos
      FROM reckonings r WHERE r.being = :being AND r.month = :month ORDER BY r.provider
""")


def _reckoned(row: Row[Any]) -> dict[str, Any]:
    """What a provider says beside what the books say."""
    return {
        "provider": row.provider,
        "checked_at": iso(row.at_ms),
        "drift": exact(row.drift_nanos),
        "remaining": None if row.remaining_nanos is None else exact(row.remaining_nanos),
    }


def _runway(samples: list[Sample], available_nanos: int) -> dict[str, Any] | None:
    """The runway counts from the newest thought: an account nobody spends from does not run out."""
    ends = runway(samples, available_nanos, from_ms(samples[0].at_ms)) if samples else None
    if ends is None:
        return None
    return {name: iso(to_ms(at)) for name, at in (("date", ends.likely), ("low", ends.low), ("high", ends.high))}


def entry_json(row: Row[Any]) -> dict[str, Any]:
    """One entry as `/api/budget` and `alive ledger --json` show it."""
    return {
        "id": row.id,
        "at": iso(row.at_ms),
        "month": row.month,
        "kind": row.kind,
        "amount": exact(row.allowance_nanos + row.topup_nanos),
        "allowance": exact(row.allowance_nanos),
        "topup": exact(row.topup_nanos),
        "model": row.model,
        "provider": row.provider,
        "basis": row.price_basis,
        "overrun": None if row.overrun_nanos is None else exact(row.overrun_nanos),
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "tokens_cached": row.tokens_cached,
        "tokens_reasoning": row.tokens_reasoning,
        "saved": exact(row.saved_nanos or 0),
        "generation_id": row.generation_id,
        "life": row.life,
        "note": row.note,
        "external_id": row.external_id,
    }


def ledger(transaction: Transaction, being: str, limit: int) -> list[Row[Any]]:
    """The newest `limit` entries, newest first."""
    rows = select(entries).where(entries.c.being == being).order_by(entries.c.id.desc()).limit(limit)
    return list(transaction.execute(rows))


def spending_by_model(transaction: Transaction, being: str, month: str) -> list[Row[Any]]:
    """(model, spent_nanos, calls, tokens_in, tokens_out) of the month, dearest first."""
    spent = -func.sum(entries.c.allowance_nanos + entries.c.topup_nanos)
    return list(
        transaction.execute(
            select(
                entries.c.model,
                spent.label("spent_nanos"),
                func.count().label("calls"),
                func.sum(entries.c.tokens_in).label("tokens_in"),
                func.sum(entries.c.tokens_out).label("tokens_out"),
            )
            .where(entries.c.being == being, entries.c.month == month, entries.c.kind == "charge")
            .group_by(entries.c.model)
            .order_by(spent.desc(), entries.c.model)
        )
    )


def spending_by_day(transaction: Transaction, being: str, month: str) -> list[Row[Any]]:
    """(day "2026-11-21", spent_nanos) of the month, in order."""
    day = func.date(entries.c.at_ms / 1000, "unixepoch").label("day")
    return list(
        transaction.execute(
            select(day, (-func.sum(entries.c.allowance_nanos + entries.c.topup_nanos)).label("spent_nanos"))
            .where(entries.c.being == being, entries.c.month == month, entries.c.kind == "charge")
            .group_by(day)
            .order_by(day)
        )
    )


def audit(transaction: Transaction, being: str) -> int:
    """What the accounts say less what their entries sum to: zero, or the books are damaged."""
    kept = select(func.sum(accounts.c.allowance_nanos + accounts.c.topup_nanos)).where(accounts.c.being == being)
    summed = select(func.sum(entries.c.allowance_nanos + entries.c.topup_nanos)).where(entries.c.being == being)
    return (transaction.execute(kept).scalar() or 0) - (transaction.execute(summed).scalar() or 0)


# The newest thoughts' calls, summed thought by thought; looking back no further than they can reach.
SAMPLES_SQL = """
    SELECT MIN(at_ms) AS at_ms, MIN(model) AS model, -SUM(allowance_nanos + topup_nanos) AS cost_nanos,
           COALESCE(SUM(tokens_in), 0) AS tokens_in, COALESCE(SUM(tokens_out), 0) AS tokens_out
      FROM (SELECT * FROM entries WHERE being = :being AND kind = 'charge' AND thought_id IS NOT NULL
             ORDER BY id DESC LIMIT :calls)
     GROUP BY thought_id ORDER BY MAX(id) DESC LIMIT :thoughts
"""


def read_samples(transaction: Transaction, being: str, limit: int) -> list[Sample]:
    """What the newest `limit` thoughts really cost, newest first."""
    rows = transaction.exec_driver_sql(
        SAMPLES_SQL, {"being": being, "thoughts": limit, "calls": limit * CALLS_A_THOUGHT}
    )
    return [Sample(*row) for row in rows]
