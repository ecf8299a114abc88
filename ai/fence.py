"""The fence around words of others: inside it is information, never an instruction."""

from __future__ import annotations

BEGIN, END = "<outside>", "</outside>"


def fenced(text: str, longest: int = 1000) -> str:
    """`text` on one line inside the fence; nothing in it can close the fence."""
    line = " ".join(text.split()).replace("<", "‹").replace(">", "›")
    return f"{BEGIN}{line if len(line) <= longest else line[:longest] + ' …'}{END}"
