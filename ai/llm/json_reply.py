"""Finding the JSON object in a reply: not every model keeps to a schema, and some wrap it in prose."""

from __future__ import annotations

import json
from typing import Any

_DECODER = json.JSONDecoder()
MOST_TRIES = 50  # opening braces looked at: a reply of nothing else would take long


def first_object(text: str) -> dict[str, Any] | None:
    """The first whole JSON object in `text`, or None."""
    at = -1
    for _ in range(MOST_TRIES):
        at = text.find("{", at + 1)
        if at < 0:
            return None
        try:
            found, _ = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return None
