"""OpenRouter's OpenAPI as a judge of requests and answers.

The document is looked for at OPENROUTER_SPEC, else in ../shared/specs beside the repository.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT_PATH = Path(__file__).resolve().parents[3] / "shared" / "specs" / "openrouter-openapi.yaml"
URN = "urn:openrouter-openapi"
CHUNK = "/components/schemas/ChatStreamChunk"


class SpecMismatchError(AssertionError):
    """Something does not fit the OpenAPI; says what, where, and why."""


def path() -> Path | None:
    """Where the OpenAPI document is, or None when there is none."""
    found = Path(os.environ.get("OPENROUTER_SPEC") or DEFAULT_PATH)
    return found if found.is_file() else None


@cache
def document() -> Mapping[str, Any]:
    """The OpenAPI document; takes about a second, once a process. Raises FileNotFoundError without it."""
    found = path()
    if found is None:
        raise FileNotFoundError(f"no OpenAPI document at {DEFAULT_PATH}; set OPENROUTER_SPEC")
    yaml: Any = importlib.import_module("yaml")  # imported by name: its type stubs are not everywhere
    with found.open("rb") as file:
        loaded: Mapping[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


@cache
def _validator(pointer: str) -> Any:
    """A validator for the schema at that JSON pointer of the document."""
    jsonschema: Any = importlib.import_module("jsonschema")
    referencing: Any = importlib.import_module("referencing")
    draft: Any = importlib.import_module("referencing.jsonschema").DRAFT202012
    registry = referencing.Registry().with_resource(URN, draft.create_resource(document()))
    return jsonschema.Draft202012Validator({"$ref": f"{URN}#{pointer}"}, registry=registry)


def parse(raw: bytes) -> Any:
    """A body as JSON, or None when it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def validate_request(path: str, method: str, body: Any) -> None:
    """Raises SpecMismatchError unless `body` is a valid request of that route (path without /api/v1)."""
    where = f"paths/{_escaped(path)}/{method.lower()}/requestBody/content/application~1json/schema"
    _validate("/" + where, body, f"{method} {path}")


def validate_response(path: str, method: str, status: int, body: Any) -> None:
    """Raises SpecMismatchError unless the route may answer that status with that body."""
    responses = document()["paths"][path][method.lower()]["responses"]
    if str(status) not in responses:
        raise SpecMismatchError(f"{method} {path} never answers {status}, only {', '.join(responses)}")
    where = f"paths/{_escaped(path)}/{method.lower()}/responses/{status}/content/application~1json/schema"
    _validate("/" + where, body, f"{method} {path} → {status}")


def validate_chunk(chunk: Any) -> None:
    """Raises SpecMismatchError unless `chunk` is a valid `data:` of a chat completion stream."""
    _validate(CHUNK, chunk, "stream chunk")


def _validate(pointer: str, body: Any, what: str) -> None:
    jsonschema: Any = importlib.import_module("jsonschema")
    worst = jsonschema.exceptions.best_match(_validator(pointer).iter_errors(body))
    if worst is not None:
        raise SpecMismatchError(f"{what}: at {worst.json_path}: {worst.message[:400]}")


def _escaped(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1")
