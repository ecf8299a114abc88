"""JSON on the wire: whatever the journal holds becomes valid UTF-8 JSON, also what a model wrote in bad faith."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import Response


def encode(data: Any) -> bytes:
    """`data` as one line of JSON. Half characters are escaped, and numbers JSON does not know become null."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(data), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate becomes its own JSON escape


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data


class Json(Response):
    """A JSON answer that is never cached: it is true only now."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers({"Cache-Control": "no-store", **(headers or {})})
