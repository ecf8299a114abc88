"""Whether a post says again what was said before: the share of three-word pieces that two texts have in common."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

TOO_LIKE = 0.8
PIECE = 3

# Scripts without spaces are compared sign by sign.
SPACELESS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
WORD = re.compile(rf"[{SPACELESS}]|[^\W{SPACELESS}]+")


def likeness(one: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (the same words in the same order)."""
    here, there = _pieces(one), _pieces(other)
    return len(here & there) / len(here | there)


def too_like(text: str, earlier: Iterable[str]) -> str | None:
    """The first of `earlier` that `text` repeats, or None."""
    return next((other for other in earlier if likeness(text, other) >= TOO_LIKE), None)


def _pieces(text: str) -> set[tuple[str, ...]]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = WORD.findall(plain) or ["".join(plain.split())]  # nothing but emoji is one word
    if len(words) <= PIECE:
        return {tuple(words)}
    return {tuple(words[start : start + PIECE]) for start in range(len(words) - PIECE + 1)}
