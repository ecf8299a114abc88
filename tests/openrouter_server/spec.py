"""OpenRouter's OpenAPI as a judge of requests and answers (paths without /api/v1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.serving.openapi import OpenApi, SpecMismatchError, parse

__all__ = [
    "DEFAULT_PATH",
    "SpecMismatchError",
    "document",
    "parse",
    "path",
    "validate_chunk",
    "validate_request",
    "validate_response",
]

OPENAPI = OpenApi("openrouter-openapi.yaml", "OPENROUTER_SPEC")
DEFAULT_PATH: Path = OPENAPI.default_path
CHUNK = "/components/schemas/ChatStreamChunk"

path = OPENAPI.path
validate_request = OPENAPI.validate_request
validate_response = OPENAPI.validate_response


def document() -> Mapping[str, Any]:
    """The OpenAPI document. Raises FileNotFoundError without it."""
    return OPENAPI.document


def validate_chunk(chunk: Any) -> None:
    """Raises SpecMismatchError unless `chunk` is a valid `data:` of a chat completion stream."""
    OPENAPI.validate(CHUNK, chunk, "stream chunk")
