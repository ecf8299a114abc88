"""An answer as it will go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """status; body: JSON, or a str for HTML; headers; in_spec: whether the OpenAPI knows such a body."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    in_spec: bool = False
