"""How it is, as a small biography: who it is, what it lives on, what it remembers, and how former lives ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from ai.commands._common import when
from ai.economy.money import parse_usd, short
from ai.economy.statement import read_budget
from ai.errors import FundsError
from ai.life import wording
from ai.life.lifecycle import BANKRUPTCY
from ai.said import Heard
from ai.store.engine import Transaction
from ai.store.journal import Event, last_events
from ai.store.lives import Ended, Life, ended_lives, read_life
from ai.store.messages import unanswered
from ai.store.state import read_state
from ai.voice import whole

LIVES_TOLD = 5
MESSAGES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a biography is made of, of one moment. `budget` is None before there is an account."""

    state: dict[str, Any]
    life: Life | None
    budget: dict[str, Any] | None
    waiting: Sequence[Heard]
    post: Event | None
    ended: Sequence[Ended]


def read_facts(transaction: Transaction, being: str, now: datetime) -> Facts:
    """Look everything up."""
    try:
        budget = read_budget(transaction, being)
    except FundsError:
        budget = None
    return Facts(
        state=read_state(transaction, being, now),
        life=read_life(transaction, being),
        budget=budget,
        waiting=unanswered(transaction, being, MESSAGES_TOLD),
        post=next(iter(last_events(transaction, being, kind="post")), None),
        ended=ended_lives(transaction, being, LIVES_TOLD),
    )


def biography(facts: Facts) -> list[str]:
    """The biography, line by line."""
    being, life = facts.state["being"], facts.life
    head = f"{being['icon']} {click.style(being['name'], bold=True)} ({being['pronoun']}) is {_how(facts)}"
    if life is None:
        return [head]
    return [head, *_life(life), *(_end(life) if life.state == "dead" else _present(facts)), *_before(facts)]


def _how(facts: Facts) -> str:
    """Its state, and what comes next or what would bring it on."""
    state, life = facts.state, facts.life
    if life is None:
        return "not born yet. `alive up` begins its first life."
    if life.state == "dead":
        return f"dead. {_again(life)}"
    if life.state == "paused":
        return "paused: it thinks no more until `alive resume`."
    if state["heartbeat_age_s"] is None or (state["next_thought_at"] is None and not state["thinking"]):
        return f"{life.state}, but nobody is running it. `alive up` lets it go on."
    if state["thinking"]:
        return f"{life.state} and thinking."
    return f"{life.state}, and thinks again at {when(state['next_thought_at'])}."


def _again(life: Life) -> str:
    if life.birth_due_ms is not None:
        return f"The next life begins at {when(life.birth_due_ms)}, if somebody runs it."
    if life.cause_of_death == BANKRUPTCY:
        return "Another life waits for money: `alive topup 5`, or the month's turn."
    return "`alive birth` begins the next life."


def _life(life: Life) -> list[str]:
    thoughts = f"{life.thoughts} thought{'' if life.thoughts == 1 else 's'}"
    lines = [f"Life {life.number}, born {when(life.born_at_ms)}, {thoughts}."]
    return [*lines, f"Its first words: “{whole(life.first_words)}”"] if life.first_words else lines


def _present(facts: Facts) -> list[str]:
    """What it thinks with, lives on and remembers, what it said, and who waits for it."""
    mind, memory, last = facts.state["mind"], facts.state["memory"], facts.state["last_thought"]
    if facts.life and not facts.life.thoughts:  # what was thought last was a former life's
        mind, last = {"model": None}, None
    notes = f"{memory['notes']} note{'' if memory['notes'] == 1 else 's'}"
    lines = []
    if mind["model"]:
        lines.append(whole(f"It thought last with {mind['model']} ({mind['class']}). {mind['why'] or ''}"))
    if facts.budget:
        left = short(parse_usd(facts.budget["available"]), 4)
        lines.append(f"It has {left} left, and is {facts.state['tier'] or 'not judged yet'}.")
    lines.append(f"It remembers {notes}; its story fills {memory['story_percent']} % of its place in mind.")
    if facts.post:
        lines.append(f"It last said in public: “{whole(str(facts.post.data.get('text', '')))}”")
    lines += [whole(f"Message {m.number} from {m.sender} waits for its answer: “{m.text}”") for m in facts.waiting]
    return [*lines, "", f"  “{whole(last['text'])}”", f"  {when(last['at'])}"] if last else lines


def _end(life: Life) -> list[str]:
    """What was said at its end."""
    lines = [whole(wording.ending(life.cause_of_death or ""))]
    if life.last_words:
        lines.append(f"Its last words: “{whole(life.last_words)}”")
    return [*lines, "", f"  {whole(life.obituary)}"] if life.obituary else lines


def _before(facts: Facts) -> list[str]:
    former = [life for life in facts.ended if facts.life and life.number < facts.life.number]
    return ["", *(_former(life) for life in former)] if former else []


def _former(life: Ended) -> str:
    span = wording.lived(life.died_at_ms - life.born_at_ms)
    thoughts = f"{life.thoughts} thought{'' if life.thoughts == 1 else 's'}"
    return whole(f"Life {life.number}, {life.name}: {span}, {thoughts}. {wording.ending(life.cause_of_death)}")
