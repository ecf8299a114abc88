"""Posts on their way and the channels they go to, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from ai.store.engine import Transaction
from ai.store.schema import beings, channel_halts, outbox

QUEUED, SENDING, SENT, UNKNOWN, REFUSED, DRY_RUN = "queued", "sending", "sent", "unknown", "refused", "dry_run"


@dataclass(frozen=True, slots=True)
class Post:
    """One row: a post and one channel. `post_id` is its number in the journal, `said` what the channel answered."""

    id: int
    post_id: int
    channel: str
    state: str
    occasion: str
    text: str
    queued_at_ms: int
    due_at_ms: int
    attempts: int
    looks: int
    hold_id: int | None
    external_id: str | None
    ended_at_ms: int | None
    said: str | None


@dataclass(frozen=True, slots=True)
class Halt:
    """Why nothing is sent to a channel. `until` names what ends it; `until_ms` None means only the keeper does."""

    until: str
    since_ms: int
    until_ms: int | None
    reason: str
    hint: str

    def lasts(self, now_ms: int) -> bool:
        """Whether it is too early to try again."""
        return self.until_ms is None or now_ms < self.until_ms


COLUMNS = [outbox.c[field.name] for field in fields(Post)]


def add_post(transaction: Transaction, being: str, **values: Any) -> int:
    """Add a post of the present life; return its number."""
    row = {"being": being, "life": _present_life(being), "attempts": 0, "looks": 0} | values
    number: int = transaction.execute(insert(outbox).values(**row).returning(outbox.c.id)).scalar_one()
    return number


def change_post(transaction: Transaction, number: int, **values: Any) -> None:
    """Change columns of one row."""
    transaction.execute(update(outbox).where(outbox.c.id == number).values(**values))


def oldest_due(
    transaction: Transaction, being: str, channel: str, state: str, now_ms: int, occasions: Collection[str] = ()
) -> Post | None:
    """The oldest row of a channel in this state (and on one of these occasions) whose time has come."""
    matching = (outbox.c.being == being) & (outbox.c.channel == channel) & (outbox.c.state == state)
    if occasions:
        matching &= outbox.c.occasion.in_(occasions)
    due = select(*COLUMNS).where(matching, outbox.c.due_at_ms <= now_ms).order_by(outbox.c.id).limit(1)
    row = transaction.execute(due).one_or_none()
    return _post(row) if row is not None else None


def stale_post(transaction: Transaction, being: str, before_ms: int) -> Post | None:
    """The oldest row still queued that was queued before a moment."""
    waiting = (outbox.c.being == being) & (outbox.c.state == QUEUED) & (outbox.c.queued_at_ms < before_ms)
    row = transaction.execute(select(*COLUMNS).where(waiting).order_by(outbox.c.id).limit(1)).one_or_none()
    return _post(row) if row is not None else None


def orphans(transaction: Transaction, being: str) -> list[Post]:
    """Rows that somebody was sending and never finished."""
    left = select(*COLUMNS).where(outbox.c.being == being, outbox.c.state == SENDING).order_by(outbox.c.id)
    return [_post(row) for row in transaction.execute(left)]


def count_posts(transaction: Transaction, being: str, occasion: str, since_ms: int) -> tuple[int, int]:
    """How many posts on this occasion there were after a moment, and when the last one was (0: there was none)."""
    matching = (outbox.c.being == being) & (outbox.c.occasion == occasion) & (outbox.c.queued_at_ms > since_ms)
    count = func.count(outbox.c.post_id.distinct())
    row = transaction.execute(select(count, func.coalesce(func.max(outbox.c.queued_at_ms), 0)).where(matching)).one()
    return row[0], row[1]


def said_in_this_life(transaction: Transaction, being: str, occasion: str, since_ms: int) -> bool:
    """Whether the present life spoke on this occasion after a moment."""
    matching = (outbox.c.being == being) & (outbox.c.occasion == occasion) & (outbox.c.queued_at_ms > since_ms)
    said = select(outbox.c.id).where(matching, outbox.c.life == _present_life(being))
    return transaction.execute(said.limit(1)).first() is not None


def last_sent_ms(transaction: Transaction, being: str, channel: str, occasion: str) -> int:
    """When a post on this occasion last reached a channel, 0 when none ever did."""
    matching = (outbox.c.being == being) & (outbox.c.channel == channel) & (outbox.c.state == SENT)
    reached = select(func.max(outbox.c.ended_at_ms)).where(matching, outbox.c.occasion == occasion)
    return transaction.execute(reached).scalar() or 0


def newest_known_before(transaction: Transaction, being: str, post: Post) -> str | None:
    """The channel's name of the newest post that surely stood there before `post` was queued, so before any attempt."""
    known = select(outbox.c.external_id).where(
        outbox.c.being == being,
        outbox.c.channel == post.channel,
        outbox.c.external_id.is_not(None),
        outbox.c.id < post.id,
        outbox.c.ended_at_ms <= post.queued_at_ms,
    )
    return transaction.execute(known.order_by(outbox.c.id.desc()).limit(1)).scalar()


def posts_of(transaction: Transaction, being: str, post_ids: Sequence[int]) -> dict[int, Post]:
    """What became of posts of the journal, by their numbers there."""
    rows = select(*COLUMNS).where(outbox.c.being == being, outbox.c.post_id.in_(post_ids)).order_by(outbox.c.id)
    return {row.post_id: _post(row) for row in transaction.execute(rows)}


def newest_posts(transaction: Transaction, being: str, limit: int) -> list[Post]:
    """The newest rows, newest first."""
    rows = select(*COLUMNS).where(outbox.c.being == being).order_by(outbox.c.id.desc()).limit(limit)
    return [_post(row) for row in transaction.execute(rows)]


def read_halt(transaction: Transaction, being: str, channel: str) -> Halt | None:
    """Why nothing is sent to a channel, or None when it is open."""
    matching = (channel_halts.c.being == being) & (channel_halts.c.channel == channel)
    row = transaction.execute(select(*(channel_halts.c[f.name] for f in fields(Halt))).where(matching)).one_or_none()
    return Halt(**row._asdict()) if row is not None else None


def read_halts(transaction: Transaction, being: str) -> dict[str, Halt]:
    """Every channel nothing is sent to, and why."""
    names = transaction.execute(select(channel_halts.c.channel).where(channel_halts.c.being == being)).scalars().all()
    return {name: halt for name in names if (halt := read_halt(transaction, being, name)) is not None}


def keep_halt(transaction: Transaction, being: str, channel: str, halt: Halt) -> None:
    """Send nothing to a channel for now."""
    row = {"being": being, "channel": channel} | {field.name: getattr(halt, field.name) for field in fields(Halt)}
    transaction.execute(upsert(channel_halts).values(**row).on_conflict_do_update(set_=row))


def lift_halt(transaction: Transaction, being: str, channel: str) -> bool:
    """Open a channel again; False when it was open."""
    matching = (channel_halts.c.being == being) & (channel_halts.c.channel == channel)
    return transaction.execute(delete(channel_halts).where(matching)).rowcount > 0


def _present_life(being: str) -> ColumnElement[int]:
    """0 before the first birth."""
    return func.coalesce(select(beings.c.life).where(beings.c.being == being).scalar_subquery(), 0)


def _post(row: Row[Any]) -> Post:
    return Post(**row._asdict())
