"""The books in SQL: what an account, a hold and an entry are, and the only statements that move money.

Plain functions that run inside a caller's transaction. Every entry changes its month's account in the same
transaction, so the accounts always equal the sum of the entries; `statement.audit` compares the two. SQL stands here
as SQL: it is what the money depends on, and it is quicker so than built from parts at every call.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Row

from ai.economy.account import Balance, Charge, Hold, Lost, Reckoning
from ai.errors import FundsError
from ai.store.engine import Transaction

LARGEST_MARGIN_PERMILLE = 10_000  # a model that once cost a hundred times its hold would otherwise never be held for

# The account of the newest month with everything that is still out on it. An open or unknown hold counts as spent.
# Allowance of a past month survives (`past_nanos`) only under the holds that are still to be settled against it.
PURSE = """
    SELECT a.*,
           COALESCE(SUM(h.allowance_nanos + h.topup_nanos) FILTER (WHERE h.state = 'open'), 0) AS held_nanos,
           COALESCE(SUM(h.allowance_nanos + h.topup_nanos) FILTER (WHERE h.state = 'unknown'), 0) AS unknown_nanos,
           COALESCE(SUM(h.allowance_nanos) FILTER (WHERE h.month = a.month), 0) AS allowance_out_nanos,
           COALESCE(SUM(h.topup_nanos), 0) AS topup_out_nanos,
           a.reserve_nanos - COALESCE(SUM(h.reserve_nanos) FILTER (WHERE h.month = a.month), 0) AS reserve_left_nanos,
           (SELECT COALESCE(SUM(p.allowance_nanos), 0) FROM accounts p
             WHERE p.being = a.being AND p.month < a.month) AS past_nanos
      FROM accounts a
      LEFT JOIN holds h ON h.being = a.being AND h.state IN ('open', 'unknown')
     WHERE a.being = :being AND a.month = (SELECT MAX(month) FROM accounts WHERE being = :being)
     GROUP BY a.being, a.month
"""

# One conditional statement: no number of processes can race past it. The split takes the allowance first; what the
# free money cannot cover is lent by the reserve, to those who may ask for it.
OPEN_HOLD = f"""
    WITH purse AS ({PURSE}),
         free AS (SELECT allowance_nanos + topup_nanos - allowance_out_nanos - topup_out_nanos - reserve_left_nanos
                         AS nanos FROM purse)
    INSERT INTO holds (being, month, state, allowance_nanos, topup_nanos, reserve_nanos, opened_at_ms, deadline_ms,
                       epoch, life, purpose, thought_id, provider, model)
    SELECT :being, month, 'open',
           MIN(:amount, MAX(0, allowance_nanos - allowance_out_nanos)),
           :amount - MIN(:amount, MAX(0, allowance_nanos - allowance_out_nanos)),
           MAX(0, :amount - MAX(0, free.nanos)),
           :opened_at_ms, :deadline_ms,
           COALESCE((SELECT epoch FROM leases WHERE being = :being), 0),
           COALESCE((SELECT life FROM beings WHERE being = :being), 0),
           :purpose, :thought_id, :provider, :model
      FROM purse, free
     WHERE free.nanos + CASE WHEN :use_reserve THEN MAX(0, reserve_left_nanos) ELSE 0 END >= :amount
    RETURNING id, being, month, allowance_nanos, topup_nanos, reserve_nanos, life, provider, model, thought_id
"""


def balance(transaction: Transaction, being: str) -> Balance:
    """The balance of the newest month. Raises FundsError when no month was ever opened."""
    purse = _purse(transaction, being)
    if purse is None:
        raise FundsError("This account was never opened.", hint="`alive up` or `alive think` opens it.")
    total = purse.allowance_nanos + purse.topup_nanos + purse.past_nanos
    return Balance(
        month=purse.month,
        granted_nanos=purse.granted_nanos,
        carried_nanos=purse.carried_nanos,
        credited_nanos=purse.credited_nanos,
        spent_nanos=purse.spent_nanos,
        held_nanos=purse.held_nanos,
        unknown_nanos=purse.unknown_nanos,
        reserve_nanos=purse.reserve_nanos,
        reserve_left_nanos=max(0, purse.reserve_left_nanos),
        total_nanos=total,
        available_nanos=total - purse.held_nanos - purse.unknown_nanos - purse.reserve_left_nanos,
    )


def is_open(transaction: Transaction, being: str, month: str, budget_nanos: int) -> bool:
    """Whether there is nothing to turn, to grant or to adjust."""
    newest = "SELECT month, budget_nanos FROM accounts WHERE being = :being ORDER BY month DESC LIMIT 1"
    row = _one(transaction, newest, being=being)
    return row is not None and row.month >= month and row.budget_nanos == budget_nanos


def open_hold(
    transaction: Transaction, being: str, amount_nanos: int, *, use_reserve: bool, **details: Any
) -> Hold | None:
    """Insert a hold in one conditional statement; None when the account cannot cover it.

    `details` are its opened_at_ms, deadline_ms, purpose, thought_id, provider and model. `use_reserve` lets it draw
    on what is set aside for existential moments.
    """
    row = _one(transaction, OPEN_HOLD, being=being, amount=amount_nanos, use_reserve=use_reserve, **details)
    return Hold(**row._asdict()) if row is not None else None


def free_hold(transaction: Transaction, being: str, provider: str, model: str, thought_id: str | None) -> Hold:
    """What stands for a hold where nothing can be charged: it knows its month and life, and has no row."""
    row = _one(
        transaction,
        "SELECT MAX(month) AS month, (SELECT life FROM beings WHERE being = :being) AS life"
        "  FROM accounts WHERE being = :being",
        being=being,
    )
    if row is None or row.month is None:
        raise FundsError("This account was never opened.", hint="`alive up` or `alive think` opens it.")
    return Hold(None, being, row.month, 0, 0, 0, row.life or 0, provider, model, thought_id)


def settle(transaction: Transaction, hold: Hold, charge: Charge, at_ms: int) -> int:
    """Book a charge against the hold's own month and split, end the hold, return by how much it was exceeded."""
    overrun = max(0, charge.cost_nanos - hold.amount_nanos)
    from_allowance = min(charge.cost_nanos, hold.allowance_nanos)
    if hold.id is not None and not _end_hold(transaction, hold.id, "settled", None, at_ms, charge.generation_id):
        return 0  # it was given up and charged in full meanwhile: nothing is booked twice
    if overrun:
        from_allowance += min(overrun, _uncommitted_allowance(transaction, hold))
    _book(
        transaction,
        hold.being,
        kind="charge",
        month=hold.month,
        at_ms=at_ms,
        allowance_nanos=-from_allowance,
        topup_nanos=-(charge.cost_nanos - from_allowance),
        external_id=f"charge:{hold.id or f'free:{uuid.uuid4().hex}'}",
        hold_id=hold.id,
        price_basis=charge.price_basis,
        overrun_nanos=overrun or None,
        life=hold.life,
        thought_id=hold.thought_id,
        provider=hold.provider,
        model=hold.model,
        generation_id=charge.generation_id,
        tokens_in=charge.tokens_in,
        tokens_out=charge.tokens_out,
        tokens_cached=charge.tokens_cached,
        tokens_reasoning=charge.tokens_reasoning,
        saved_nanos=charge.saved_nanos or None,
    )
    _use_reserve(transaction, hold, charge.cost_nanos)
    _expire_rest(transaction, hold, hold.allowance_nanos - from_allowance, at_ms)
    return overrun


def release(transaction: Transaction, hold: Hold, reason: str, at_ms: int) -> None:
    """End a hold that cost nothing; what it held of a month that is over expires at once."""
    if hold.id is not None and _end_hold(transaction, hold.id, "released", reason, at_ms, None):
        _expire_rest(transaction, hold, hold.allowance_nanos, at_ms)


def name_hold(transaction: Transaction, hold: Hold, generation_id: str) -> None:
    """Keep the provider's name of the call a hold is open for."""
    _run(
        transaction,
        "UPDATE holds SET generation_id = :generation_id WHERE id = :id AND state = 'open'",
        id=hold.id,
        generation_id=generation_id,
    )


def mark_unknown(transaction: Transaction, hold: Hold, reason: str, generation_id: str | None = None) -> None:
    """The fate of an attempt is unknown: its hold counts as spent until somebody learns better."""
    _run(
        transaction,
        "UPDATE holds SET state = 'unknown', reason = :reason, generation_id = COALESCE(:generation_id, generation_id)"
        " WHERE id = :id AND state = 'open'",
        id=hold.id,
        reason=reason,
        generation_id=generation_id,
    )


def mark_overdue(transaction: Transaction, being: str, now_ms: int) -> int:
    """Mark open holds of an older epoch, or past their deadline, as unknown; return how many there were."""
    return _run(
        transaction,
        "UPDATE holds SET state = 'unknown', reason = 'nobody was left to settle it'"
        " WHERE being = :being AND state = 'open' AND (deadline_ms < :now_ms"
        "    OR epoch < COALESCE((SELECT epoch FROM leases WHERE being = :being), 0))",
        being=being,
        now_ms=now_ms,
    )


def margin_permille(transaction: Transaction, being: str, model: str) -> int:
    """How much larger than its table says a hold for `model` should be: what it once cost, per mille of its hold.

    From 1000, which is the table's own, to LARGEST_MARGIN_PERMILLE.
    """
    worst = transaction.exec_driver_sql(
        "SELECT MAX((allowance_nanos + topup_nanos) * -1000"
        "           / NULLIF(-(allowance_nanos + topup_nanos) - overrun_nanos, 0))"
        "  FROM entries WHERE being = :being AND model = :model AND overrun_nanos IS NOT NULL",
        {"being": being, "model": model},
    ).scalar()
    return min(max(1000, int(worst or 0)), LARGEST_MARGIN_PERMILLE)


def newest_calls_ms(transaction: Transaction, being: str, model_suffix: str, limit: int) -> list[int]:
    """The moments of the newest settled calls of models whose id ends so, oldest first."""
    rows = transaction.exec_driver_sql(
        "SELECT at_ms FROM (SELECT id, at_ms, model FROM entries WHERE being = :being AND kind = 'charge'"
        "                    ORDER BY id DESC LIMIT :looked)"
        " WHERE model LIKE '%' || :suffix ORDER BY id DESC LIMIT :limit",
        {"being": being, "suffix": model_suffix, "limit": limit, "looked": limit * 5},
    )
    return [int(row.at_ms) for row in rows][::-1]


def lost_holds(transaction: Transaction, being: str) -> list[Lost]:
    """Every hold whose cost is unknown, oldest first."""
    rows = transaction.exec_driver_sql(
        "SELECT id, being, month, allowance_nanos, topup_nanos, reserve_nanos, life, provider, model, thought_id,"
        "       opened_at_ms, generation_id FROM holds WHERE being = :being AND state = 'unknown' ORDER BY id",
        {"being": being},
    )
    return [Lost(Hold(*row[:10]), row.opened_at_ms, row.generation_id) for row in rows]


def spent_at(transaction: Transaction, being: str, provider: str, month: str) -> int:
    """Settled charges of one provider in one month."""
    spent = transaction.exec_driver_sql(
        "SELECT COALESCE(-SUM(allowance_nanos + topup_nanos), 0) FROM entries"
        " WHERE being = :being AND month = :month AND kind = 'charge' AND provider = :provider",
        {"being": being, "provider": provider, "month": month},
    ).scalar_one()
    return int(spent)


def keep_reckoning(
    transaction: Transaction, being: str, provider: str, said: Reckoning, month: str, at_ms: int
) -> None:
    """Keep what a provider says of the account there, over what it said before."""
    _run(
        transaction,
        "INSERT INTO reckonings (being, provider, at_ms, month, usage_nanos, remaining_nanos)"
        " VALUES (:being, :provider, :at_ms, :month, :usage, :remaining)"
        " ON CONFLICT (being, provider) DO UPDATE SET at_ms = :at_ms, month = :month, usage_nanos = :usage,"
        "       remaining_nanos = :remaining",
        being=being,
        provider=provider,
        at_ms=at_ms,
        month=month,
        usage=said.usage_nanos,
        remaining=said.remaining_nanos,
    )


def credit(
    transaction: Transaction, being: str, kind: str, amount_nanos: int, external_id: str, note: str, at_ms: int
) -> bool:
    """Book a top-up, or an adjustment either way, once per external id; False when it was booked before."""
    known = "SELECT 1 FROM entries WHERE being = :being AND external_id = :external_id"
    if _one(transaction, known, being=being, external_id=external_id) is not None:
        return False
    _book(
        transaction,
        being,
        kind=kind,
        month=_newest_month(transaction, being),
        at_ms=at_ms,
        allowance_nanos=0,
        topup_nanos=amount_nanos,
        external_id=external_id,
        note=note or None,
    )
    return True


def turn_month(
    transaction: Transaction, being: str, month: str, budget_nanos: int, reserve_nanos: int, at_ms: int
) -> dict[str, int] | None:
    """Open `month` unless it is open: the old allowance expires, top-ups carry over, the new allowance is granted.

    Returns {expired, granted, carried}, or None when there was nothing to turn (also when the clock went backwards:
    a month once opened stays open).
    """
    old = _purse(transaction, being)
    if old is not None and old.month >= month:
        return None
    expired = old.allowance_nanos - old.allowance_out_nanos if old is not None else 0
    carried = old.topup_nanos if old is not None else 0
    if old is not None:
        if expired:
            over = {"kind": "expire", "month": old.month, "external_id": f"expire:{old.month}"}
            _book(transaction, being, at_ms=at_ms, allowance_nanos=-expired, topup_nanos=0, **over)
        # The top-ups move to the new month's row; the old row keeps only allowance that is still held.
        _run(
            transaction,
            "UPDATE accounts SET topup_nanos = 0 WHERE being = :being AND month = :old",
            being=being,
            old=old.month,
        )
    _run(
        transaction,
        "INSERT INTO accounts (being, month, budget_nanos, granted_nanos, carried_nanos, credited_nanos, spent_nanos,"
        "                      allowance_nanos, topup_nanos, reserve_nanos)"
        " VALUES (:being, :month, :budget, 0, :carried, 0, 0, 0, :carried, :reserve)",
        being=being,
        month=month,
        budget=budget_nanos,
        carried=carried,
        reserve=reserve_nanos,
    )
    granted = {"kind": "grant", "month": month, "external_id": f"grant:{month}"}
    _book(transaction, being, at_ms=at_ms, allowance_nanos=budget_nanos, topup_nanos=0, **granted)
    return {"expired": expired, "granted": budget_nanos, "carried": carried}


def apply_budget(transaction: Transaction, being: str, budget_nanos: int, reserve_nanos: int, at_ms: int) -> int:
    """A budget changed in mid-month is one `adjust` of the allowance, never below what is left; returns its size."""
    purse = _purse(transaction, being)
    if purse is None or purse.budget_nanos == budget_nanos:
        return 0
    left: int = purse.allowance_nanos - purse.allowance_out_nanos
    change: int = max(budget_nanos - purse.granted_nanos, -max(0, left))
    # What is set aside anew may not exceed what is there; what the reserve has lent already stays lent.
    lent: int = purse.reserve_nanos - purse.reserve_left_nanos
    there = max(0, left + change + purse.topup_nanos - purse.topup_out_nanos)
    _run(
        transaction,
        "UPDATE accounts SET budget_nanos = :budget, reserve_nanos = :reserve WHERE being = :being AND month = :month",
        being=being,
        month=purse.month,
        budget=budget_nanos,
        reserve=lent + min(max(0, reserve_nanos - lent), there),
    )
    if change:
        _book(
            transaction,
            being,
            kind="adjust",
            month=purse.month,
            at_ms=at_ms,
            allowance_nanos=change,
            topup_nanos=0,
            external_id=f"budget:{purse.month}:{uuid.uuid4().hex}",
            note="the monthly budget changed",
        )
    return change


def _book(
    transaction: Transaction,
    being: str,
    *,
    kind: str,
    month: str,
    allowance_nanos: int,
    topup_nanos: int,
    **details: Any,
) -> None:
    """Append one entry and move the accounts it belongs to: the only place where money changes."""
    entry = {"being": being, "kind": kind, "month": month, **details}
    entry |= {"allowance_nanos": allowance_nanos, "topup_nanos": topup_nanos}
    _run(transaction, f"INSERT INTO entries ({', '.join(entry)}) VALUES (:{', :'.join(entry)})", **entry)
    spent = -(allowance_nanos + topup_nanos) if kind == "charge" else 0
    granted = allowance_nanos if kind in ("grant", "adjust") else 0
    credited = topup_nanos if kind in ("topup", "adjust") else 0
    _run(
        transaction,
        "UPDATE accounts SET allowance_nanos = allowance_nanos + :allowance, granted_nanos = granted_nanos + :granted,"
        "       credited_nanos = credited_nanos + :credited, spent_nanos = spent_nanos + :spent"
        " WHERE being = :being AND month = :month",
        being=being,
        month=month,
        allowance=allowance_nanos,
        granted=granted,
        credited=credited,
        spent=spent,
    )
    if topup_nanos:  # top-ups belong to no month: they always stand in the newest row
        _run(
            transaction,
            "UPDATE accounts SET topup_nanos = topup_nanos + :topup"
            " WHERE being = :being AND month = (SELECT MAX(month) FROM accounts WHERE being = :being)",
            being=being,
            topup=topup_nanos,
        )


def _uncommitted_allowance(transaction: Transaction, hold: Hold) -> int:
    """Allowance nobody holds, which pays for a cost above its hold before the top-ups do (the hold has ended)."""
    purse = _purse(transaction, hold.being)
    if purse is None or purse.month != hold.month:
        return 0
    left: int = purse.allowance_nanos - purse.allowance_out_nanos - hold.allowance_nanos
    return max(0, left)


def _use_reserve(transaction: Transaction, hold: Hold, cost_nanos: int) -> None:
    """What a charge took of the reserve is no longer set aside; the reserve lends last."""
    used = max(0, min(hold.reserve_nanos, cost_nanos - (hold.amount_nanos - hold.reserve_nanos)))
    if used:
        _run(
            transaction,
            "UPDATE accounts SET reserve_nanos = MAX(0, reserve_nanos - :used) WHERE being = :being AND month = :month",
            being=hold.being,
            month=hold.month,
            used=used,
        )


def _expire_rest(transaction: Transaction, hold: Hold, rest_nanos: int, at_ms: int) -> None:
    """Allowance given back to a month that is over expires at once."""
    if rest_nanos > 0 and _newest_month(transaction, hold.being) != hold.month:
        _book(
            transaction,
            hold.being,
            kind="expire",
            month=hold.month,
            at_ms=at_ms,
            allowance_nanos=-rest_nanos,
            topup_nanos=0,
            external_id=f"expire:hold:{hold.id}",
            hold_id=hold.id,
        )


def _end_hold(
    transaction: Transaction, hold_id: int, state: str, reason: str | None, at_ms: int, generation_id: str | None
) -> bool:
    """End a hold that has not ended; False when it has."""
    ended = _run(
        transaction,
        "UPDATE holds SET state = :state, reason = :reason, closed_at_ms = :at_ms,"
        "       generation_id = COALESCE(:generation_id, generation_id)"
        " WHERE id = :id AND state IN ('open', 'unknown')",
        id=hold_id,
        state=state,
        reason=reason,
        at_ms=at_ms,
        generation_id=generation_id,
    )
    return ended > 0


def _newest_month(transaction: Transaction, being: str) -> str:
    newest = "SELECT MAX(month) FROM accounts WHERE being = :being"
    return str(transaction.exec_driver_sql(newest, {"being": being}).scalar_one())


def _purse(transaction: Transaction, being: str) -> Row[Any] | None:
    return _one(transaction, PURSE, being=being)


def _one(transaction: Transaction, sql: str, **values: Any) -> Row[Any] | None:
    return transaction.exec_driver_sql(sql, values).one_or_none()


def _run(transaction: Transaction, sql: str, **values: Any) -> int:
    """Execute and return how many rows it changed."""
    return int(transaction.exec_driver_sql(sql, values).rowcount)
