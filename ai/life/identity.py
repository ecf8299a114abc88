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
JOINER = "\u200d"  # invisible, but it makes one emoji of several
EMOJI = ("So", "Sk", "Mn", "Cf")  # symbols, skin tones, the variation selector, the joiner
_NAME = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+){0,2}(?: [IVXLC]+)?")

_EMPHASIS = re.compile(r"[*_`~#]")
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn")
_NOT_TO_SAY = re.compile(r"://|www\.|[^\W\d_]\.[^\W\d_]{2}|@\w|[<>{}\[\]|\\]", re.IGNORECASE)  # links, mentions, markup
_I_AM = re.compile(r"\b(I am|I['’]m|[Mm]y name is) ([A-ZÀ-Þ][\w-]{2,}(?: [A-ZÀ-Þ][\w-]*)*)")


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


def checked(said: Mapping[str, Any], default: Identity, taken: Collection[str], *, small: bool = False) -> Identity:
    """The identity a model chose, with the default's part wherever what it chose cannot be used.

    A very small model misspells its own name: its first words count only with the name in them (`small`).
    """
    name = _one_line(said.get("name"))
    if not (_NAME.fullmatch(name) and len(name) <= LONGEST_NAME) or name.casefold() in {t.casefold() for t in taken}:
        name = default.name
    words = _under_its_name(speakable(said.get("first_words"), LONGEST_WORDS), name)
    if not words or (small and name not in words):
        words = default.first_words.replace(default.name, name)
    pronoun = _one_line(said.get("pronoun")).lower()
    icon = _one_line(said.get("icon"))
    return Identity(
        name, pronoun if pronoun in PRONOUNS else default.pronoun, icon if _is_icon(icon) else default.icon, words
    )


def schema(being: str, number: int, taken: Collection[str], *, small: bool) -> dict[str, Any]:
    """The JSON schema of an identity; a very small model chooses from what there is, and in life 1 not its name."""
    default = default_identity(being, number)
    names = [name for name in NAMES if name not in taken and number > 1] or [default.name]
    return {
        "type": "object",
        "properties": {
            "name": {"enum": names} if small else {"type": "string"},
            "pronoun": {"enum": [default.pronoun] if small and number == 1 else list(PRONOUNS)},
            "icon": {"enum": list(ICONS)} if small else {"type": "string"},
            "first_words": {"type": "string", "maxLength": LONGEST_WORDS},
        },
        "required": ["name", "pronoun", "icon", "first_words"],
        "additionalProperties": False,
    }


def speakable(text: object, longest: int) -> str:
    """What a model wrote as one line that may be said in public, cut at a word; "" when it is no such thing."""
    line = _EMPHASIS.sub("", _one_line(text))
    line = "".join(char for char in line if char == JOINER or unicodedata.category(char) not in _INVISIBLE).strip()
    if _NOT_TO_SAY.search(line):
        return ""
    return line if len(line) <= longest else line[: longest - 2].rsplit(" ", 1)[0] + " …"


def _under_its_name(words: str, name: str) -> str:
    """`words` in which it calls itself by its name: a very small model misspells it."""

    def right(said: re.Match[str]) -> str:
        same = said[2].split()[0] == name.split()[0]
        return said[0] if same else f"{said[1]} {name}"

    return _I_AM.sub(right, words)


def roman(number: int) -> str:
    """A life's number as it stands behind a name."""
    digits = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    told = ""
    for value, digit in digits:
        times, number = divmod(number, value)
        told += digit * times
    return told


def _is_icon(text: str) -> bool:
    """One emoji: a symbol, and what joins and colours more of them."""
    kinds = [unicodedata.category(char) for char in text]
    return 1 <= len(kinds) <= 8 and kinds[0] == "So" and all(kind in EMOJI for kind in kinds)


def _one_line(text: Any) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""
