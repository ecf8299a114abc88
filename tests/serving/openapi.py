"""An OpenAPI document as a judge of requests and answers.

Each document is looked for where its environment variable says, else in ../shared/specs beside the repository.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
JSON = "application/json"


class SpecMismatchError(AssertionError):
    """Something does not fit the OpenAPI; says what, where, and why."""


class OpenApi:
    """One document, read at its first use; takes up to a second, once a process."""

    def __init__(self, file: str, variable: str) -> None:
        self.default_path = SPECS / file
        self.variable = variable
        self._validators: dict[str, Any] = {}

    def path(self) -> Path | None:
        """Where the document is, or None when there is none."""
        found = Path(os.environ.get(self.variable) or self.default_path)
        return found if found.is_file() else None

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The document; raises FileNotFoundError without it."""
        found = self.path()
        if found is None:
            raise FileNotFoundError(f"no OpenAPI document at {self.default_path}; set {self.variable}")
        with found.open("rb") as file:
            loaded: Mapping[str, Any] = json.load(file) if found.suffix == ".json" else _yaml(file)
        return loaded

    def validate_request(self, path: str, method: str, body: Any) -> None:
        """Raises SpecMismatchError unless `body` is a valid request of that route."""
        where = f"/paths/{_escaped(path)}/{method.lower()}/requestBody/content/{_escaped(JSON)}/schema"
        self.validate(where, body, f"{method} {path}")

    def validate_response(self, path: str, method: str, status: int, body: Any, content_type: str = JSON) -> None:
        """Raises SpecMismatchError unless the route may answer that status with that body."""
        responses = self.document["paths"][path][method.lower()]["responses"]
        name = str(status) if str(status) in responses or status < 400 else "default"
        if name not in responses:
            raise SpecMismatchError(f"{method} {path} never answers {status}, only {', '.join(responses)}")
        where = f"/paths/{_escaped(path)}/{method.lower()}/responses/{name}/content/{_escaped(content_type)}/schema"
        self.validate(where, body, f"{method} {path} → {status}")

    def validate(self, pointer: str, body: Any, what: str) -> None:
        """Raises SpecMismatchError unless `body` fits the schema at that JSON pointer of the document."""
        jsonschema: Any = importlib.import_module("jsonschema")
        worst = jsonschema.exceptions.best_match(self._validator(pointer).iter_errors(body))
        if worst is not None:
            raise SpecMismatchError(f"{what}: at {worst.json_path}: {worst.message[:400]}")

    def _validator(self, pointer: str) -> Any:
        if pointer not in self._validators:
            jsonschema: Any = importlib.import_module("jsonschema")
            schema = {"$ref": f"{self._urn}#{pointer}"}
            self._validators[pointer] = jsonschema.Draft202012Validator(schema, registry=self._registry)
        return self._validators[pointer]

    @property
    def _urn(self) -> str:
        return f"urn:{self.default_path.stem}"

    @cached_property
    def _registry(self) -> Any:
        referencing: Any = importlib.import_module("referencing")
        draft: Any = importlib.import_module("referencing.jsonschema").DRAFT202012
        return referencing.Registry().with_resource(self._urn, draft.create_resource(self.document))


def parse(raw: bytes) -> Any:
    """A body as JSON, or None when it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _yaml(file: Any) -> Any:
    yaml: Any = importlib.import_module("yaml")  # imported by name: its type stubs are not everywhere
    return yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _escaped(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1")
