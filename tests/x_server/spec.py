"""X's OpenAPI as a judge of requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.serving.openapi import OpenApi, SpecMismatchError

OPENAPI = OpenApi("x-openapi.json", "X_SPEC")
PROBLEM = "application/problem+json"
# The API still answers to the names of before it was X, which tweepy sends; the OpenAPI knows the new ones alone.
RENAMED = {"tweet.fields": "post.fields"}
STILL_KNOWN = frozenset(
    {"author_id", "edit_history_tweet_ids", "in_reply_to_user_id", "referenced_tweets", "note_tweet", "attachments"}
)


def validate_query(path: str, method: str, query: Mapping[str, str]) -> None:
    """Raises SpecMismatchError unless every query parameter is one of the route's, with a value it takes."""
    operation = OPENAPI.document["paths"][path][method.lower()]
    known = {parameter["name"]: parameter for parameter in map(_resolved, operation.get("parameters", []))}
    for sent, text in query.items():
        name = RENAMED.get(sent, sent)
        if name not in known or known[name]["in"] != "query":
            raise SpecMismatchError(f"{method} {path}: it has no query parameter {sent}")
        value = _typed(text, known[name]["schema"])
        if sent in RENAMED:
            value = [field for field in value if field not in STILL_KNOWN] or ["id"]
        OPENAPI.validate(_pointer(path, method, name), value, f"{method} {path}?{sent}={text}")


def _resolved(parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = parameter.get("$ref")
    if reference is None:
        return parameter
    found: Mapping[str, Any] = OPENAPI.document["components"]["parameters"][reference.rsplit("/", 1)[1]]
    return found


def _pointer(path: str, method: str, name: str) -> str:
    parameters = OPENAPI.document["paths"][path][method.lower()]["parameters"]
    for index, parameter in enumerate(parameters):
        if _resolved(parameter)["name"] == name:
            if "$ref" in parameter:
                return f"{parameter['$ref'].removeprefix('#')}/schema"
            return f"/paths/{path.replace('/', '~1')}/{method.lower()}/parameters/{index}/schema"
    raise KeyError(name)


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """A query value as what its schema calls it: lists are comma separated."""
    if schema.get("type") == "array":
        return text.split(",")
    if schema.get("type") == "integer":
        return int(text) if text.lstrip("-").isdecimal() else text
    return text
