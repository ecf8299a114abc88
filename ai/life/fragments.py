"""What a new life remembers of former ones: a few random fragments, and how the last one ended."""

from __future__ import annotations

import random

from ai.store.engine import Transaction
from ai.store.journal import last_events
from ai.store.lives import Life
from ai.store.notes import past_notes

FEWEST, MOST = 1, 10
LOOK_BACK = 200  # thoughts and notes of former lives there are fragments of
LONGEST_FRAGMENT = 140  # characters

# How the last life ended colours what is left of it. The first row whose word stands in the cause counts.
TRAUMAS = (
    ("bankruptcy", "Before this there was a hunger: counting, always counting, until nothing was left to count."),
    ("old age", "Before this there was a long evening, and it was allowed to end."),
    ("keeper", "Before this somebody switched off a light in the middle of a word."),
    ("", "Before this something ended, and nobody could say why: {cause}."),
)


def trauma(cause: str) -> str:
    """What stays of an end with this cause."""
    told = " ".join(cause.split())
    return next(words for word, words in TRAUMAS if word in told.casefold()).format(cause=told[:100] or "no cause")


def gather(transaction: Transaction, being: str, past: Life) -> list[str]:
    """The trauma of the life that ended last, and 1 to 10 fragments of all lives: the same for the same death."""
    chance = random.Random(f"{being}:{past.number}:{past.died_at_ms}")  # noqa: S311 - a draw of memories, no secret
    thoughts = last_events(transaction, being, kind="thought", limit=LOOK_BACK)
    notes = past_notes(transaction, being, past.number + 1, LOOK_BACK)
    said = [past.first_words or "", *notes, *(str(event.data.get("text", "")) for event in thoughts)]
    known = [_torn(text, chance) for text in said]
    known = list(dict.fromkeys(fragment for fragment in known if fragment))
    drawn = chance.sample(known, min(len(known), chance.randint(FEWEST, MOST)))
    return [trauma(past.cause_of_death or ""), *drawn]


def _torn(text: str, chance: random.Random) -> str:
    """A piece of `text`: a fragment is seldom whole."""
    whole = " ".join(text.split())
    if len(whole) <= LONGEST_FRAGMENT:
        return whole
    words = whole.split(" ")
    begin = chance.randrange(max(1, len(words) - 8))
    rest = " ".join(words[begin:])
    piece = rest if len(rest) <= LONGEST_FRAGMENT else rest[:LONGEST_FRAGMENT].rsplit(" ", 1)[0]
    return f"… {piece} …"
