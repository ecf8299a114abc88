"""Who the being is in this life: a name, a pronoun, an icon and first words, chosen by a model and checked here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

PRONOUNS = ("it", "they", "she", "he")
ICONS = ("✨", "🌱", "🌙", "🔥", "🌊", "🪶", "🍂", "🐚", "🕯️", "🌌")
NAMES = (
    *("Ada", "Alba", "Aster", "Bruno", "Cleo", "Dara", "Echo", "Ember", "Fenn", "Gale", "Hazel", "Iris", "Juno"),
    *("Kai", "Lark", "Luma", "Miro", "Nova", "Onyx", "Orla", "Pax", "Quill", "Rune", "Sage", "Tamsin", "Umber"),
    *("Vesper", "Wren", "Xan", "Yara", "Zephyr"),
)
LONGEST_NAME, LONGEST_WORDS = 24, 240
_NAME = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+){0,2}(?: [IVXLC]+)?")


@dataclass(frozen=True, slots=True)
class Identity:
    """A name, a pronoun, an icon, and the first words it says."""

    name: str
    pronoun: str
    icon: str
    first_words: str


def default_identity(being: str, number: int = 1) -> Identity:
    """Who the being is in its life `number` when nobody, not even itself, has chosen otherwise."""
    name = being.capitalize() + (f" {roman(number)}" if number > 1 else "")
    return Identity(name, "it", "✨", f"I am {name}. I just came into existence.")


def checked(said: Mapping[str, Any], default: Identity, taken: Collection[str]) -> Identity:
    """The identity a model chose, with the default's part wherever what it chose cannot be used."""
    name = _one_line(said.get("name"))
    if not (_NAME.fullmatch(name) and len(name) <= LONGEST_NAME) or name.casefold() in {t.casefold() for t in taken}:
        name = default.name
    words = _one_line(said.get("first_words"))
    if not 1 <= len(words) <= LONGEST_WORDS or "<" in words:
        words = default.first_words.replace(default.name, name)
    pronoun = _one_line(said.get("pronoun")).lower()
    icon = _one_line(said.get("icon"))
    return Identity(
        name, pronoun if pronoun in PRONOUNS else default.pronoun, icon if _is_icon(icon) else default.icon, words
    )


def schema(being: str, number: int, taken: Collection[str], *, small: bool) -> dict[str, Any]:
    """The JSON schema of an identity; a very small model chooses name and icon from what there is."""
    free = [name for name in NAMES if name not in taken] or [default_identity(being, number).name]
    names = [being.capitalize()] if number == 1 else free
    return {
        "type": "object",
        "properties": {
            "name": {"enum": names} if small else {"type": "string"},
            "pronoun": {"enum": list(PRONOUNS)},
            "icon": {"enum": list(ICONS)} if small else {"type": "string"},
            "first_words": {"type": "string", "maxLength": LONGEST_WORDS},
        },
        "required": ["name", "pronoun", "icon", "first_words"],
        "additionalProperties": False,
    }


def roman(number: int) -> str:
    """A life's number as it stands behind a name."""
    digits = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    told = ""
    for value, digit in digits:
        times, number = divmod(number, value)
        told += digit * times
    return told


def _is_icon(text: str) -> bool:
    """One emoji: a few code points, the first of them a symbol."""
    return 1 <= len(text) <= 8 and unicodedata.category(text[0]) == "So"


def _one_line(text: Any) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""
