"""Text as it may be stored and sent: a model can write half an emoji, and no wire or file can carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def well_formed(data: Any) -> Any:
    """JSON-like `data` with surrogate pairs joined and lone surrogates replaced, in every string of it."""
    if isinstance(data, str):
        return data if data.isascii() else data.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(data, Mapping):
        return {well_formed(key): well_formed(value) for key, value in data.items()}
    return [well_formed(value) for value in data] if isinstance(data, list | tuple) else data
