"""How the being is, as `/api/state` and `alive status` tell it: read from the store, never remembered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from ai.clock import iso, to_ms
from ai.store.engine import Transaction
from ai.store.healthcheck import STOPPED_AFTER_S as STOPPED_AFTER_S
from ai.store.journal import last_events
from ai.store.notes import count_notes
from ai.store.schema import beings, drafts, heartbeats, lives
from ai.store.summaries import LONGEST_STORY, read_summary


def read_state(transaction: Transaction, being: str, now: datetime) -> dict[str, Any]:
    """The being's state in the shape of interfaces' `/api/state`.

    `memory` is of the present life: `story_percent` says how much of its share of a prompt the story takes;
    `life.reborn_at` is when the next one begins, if that is planned. `heartbeat_age_s` is None while nobody ever ran
    it; `thinking` is true only while somebody runs it.
    """
    here = transaction.execute(select(beings).where(beings.c.being == being)).one_or_none()
    life = transaction.execute(
        select(lives).where(lives.c.being == being, lives.c.number == (here.life if here else 0))
    ).one_or_none()
    pulse = transaction.execute(select(heartbeats).where(heartbeats.c.being == being)).one_or_none()
    age_s = max(0.0, (to_ms(now) - pulse.at_ms) / 1000) if pulse else None
    running = age_s is not None and age_s <= STOPPED_AFTER_S
    last = next(iter(last_events(transaction, being, kind="thought")), None)
    number = life.number if life else 0
    story = read_summary(transaction, being, number)
    return {
        "being": {
            "id": being,
            "name": life.name if life else being.capitalize(),
            "pronoun": life.pronoun if life else "it",
            "icon": life.icon if life else "✨",
        },
        "life": {
            "number": number,
            "state": here.state if here else "unborn",
            "born_at": iso(life.born_at_ms) if life else None,
            "thoughts": life.thoughts if life else 0,
            "cause_of_death": life.cause_of_death if life else None,
            "reborn_at": iso(here.birth_due_ms) if here else None,
        },
        "mind": {key: last.data.get(key) if last else None for key in ("model", "provider", "class", "why")},
        "memory": {
            "notes": count_notes(transaction, being, number),
            "story_percent": round(100 * len(story.text) / LONGEST_STORY) if story else 0,
        },
        "tier": here.tier if here else None,
        "thinking": bool(pulse and pulse.thinking and running),
        "last_thought": {"id": last.id, "at": iso(last.at_ms), "text": last.data["text"]} if last else None,
        "next_thought_at": iso(pulse.next_thought_at_ms) if pulse and running else None,
        "heartbeat_age_s": age_s,
    }


def read_draft(transaction: Transaction, being: str) -> dict[str, Any] | None:
    """The thought being written: {thought_id, attempt, text, at}, or None when none is."""
    row = transaction.execute(select(drafts).where(drafts.c.being == being)).one_or_none()
    if row is None or not row.thought_id:
        return None
    return {"thought_id": row.thought_id, "attempt": row.attempt, "text": row.text, "at": iso(row.at_ms)}


def count_thoughts(transaction: Transaction, being: str) -> int:
    """How many thoughts all lives of `being` had together."""
    return transaction.execute(select(func.sum(lives.c.thoughts)).where(lives.c.being == being)).scalar() or 0
