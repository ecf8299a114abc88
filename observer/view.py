"""The first page as data: the template renders it, and the page's script renders it again whenever it changes.

All wording is made here, once, so that the page says the same with and without scripts.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from ai.clock import iso, to_ms
from ai.economy.tiers import BY_NAME, TIERS
from ai.store.blog import Essay
from ai.store.journal import Event
from ai.store.outbox import DRY_RUN, QUEUED, REFUSED, SENDING, SENT, UNKNOWN, Post
from observer.mood import cause_of_death, epitaph, mood_of, running
from observer.readers import Front
from observer.words import DAY_S, channel, cost, count, days_between, line, moment, money, sentence, span, stamp

BANDS = [{"name": tier.name, "percent": int(tier.floor * 100)} for tier in TIERS if tier.floor]
"""Where the tiers begin on the purse's bar, in percent."""

OPENING = 300  # characters of an essay shown in the list
NEXT_WORDS = {"unborn": "The first breath comes", "dead": "The next life begins"}
TOO_EARLY = "Too early to say how long the money lasts."


def front_view(front: Front, now: datetime) -> dict[str, Any]:
    """Everything the first page shows, in words, as plain JSON."""
    state, mood = front.state, mood_of(front.state)
    return {
        "now": iso(to_ms(now)),
        "newest": front.newest,
        "name": state["being"]["name"],
        "icon": state["being"]["icon"],
        "title": f"{state['being']['name']} · {mood.word}",
        "mood": asdict(mood),
        "running": running(state),
        "biography": _biography(state, now),
        "stillness": _stillness(front),
        "next_thought_at": _next_at(state),
        "next_words": NEXT_WORDS.get(state["life"]["state"], "The next thought comes"),
        "thoughts": [thought(event) for event in front.thoughts],
        "draft": front.draft,
        "purse": purse(front.budget, now, spending=state["life"]["state"] not in ("unborn", "dead")),
        "mind": _mind(state),
        "posts": [row(event) | {"fate": _fate(front.delivered.get(event.id))} for event in front.posts],
        "kept_back": _kept_back(front, now),
        "why_no_post": _why_no_post(front),
        "lately": [row(event) for event in front.lately],
    }


def row(event: Event) -> dict[str, Any]:
    """One journal row in words."""
    return {"id": event.id, "at": iso(event.at_ms), "kind": event.kind, "text": line(event.kind, event.data)}


def thought(event: Event) -> dict[str, Any]:
    """One thought, with what it cost and why it came about as it did."""
    data = event.data
    return {
        "id": event.id,
        "thought_id": data.get("thought_id"),
        "at": iso(event.at_ms),
        "text": str(data.get("text") or ""),
        "model": str(data.get("name") or data.get("model") or "an unknown model"),
        "cost": cost(data.get("cost")),
        "why": _why(data),
    }


def essay(one: Essay) -> dict[str, Any]:
    """One blog post: its paragraphs, and the first of them to begin with."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", one.text.strip())]
    return {
        "id": one.id,
        "life": one.life,
        "at": iso(one.at_ms),
        "title": one.title,
        "paragraphs": paragraphs,
        "opening": paragraphs[0] if len(paragraphs[0]) <= OPENING else paragraphs[0][:OPENING].rsplit(" ", 1)[0] + " …",
    }


def purse(budget: dict[str, Any], now: datetime, *, spending: bool = True) -> dict[str, Any]:
    """The balance: `percent` left (None: unknown), the figure at the bar's end, and the sentence under it."""
    fraction = budget["fraction"]
    percent = None if fraction is None else round(max(0.0, min(1.0, fraction)) * 100, 1)
    days = max(0, -(-int((moment(budget["resets_at"]) - now).total_seconds()) // DAY_S))
    turn = "The month turns within the hour." if not days else f"The month turns in {count(days, 'day')}."
    if budget["available"] is None:
        said = "No account has been opened yet."
    elif not spending:
        said = f"Nobody is spending it. {turn}"
    elif budget["runway"]:
        said = f"At this pace until {_runway(budget['runway'])}; t{turn[1:]}"
    else:
        said = f"{TOO_EARLY} {turn}"
    return {
        "percent": percent,
        "figure": money(budget["available"]),
        "tier": budget["tier"] or "",
        "label": f"{percent:g} percent of this month's money is left" if percent is not None else "unknown",
        "sentence": said,
    }


def _runway(runway: dict[str, Any]) -> str:
    ends = [date.fromisoformat(str(runway.get(end) or runway["date"])[:10]) for end in ("low", "high")]
    return days_between(min(ends), max(ends))


def _biography(state: dict[str, Any], now: datetime) -> str:
    life = state["life"]
    if not life["number"]:
        return ""
    parts = [f"Life {life['number']}"]
    if life["born_at"] and life["state"] != "dead":
        parts.append(f"{span(max(0.0, (now - moment(life['born_at'])).total_seconds()))} old")
    memory = state["memory"]
    told = ", ".join([*parts, count(life["thoughts"], "thought"), count(memory["notes"], "note")])
    return f"{told}. Its story fills {memory['story_percent']} % of its place in mind."


def _next_at(state: dict[str, Any]) -> str | None:
    """When something begins again, if that is known."""
    if state["life"]["state"] == "dead":
        return state["life"]["reborn_at"] if running(state) else None
    return None if state["life"]["state"] == "paused" else state["next_thought_at"]


def _stillness(front: Front) -> str | None:
    """What stands in the place of the thought when there is none to show."""
    life = front.state["life"]["state"]
    if life == "unborn":
        return "Nobody is here yet."
    if life == "dead":
        if front.life is None:
            return f"This life is over. {cause_of_death(front.state['life']['cause_of_death'])}".strip()
        return epitaph(front.life)
    return None if front.thoughts else "It has opened its eyes, and not yet thought anything."


def _mind(state: dict[str, Any]) -> dict[str, str]:
    mind = state["mind"]
    told = (str(part).replace("_", " ") for part in (mind["class"], mind["provider"]) if part)
    where = " · ".join(dict.fromkeys(told))  # the local class has one provider of the same name
    why = sentence(mind["why"]) or "No thought has been thought yet, so no model has been chosen."
    return {"model": str(mind["model"] or "None yet"), "where": where, "why": why}


FATES = {
    SENT: "On {name}.",
    QUEUED: "On its way to {name}.",
    SENDING: "On its way to {name}.",
    UNKNOWN: "Perhaps on {name}: it is looked up before it is tried again.",
    REFUSED: "Not on {name}.",
    DRY_RUN: "Not on {name}: a dry run.",
}


def _fate(post: Post | None) -> str:
    """What became of a post beyond the local timeline; nothing for one that was meant for no other channel."""
    if post is None or post.channel == "timeline":
        return ""
    return f"{FATES[post.state].format(name=channel(post.channel))} {sentence(post.said)}".rstrip()


def _kept_back(front: Front, now: datetime) -> str:
    """Which channels take nothing at the moment, and why."""
    told = []
    for name, halt in front.halts.items():
        if halt.lasts(to_ms(now)):
            until = f" before {stamp(iso(halt.until_ms) or '')}" if halt.until_ms else " until its keeper says so"
            told.append(f"Nothing is sent to {channel(name)}{until}. {sentence(halt.reason)} {halt.hint}".rstrip())
    return " ".join(told)


def _why_no_post(front: Front) -> str:
    tier = BY_NAME.get(front.state["tier"] or "")
    if front.state["life"]["state"] in ("unborn", "dead"):
        return "Nobody is here to say anything."
    if tier is None:
        return "It posts when it chooses to."
    if not tier.posts_a_day:
        return f"A {tier.name} being does not post any more."
    return f"It posts when it chooses to; while {tier.name}, at most {count(tier.posts_a_day, 'time')} a day."


def _why(data: dict[str, Any]) -> list[str]:
    """Lines behind a thought's "why"."""
    lines = [sentence(data.get("why"))]
    kind = " ".join(str(data[key]).replace("_", " ") for key in ("moment",) if data.get(key))
    if kind:
        lines.append(f"{sentence(kind)[:-1]} moment, {str(data.get('class') or 'unknown').replace('_', ' ')} model.")
    lines += _failed(data.get("attempts"))
    if isinstance(data.get("tokens_in"), int) and isinstance(data.get("tokens_out"), int):
        took = data.get("latency_s")
        spent = f" in {took:.1f} s" if isinstance(took, int | float) else ""
        lines.append(f"{data['tokens_in']:,} tokens read, {data['tokens_out']:,} written{spent}.")
    return [text for text in lines if text]


def _failed(attempts: Any) -> list[str]:
    if not isinstance(attempts, list):
        return []
    tried = [attempt for attempt in attempts if isinstance(attempt, dict) and attempt.get("reason")]
    return [f"{attempt.get('model') or 'A model'}: {sentence(attempt['reason'])}" for attempt in tried]
