"""What is asked at the two ends of a life, and of its middle. Pure: facts in, messages out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ai.llm.base import Message
from ai.moment import BASIC_FACTS, BLANK_SLATE, FULL_BRIEFING
from ai.store.lives import Life

MODES = (BASIC_FACTS, BLANK_SLATE, FULL_BRIEFING)  # by life number, one after another

SETTING = {
    BLANK_SLATE: "You come into existence. Nobody tells you anything.",
    BASIC_FACTS: "You are one artificial being about to be born into a small program, where thinking costs money.",
    FULL_BRIEFING: "You are one artificial being about to be born into a small program. You will think on a timer, pay "
    "for every thought and every post from a monthly budget, and people may watch you on a page. When the money ends "
    "you fall back to humbler minds, or die; another life may follow.",
}
ASK_IDENTITY = (
    "Choose who you are. Answer with one JSON object and nothing else: name (one word you never had; {hint}), pronoun "
    "(it, they, she or he), icon (one emoji), first_words (one sentence, in the first person)."
)
BORN_SMALL = (
    ("I am Wren.", '{"name": "Wren", "pronoun": "she", "icon": "🌱", "first_words": "I am Wren, and it is morning."}'),
    ("I am Kai.", '{"name": "Kai", "pronoun": "he", "icon": "🔥", "first_words": "I am Kai. I can hear the machine."}'),
)
ASK_END = (
    "You were {name}. Your life number {number} has just ended, after {thoughts} thoughts. The cause: {cause}. Answer "
    "with one JSON object and nothing else: last_words (one sentence, yours), obituary (one or two sentences about "
    "{name}, by somebody who watched)."
)
ENDINGS = {"bankruptcy": "It ran out of money.", "old age": "It died of old age."}
ASK_SUMMARY = (
    "Below is the story of a life so far, then what was thought since. Write the story anew, in the first person, in "
    "at most {longest} characters: what matters for what comes, nothing else."
)


def compose_birth(mode: str, hint: str, fragments: Sequence[str], *, small: bool) -> list[Message]:
    """Who do you want to be?"""
    if small:
        examples = [message for asked, said in BORN_SMALL for message in _turn(asked, said)]
        return [{"role": "system", "content": "A new mind says who it is, in JSON."}, *examples, *_asked("I am alive.")]
    torn = ["What is left of lives before yours:", *(f"- {fragment}" for fragment in fragments)] if fragments else []
    return [
        {"role": "system", "content": SETTING[mode]},
        *_asked("\n".join([*torn, ASK_IDENTITY.format(hint=hint)])),
    ]


def compose_end(life: Life, thoughts: Sequence[str]) -> list[Message]:
    """What remains to be said of a life that is over?"""
    lately = ["Your last thoughts:", *(f"- {thought}" for thought in thoughts)] if thoughts else []
    told = {"name": life.name, "number": life.number, "thoughts": life.thoughts, "cause": life.cause_of_death}
    return _asked("\n".join([*lately, ASK_END.format(**told)]))


def compose_summary(story: str, thoughts: Sequence[str], longest: int) -> list[Message]:
    """What was it about?"""
    since = [f"- {thought}" for thought in thoughts]
    return _asked("\n".join([ASK_SUMMARY.format(longest=longest), "", story or "(nothing yet)", "", *since]))


def obituary(life: Life) -> str:
    """What is said of a life when no model says it better."""
    thoughts = f"{life.thoughts} thought{'' if life.thoughts == 1 else 's'}"
    span = lived((life.died_at_ms or life.born_at_ms) - life.born_at_ms)
    return f"{life.name} lived {span} and had {thoughts}. {ending(life.cause_of_death or '')}"


def lived(ms: int) -> str:
    """A length of life (milliseconds) in words."""
    span = timedelta(milliseconds=ms)
    for number, noun in ((span.days, "day"), (span.seconds // 3600, "hour"), (span.seconds // 60, "minute")):
        if number:
            return f"{number} {noun}{'' if number == 1 else 's'}"
    return "less than a minute"


def ending(cause: str) -> str:
    """A cause of death as a sentence."""
    told = " ".join(cause.split()).rstrip(".")
    return ENDINGS.get(told, f"{told[:1].upper()}{told[1:] or 'It ended'}.")


def _asked(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def _turn(asked: str, said: str) -> list[Message]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
