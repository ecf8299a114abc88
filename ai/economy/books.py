"""The books in SQL: what an account, a hold and an entry are, and the only statements that move money.

Plain functions that run inside a caller's transaction. Every entry changes its month's account in the same
transaction, so the account always equals the sum of its entries; `statement.audit` compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, insert, literal, select, update

from ai.economy.account import Balance, Charge, Hold
from ai.errors import FundsError
from ai.store.engine import Transaction
from ai.store.schema import OUTSTANDING, accounts, beings, entries, holds, leases


def balance(transaction: Transaction, being: str) -> Balance:
    """The balance of the newest month. Raises FundsError when no month was ever opened."""
    account = _account(transaction, being)
    if account is None:
        raise FundsError("This account was never opened.", hint="`alive up` or `alive think` opens it.")
    held, unknown, _, lent = _outstanding(transaction, account)
    # Allowance of a past month survives only under the holds that are still to be settled against it.
    past = transaction.execute(
        select(func.coalesce(func.sum(accounts.c.allowance_nanos), 0)).where(
            accounts.c.being == being, accounts.c.month < account.month, accounts.c.allowance_nanos != 0
        )
    ).scalar_one()
    total = account.allowance_nanos + account.topup_nanos + past
    return Balance(
        month=account.month,
        granted_nanos=account.granted_nanos,
        carried_nanos=account.carried_nanos,
        credited_nanos=account.credited_nanos,
        spent_nanos=account.spent_nanos,
        held_nanos=held,
        unknown_nanos=unknown,
        reserve_nanos=account.reserve_nanos,
        total_nanos=total,
        available_nanos=total - held - unknown - (account.reserve_nanos - lent),
    )


def open_hold(
    transaction: Transaction, being: str, amount_nanos: int, *, use_reserve: bool, **details: Any
) -> Hold | None:
    """Insert a hold in one conditional statement; None when the account cannot cover it.

    The split takes the allowance first. `use_reserve` lets it draw on what is set aside for existential moments.
    """
    of_allowance = _sum(holds.c.allowance_nanos, holds.c.month == accounts.c.month)
    of_topup = _sum(holds.c.topup_nanos)
    lent = _sum(holds.c.reserve_nanos, holds.c.month == accounts.c.month)
    allowance_left = func.max(accounts.c.allowance_nanos - of_allowance, 0)
    left = accounts.c.allowance_nanos + accounts.c.topup_nanos - of_allowance - of_topup
    free = left - (accounts.c.reserve_nanos - lent)
    share = func.min(literal(amount_nanos), allowance_left)
    newest = select(func.max(accounts.c.month)).where(accounts.c.being == being).scalar_subquery()
    life = select(beings.c.life).where(beings.c.being == being).scalar_subquery()
    source = (
        select(
            accounts.c.being,
            accounts.c.month,
            literal("open"),
            share,
            amount_nanos - share,
            func.max(literal(amount_nanos) - func.max(free, 0), 0),
            func.coalesce(life, 0),
            func.coalesce(_epoch(being), 0),
            *(literal(value) for value in details.values()),
        )
        .where(accounts.c.being == being, accounts.c.month == newest)
        .where((left if use_reserve else free) >= amount_nanos)
    )
    names = (
        "being",
        "month",
        "state",
        "allowance_nanos",
        "topup_nanos",
        "reserve_nanos",
        "life",
        "epoch",
        *details,
    )
    row = transaction.execute(insert(holds).from_select(names, source).returning(holds)).one_or_none()
    return _hold(row) if row is not None else None


def settle(transaction: Transaction, hold: Hold, charge: Charge, at_ms: int) -> int:
    """Book a charge against the hold's own month and split, end the hold, return by how much it was exceeded."""
    overrun = max(0, charge.cost_nanos - hold.amount_nanos)
    from_allowance = min(charge.cost_nanos, hold.allowance_nanos)
    _end_hold(transaction, hold.id, "settled", None, at_ms, charge.generation_id)
    if overrun:  # above the hold: whatever allowance is left uncommitted pays before the top-ups do
        account = _account(transaction, hold.being)
        assert account is not None, "a hold has an account"
        if account.month == hold.month:
            _, _, committed, _ = _outstanding(transaction, account)
            uncommitted = account.allowance_nanos - committed - hold.allowance_nanos
            from_allowance += min(overrun, max(0, uncommitted))
    _book(
        transaction,
        hold.being,
        kind="charge",
        month=hold.month,
        at_ms=at_ms,
        allowance_nanos=-from_allowance,
        topup_nanos=-(charge.cost_nanos - from_allowance),
        external_id=f"charge:{hold.id}",
        hold_id=hold.id,
        price_basis=charge.price_basis,
        overrun_nanos=overrun or None,
        life=hold.life,
        provider=hold.provider,
        model=hold.model,
        generation_id=charge.generation_id,
        tokens_in=charge.tokens_in,
        tokens_out=charge.tokens_out,
        tokens_cached=charge.tokens_cached,
        tokens_reasoning=charge.tokens_reasoning,
    )
    _use_reserve(transaction, hold, charge.cost_nanos)
    _expire_rest(transaction, hold, hold.allowance_nanos - from_allowance, at_ms)
    return overrun


def release(transaction: Transaction, hold: Hold, reason: str, at_ms: int) -> None:
    """End a hold that cost nothing; what it held of a month that is over expires at once."""
    _end_hold(transaction, hold.id, "released", reason, at_ms, None)
    _expire_rest(transaction, hold, hold.allowance_nanos, at_ms)


def mark_unknown(transaction: Transaction, hold_id: int, reason: str, generation_id: str | None = None) -> None:
    """The fate of an attempt is unknown: its hold counts as spent until somebody learns better."""
    change = {"state": "unknown", "reason": reason, "generation_id": generation_id}
    transaction.execute(update(holds).where(holds.c.id == hold_id, holds.c.state == "open").values(**change))


def mark_overdue(transaction: Transaction, being: str, now_ms: int) -> int:
    """Mark open holds of an older epoch, or past their deadline, as unknown; return how many there were."""
    lost = (holds.c.epoch < _epoch(being)) | (holds.c.deadline_ms < now_ms)
    return transaction.execute(
        update(holds)
        .where(holds.c.being == being, holds.c.state == "open", lost)
        .values(state="unknown", reason="nobody was left to settle it")
    ).rowcount


def topup(transaction: Transaction, being: str, amount_nanos: int, external_id: str, note: str, at_ms: int) -> bool:
    """Credit a top-up once per external id; False when it was credited before."""
    if _known(transaction, being, external_id):
        return False
    account = _account(transaction, being)
    assert account is not None, "a month is opened before it is credited"
    _book(
        transaction,
        being,
        kind="topup",
        month=account.month,
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
    old = _account(transaction, being)
    if old is not None and old.month >= month:
        return None
    expired = carried = 0
    if old is not None:
        _, _, committed, _ = _outstanding(transaction, old)
        expired, carried = old.allowance_nanos - committed, old.topup_nanos
        if expired:
            _book(
                transaction,
                being,
                kind="expire",
                month=old.month,
                at_ms=at_ms,
                allowance_nanos=-expired,
                topup_nanos=0,
                external_id=f"expire:{old.month}",
            )
        # The top-ups move to the new month's row; the old row keeps only allowance that is still held.
        transaction.execute(update(accounts).where(_this(being, old.month)).values(topup_nanos=0))
    transaction.execute(
        insert(accounts).values(
            being=being,
            month=month,
            budget_nanos=budget_nanos,
            granted_nanos=0,
            carried_nanos=carried,
            credited_nanos=0,
            spent_nanos=0,
            allowance_nanos=0,
            topup_nanos=carried,
            reserve_nanos=reserve_nanos,
        )
    )
    _book(
        transaction,
        being,
        kind="grant",
        month=month,
        at_ms=at_ms,
        allowance_nanos=budget_nanos,
        topup_nanos=0,
        external_id=f"grant:{month}",
    )
    return {"expired": expired, "granted": budget_nanos, "carried": carried}


def apply_budget(transaction: Transaction, being: str, budget_nanos: int, reserve_nanos: int, at_ms: int) -> int:
    """A budget changed in mid-month is one `adjust` of the allowance, never below what is left; returns its size."""
    account = _account(transaction, being)
    if account is None or account.budget_nanos == budget_nanos:
        return 0
    _, _, committed, _ = _outstanding(transaction, account)
    left: int = account.allowance_nanos - committed
    change: int = max(budget_nanos - account.budget_nanos, -max(0, left))
    transaction.execute(
        update(accounts)
        .where(_this(being, account.month))
        .values(budget_nanos=budget_nanos, reserve_nanos=reserve_nanos)
    )
    if change:
        count = transaction.execute(
            select(func.count()).select_from(entries).where(entries.c.being == being, entries.c.kind == "adjust")
        ).scalar_one()
        _book(
            transaction,
            being,
            kind="adjust",
            month=account.month,
            at_ms=at_ms,
            allowance_nanos=change,
            topup_nanos=0,
            external_id=f"budget:{account.month}:{count + 1}",
            note="the monthly budget changed",
        )
    return change


_COUNTERS = {"grant": "granted_nanos", "topup": "credited_nanos", "charge": "spent_nanos"}


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
    split = {"allowance_nanos": allowance_nanos, "topup_nanos": topup_nanos}
    transaction.execute(insert(entries).values(being=being, kind=kind, month=month, **split, **details))
    changes: dict[str, Any] = {"allowance_nanos": accounts.c.allowance_nanos + allowance_nanos}
    if kind in _COUNTERS:
        counter = _COUNTERS[kind]
        changes[counter] = accounts.c[counter] + abs(allowance_nanos + topup_nanos)
    elif kind == "adjust":
        changes["granted_nanos"] = accounts.c.granted_nanos + allowance_nanos
        changes["credited_nanos"] = accounts.c.credited_nanos + topup_nanos
    transaction.execute(update(accounts).where(_this(being, month)).values(**changes))
    if topup_nanos:  # top-ups belong to no month: they always stand in the newest row
        newest = select(func.max(accounts.c.month)).where(accounts.c.being == being).scalar_subquery()
        transaction.execute(
            update(accounts).where(_this(being, newest)).values(topup_nanos=accounts.c.topup_nanos + topup_nanos)
        )


def _use_reserve(transaction: Transaction, hold: Hold, cost_nanos: int) -> None:
    """What a charge took of the reserve is no longer set aside; the reserve lends last."""
    used = max(0, min(hold.reserve_nanos, cost_nanos - (hold.amount_nanos - hold.reserve_nanos)))
    if used:
        transaction.execute(
            update(accounts)
            .where(_this(hold.being, hold.month))
            .values(reserve_nanos=func.max(0, accounts.c.reserve_nanos - used))
        )


def _expire_rest(transaction: Transaction, hold: Hold, rest_nanos: int, at_ms: int) -> None:
    """Allowance given back to a month that is over expires at once."""
    account = _account(transaction, hold.being)
    assert account is not None, "a hold has an account"
    if account.month == hold.month or rest_nanos <= 0:
        return
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
    transaction: Transaction,
    hold_id: int,
    state: str,
    reason: str | None,
    at_ms: int,
    generation_id: str | None,
) -> None:
    transaction.execute(
        update(holds)
        .where(holds.c.id == hold_id)
        .values(state=state, reason=reason, closed_at_ms=at_ms, generation_id=generation_id)
    )


def _outstanding(transaction: Transaction, account: Row[Any]) -> tuple[int, int, int, int]:
    """(open, unknown, of them this month's allowance, of them lent by the reserve), in nano-dollars."""
    amount = holds.c.allowance_nanos + holds.c.topup_nanos
    row = transaction.execute(
        select(
            func.coalesce(func.sum(amount).filter(holds.c.state == "open"), 0),
            func.coalesce(func.sum(amount).filter(holds.c.state == "unknown"), 0),
            func.coalesce(func.sum(holds.c.allowance_nanos).filter(holds.c.month == account.month), 0),
            func.coalesce(func.sum(holds.c.reserve_nanos).filter(holds.c.month == account.month), 0),
        ).where(holds.c.being == account.being, OUTSTANDING)
    ).one()
    return row[0], row[1], row[2], row[3]


def _sum(column: Any, *conditions: Any) -> Any:
    return (
        select(func.coalesce(func.sum(column), 0))
        .where(holds.c.being == accounts.c.being, OUTSTANDING, *conditions)
        .correlate(accounts)
        .scalar_subquery()
    )


def _epoch(being: str) -> Any:
    return select(leases.c.epoch).where(leases.c.being == being).scalar_subquery()


def _account(transaction: Transaction, being: str) -> Row[Any] | None:
    return transaction.execute(
        select(accounts).where(accounts.c.being == being).order_by(accounts.c.month.desc()).limit(1)
    ).one_or_none()


def _this(being: str, month: Any) -> Any:
    return (accounts.c.being == being) & (accounts.c.month == month)


def _known(transaction: Transaction, being: str, external_id: str) -> bool:
    found = select(entries.c.id).where(entries.c.being == being, entries.c.external_id == external_id)
    return transaction.execute(found).first() is not None


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        being=row.being,
        month=row.month,
        allowance_nanos=row.allowance_nanos,
        topup_nanos=row.topup_nanos,
        reserve_nanos=row.reserve_nanos,
        life=row.life,
        provider=row.provider,
        model=row.model,
    )
