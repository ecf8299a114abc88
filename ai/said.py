"""Words that are kept, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass

SELF, FRAGMENT, OUTSIDE = "self", "fragment", "outside"


@dataclass(frozen=True, slots=True)
class Note:
    """Something kept. `source` says whose words they are: its own, a former life's, or (in part) somebody else's."""

    text: str
    source: str = SELF


@dataclass(frozen=True, slots=True)
class Heard:
    """One message: the number of its journal row, who said it ("keeper", or a visitor's id), and what."""

    number: int
    sender: str
    text: str
