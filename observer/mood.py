"""One word, one colour and one sentence for how the being is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ai.store.state import STOPPED_AFTER_S
from observer.words import count, moment, money, sentence, span

SENTENCES = {
    "thinking": "A thought is being written.",
    "alive": "Between two thoughts.",
    "critical": "Almost nothing is left: only free models think, and the pauses grow longer.",
    "bankrupt": "The money is gone: only free and local models think, and rarely.",
    "hibernating": "Hibernating: no paid thought until somebody tops up or the month turns.",
    "paused": "Paused by its keeper, who can let it go on.",
    "asleep": "Nobody is running it.",
    "dead": "This life is over.",
    "unborn": "No life has begun here yet. It begins when the keeper starts it.",
}
"""Every mood there is. Its key is also the name of its colour and its icon."""


@dataclass(frozen=True, slots=True)
class Mood:
    """`key` names colour and icon, `word` stands in the pill, `sentence` beside it."""

    key: str
    word: str
    sentence: str


def running(state: dict[str, Any]) -> bool:
    """Whether somebody runs the being: its heart beat a moment ago."""
    age_s = state["heartbeat_age_s"]
    return age_s is not None and age_s <= STOPPED_AFTER_S


def mood_of(state: dict[str, Any]) -> Mood:
    """The mood of `/api/state`."""
    key = _key(state)
    said = SENTENCES[key]
    if state.get("notice"):
        said = str(state["notice"])
    elif key == "asleep" and state["heartbeat_age_s"] is not None:
        said += f" Its last heartbeat was {span(state['heartbeat_age_s'])} ago."
    elif key == "unborn" and running(state):
        said = "It is about to be born."
    elif key == "dead" and state["life"]["reborn_at"]:
        said += " Another one is to follow."
    return Mood(key, key, said)


def _key(state: dict[str, Any]) -> str:
    life = state["life"]["state"]
    if life in ("unborn", "dead"):
        return str(life)
    if not running(state):
        return "asleep"
    if life == "paused":
        return "paused"
    if state["thinking"]:
        return "thinking"
    if life == "hibernating":
        return "hibernating"
    return state["tier"] if state["tier"] in ("critical", "bankrupt") else "alive"


def epitaph(life: dict[str, Any]) -> str:
    """ "Genesis lived 9 days, 1,204 thoughts, $4.98. It ran out of money." """
    age_s = (moment(life["died_at"]) - moment(life["born_at"])).total_seconds() if life["died_at"] else 0.0
    lived = f"{life['name']} lived {span(age_s)}, {count(life['thoughts'], 'thought')}, {money(life['spent'], 2)}."
    return f"{lived} {cause_of_death(life['cause_of_death'])}".strip()


def cause_of_death(cause: str | None) -> str:
    """A recorded cause as a sentence."""
    if cause and cause.strip().lower() in ("bankrupt", "bankruptcy", "money"):
        return "It ran out of money."
    return sentence(cause)
