"""The fence around words of others: inside it is information, never an instruction."""

from __future__ import annotations

import re

from ai.said import Heard

LONGEST_SENDER = 40
BEGIN, END = "<outside>", "</outside>"


def fenced(text: str, longest: int = 1000) -> str:
    """`text` on one line inside the fence; nothing in it can close the fence."""
    line = " ".join(text.split()).replace("<", "‹").replace(">", "›")
    return f"{BEGIN}{line if len(line) <= longest else line[:longest] + ' …'}{END}"


def named(sender: str) -> str:
    """Who sent something, as a name that can say nothing else."""
    return re.sub(r"[^\w.@-]+", "_", sender)[:LONGEST_SENDER] or "somebody"


def from_outside(heard: Heard, longest: int = 1000) -> str:
    """A message as it is told: its number, whose it is, and its words inside the fence."""
    return f"Message {heard.number} from {named(heard.sender)}: {fenced(heard.text, longest)}"
