"""JSON as it goes over the wire: money is a Decimal here and an exact number there."""

from __future__ import annotations

import json
import re
import secrets
from decimal import Decimal
from typing import Any

# A mark no caller can guess, so that no text of a reply is ever taken for a number.
_MARK = f"decimal-{secrets.token_hex(12)}:"
_MARKED = re.compile(f'"{_MARK}([^"]*)"')


def number(amount: Decimal) -> str:
    """A Decimal as JSON number text, without exponent or needless zeros: `0.00000123`, never `1.23e-06`."""
    text = format(amount, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def dumps(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON; every Decimal in it becomes an exact JSON number."""
    text = json.dumps(value, default=_mark, ensure_ascii=False, separators=(",", ":"))
    return _MARKED.sub(r"\1", text).encode()


def event(value: Any) -> bytes:
    """One server-sent event with LF framing."""
    return b"data: " + dumps(value) + b"\n\n"


def _mark(value: object) -> str:
    if isinstance(value, Decimal):
        return _MARK + number(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
