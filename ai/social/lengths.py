"""Making a text fit, by whatever measure a channel counts with."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable

ELLIPSIS = "…"
END_MARKS = (".", "!", "?", "…")
JOINING = ("\u200d", "\ufe0f", "\ufe0e")  # what an emoji is glued together with


def fit(text: str, longest: int, measure: Callable[[str], int]) -> str:
    """`text`, or as many of its words as fit with an ellipsis behind them; a single endless word is cut inside."""
    if measure(text) <= longest:
        return text

    def fits(end: int) -> bool:
        return measure(_cut(text, end)) <= longest

    ends = [match.start() for match in re.finditer(r"\s+", text)]
    # The measure grows with the text, so that the last end that fits is found by halving.
    words = bisect.bisect_left(ends, True, key=lambda end: not fits(end)) - 1
    if words >= 0 and measure(_cut(text, ends[words])) * 2 >= longest:
        return _cut(text, ends[words])
    characters = range(len(text))
    return _cut(text, bisect.bisect_left(characters, True, key=lambda end: not fits(end)) - 1)


def ended(text: str, longest: int) -> str:
    """`text`, up to its last whole sentence where it fills the room to the last character: it was cut off there."""
    if len(text) < longest or text[-1:] in END_MARKS:
        return text
    last = max(text.rfind(mark) for mark in END_MARKS)
    return text[: last + 1] if last > 0 else text


def _cut(text: str, end: int) -> str:
    """The text up to `end`, never between the parts of one visible character."""
    while 0 < end < len(text) and (
        unicodedata.combining(text[end]) or text[end] in JOINING or text[end - 1] == JOINING[0]
    ):
        end -= 1
    return text[: max(0, end)].rstrip(" \t\n,;:–—-") + ELLIPSIS
