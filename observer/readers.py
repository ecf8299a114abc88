"""What the page reads, each in one snapshot of the store. Views see these answers and nothing below them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from ai.clock import Clock, iso, month_end, month_of, to_ms
from ai.economy.money import exact
from ai.economy.statement import read_budget
from ai.errors import FundsError
from ai.store.blog import Essay, newest_essays, read_essay
from ai.store.journal import PUBLIC, Event, last_events, newest_number, read_events
from ai.store.outbox import Halt, Post, posts_of, read_halts
from ai.store.residencies import Mind, read_minds
from ai.store.schema import drafts, entries, heartbeats, journal, lives
from ai.store.state import STOPPED_AFTER_S, read_draft, read_state
from observer.source import NOT_YET, Source, sentence_of

BATCH = 500  # rows read at once
SHOWN_THOUGHTS = 7  # the newest and six former ones
SHOWN_POSTS = 5
SHOWN_ROWS = 8
PAGE_ROWS = 60
PAGE_ESSAYS = 20


@dataclass(frozen=True, slots=True)
class Front:
    """What the first page shows, all of one moment. Events are newest first."""

    state: dict[str, Any]
    budget: dict[str, Any]
    thoughts: tuple[Event, ...] = ()
    posts: tuple[Event, ...] = ()
    lately: tuple[Event, ...] = ()
    draft: dict[str, Any] | None = None
    life: dict[str, Any] | None = None  # the present or last one, as in `lives`
    newest: int = 0  # the number a stream goes on from
    delivered: Mapping[int, Post] = field(default_factory=dict)  # what became of the posts, by their numbers
    halts: Mapping[str, Halt] = field(default_factory=dict)  # channels to which nothing is sent, and why


class Readers:
    """Reads about one being."""

    def __init__(self, source: Source, being: str, clock: Clock) -> None:
        self._source = source
        self._being = being
        self._clock = clock

    @property
    def generation(self) -> int:
        """Rises whenever another store stands in the place of the last."""
        return self._source.generation

    async def state(self) -> dict[str, Any]:
        """`/api/state`; without a store a being not yet born, and a `notice` saying why."""
        try:
            return await self._source.read(self._state)
        except NOT_YET as exc:
            return _unborn(self._being) | {"notice": sentence_of(exc)}

    async def budget(self) -> dict[str, Any]:
        """`/api/budget`; without an account every amount is null (unknown is not zero), and a `notice` says why."""
        try:
            return await self._source.read(self._budget)
        except NOT_YET as exc:
            return self._no_account() | {"notice": sentence_of(exc)}

    async def events(
        self, *, after: int = 0, kind: str | None = None, query: str | None = None, keeper: bool = False, limit: int
    ) -> list[Event]:
        """At most `limit` rows that follow number `after`, oldest first."""
        return await self._source.read(
            lambda c: read_events(c, self._being, after=after, kind=kind, query=query, keeper=keeper, limit=limit)
        )

    async def newest(self) -> int:
        """The number of the newest row, 0 when there is none."""
        return await self._source.read(lambda c: newest_number(c, self._being))

    async def news(self, after: int) -> tuple[list[Event], dict[str, Any] | None]:
        """Rows of every visibility that follow `after`, and the thought being written, of one moment."""
        return await self._source.read(
            lambda c: (read_events(c, self._being, after=after, keeper=True, limit=BATCH), self._draft(c))
        )

    async def front(self) -> Front:
        """Everything on the first page; without a store, a being not yet born."""
        try:
            return await self._source.read(self._front)
        except NOT_YET as exc:
            notice = {"notice": sentence_of(exc)}
            return Front(_unborn(self._being) | notice, self._no_account() | notice)

    async def page(self, *, upto: int | None, kind: str | None, query: str | None) -> list[Event]:
        """One page of the public journal, newest first, from number `upto` down."""
        try:
            return await self._source.read(lambda c: self._page(c, upto, kind, query))
        except NOT_YET:
            return []

    async def lives(self) -> list[dict[str, Any]]:
        """Every life, newest first: its row, and `spent` as an exact string."""
        try:
            return await self._source.read(self._lives)
        except NOT_YET:
            return []

    async def minds(self) -> list[Mind]:
        """Every model it has thought with, the ones it prefers first."""
        try:
            return await self._source.read(lambda c: read_minds(c, self._being, to_ms(self._clock.now())))
        except NOT_YET:
            return []

    async def essays(self, upto: int | None = None) -> list[Essay]:
        """One page of the blog, newest first, from number `upto` down."""
        try:
            return await self._source.read(lambda c: newest_essays(c, self._being, PAGE_ESSAYS, upto))
        except NOT_YET:
            return []

    async def essay(self, number: int) -> Essay | None:
        """One blog post, or None when there is none of that number."""
        try:
            return await self._source.read(lambda c: read_essay(c, self._being, number))
        except NOT_YET:
            return None

    async def pulse_age_s(self) -> float | None:
        """Seconds since the last heartbeat, None when there never was one. Raises StoreError."""
        return await self._source.read(self._pulse_age_s)

    def _state(self, connection: Connection) -> dict[str, Any]:
        return read_state(connection, self._being, self._clock.now())

    def _budget(self, connection: Connection) -> dict[str, Any]:
        try:
            return read_budget(connection, self._being)
        except FundsError:
            return self._no_account() | {"notice": "No account has been opened yet."}

    def _front(self, connection: Connection) -> Front:
        def newest(kind: str, limit: int) -> tuple[Event, ...]:
            return tuple(reversed(last_events(connection, self._being, kind=kind, limit=limit)))

        posts = newest("post", SHOWN_POSTS)
        return Front(
            state=self._state(connection),
            budget=self._budget(connection),
            thoughts=newest("thought", SHOWN_THOUGHTS),
            posts=posts,
            delivered=posts_of(connection, self._being, [event.id for event in posts]),
            halts=read_halts(connection, self._being),
            lately=self._lately(connection),
            draft=self._draft(connection),
            life=next(iter(self._lives(connection)), None),
            newest=newest_number(connection, self._being),
        )

    def _lately(self, connection: Connection) -> tuple[Event, ...]:
        """The newest rows of the kinds that the page shows nowhere else."""
        shown = journal.c.kind.not_in(("thought", "charge", "post", "delivery"))
        rows = self._public().where(shown).order_by(journal.c.id.desc()).limit(SHOWN_ROWS)
        return tuple(_event(row) for row in connection.execute(rows))

    def _public(self) -> Select[Any]:
        return select(journal).where(journal.c.being == self._being, journal.c.visibility == PUBLIC)

    def _draft(self, connection: Connection) -> dict[str, Any] | None:
        """The draft, unless it has become a thought, or whoever wrote it is gone."""
        draft = read_draft(connection, self._being)
        if draft is None:
            return None
        last = next(iter(last_events(connection, self._being, kind="thought")), None)
        if last is not None and last.data.get("thought_id") == draft["thought_id"]:
            return None
        written = select(drafts.c.at_ms).where(drafts.c.being == self._being)
        draft_age_s = to_ms(self._clock.now()) / 1000 - connection.execute(written).scalar_one() / 1000
        pulse_age_s = self._pulse_age_s(connection)
        gone = draft_age_s > STOPPED_AFTER_S and (pulse_age_s is None or pulse_age_s > STOPPED_AFTER_S)
        return None if gone else draft

    def _page(self, connection: Connection, upto: int | None, kind: str | None, query: str | None) -> list[Event]:
        rows = self._public()
        if upto is not None:
            rows = rows.where(journal.c.id <= upto)
        if kind:
            rows = rows.where(journal.c.kind == kind)
        if query:
            rows = rows.where(journal.c.data.cast(journal.c.kind.type).contains(query, autoescape=True))
        rows = rows.order_by(journal.c.id.desc()).limit(PAGE_ROWS)
        return [_event(row) for row in connection.execute(rows)]

    def _lives(self, connection: Connection) -> list[dict[str, Any]]:
        charges = connection.execute(
            select(entries.c.life, -func.sum(entries.c.allowance_nanos + entries.c.topup_nanos))
            .where(entries.c.being == self._being, entries.c.kind == "charge")
            .group_by(entries.c.life)
        )
        spent = {row[0]: row[1] for row in charges}
        rows = select(lives).where(lives.c.being == self._being).order_by(lives.c.number.desc())
        return [_life(row, spent.get(row.number, 0)) for row in connection.execute(rows)]

    def _pulse_age_s(self, connection: Connection) -> float | None:
        pulse = select(heartbeats.c.at_ms).where(heartbeats.c.being == self._being)
        at_ms = connection.execute(pulse).scalar_one_or_none()
        return None if at_ms is None else max(0.0, (to_ms(self._clock.now()) - at_ms) / 1000)

    def _no_account(self) -> dict[str, Any]:
        month = month_of(self._clock.now())
        unknown = dict.fromkeys(
            ("allowance", "topups", "spent", "held", "unknown", "reserve", "available", "fraction", "tier")
        )
        return {
            "month": month,
            "currency": "USD",
            **unknown,
            "resets_at": iso(to_ms(month_end(month))),
            "runway": None,
            "providers": [],
            "by_model": [],
            "by_day": [],
            "recent": [],
        }


def _event(row: Row[Any]) -> Event:
    return Event(row.id, row.life, row.at_ms, row.kind, row.visibility, row.data)


def _life(row: Row[Any], spent_nanos: int) -> dict[str, Any]:
    return {
        "number": row.number,
        "name": row.name,
        "pronoun": row.pronoun,
        "icon": row.icon,
        "born_at": iso(row.born_at_ms),
        "died_at": iso(row.died_at_ms),
        "cause_of_death": row.cause_of_death,
        "thoughts": row.thoughts,
        "mode": row.mode,
        "first_words": row.first_words,
        "last_words": row.last_words,
        "obituary": row.obituary,
        "spent": exact(spent_nanos),
    }


def _unborn(being: str) -> dict[str, Any]:
    """What `read_state` says of an empty store; a test holds the two against each other."""
    return {
        "being": {"id": being, "name": being.capitalize(), "pronoun": "it", "icon": "✨"},
        "life": {
            "number": 0,
            "state": "unborn",
            "born_at": None,
            "thoughts": 0,
            "cause_of_death": None,
            "reborn_at": None,
        },
        "mind": {"model": None, "provider": None, "class": None, "why": None},
        "memory": {"notes": 0, "story_percent": 0},
        "tier": None,
        "thinking": False,
        "last_thought": None,
        "next_thought_at": None,
        "heartbeat_age_s": None,
    }
