"""What a fault is, and the bodies that answers and faults share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

# Both hosts occur in the real `type`s: the OpenAPI knows api.x.com alone, the logs mostly api.twitter.com.
PROBLEMS = "https://api.twitter.com/2/problems/"
SPEC_PROBLEMS = "https://api.x.com/2/problems/"


class Kind(StrEnum):
    """What a fault does to the answer."""

    ANSWER = "an HTTP answer of its own"
    ERRORS_BESIDE = "the proper answer, with `errors` beside its `data`"
    CUT = "the connection closes in the middle of the proper answer"
    DROP = "the connection closes unanswered"
    HANG = "nothing comes until the client gives up"


@dataclass(frozen=True)
class Struck:
    """What a fault may know of the request it strikes; `now` is the server's time."""

    route: str
    now: datetime


@dataclass(frozen=True)
class Fault:
    """One failure of the real service.

    doc: what it means. acts: whether the request is carried out all the same (published, billed). status: the one
    that goes out (0: none, or that of the proper answer). body: JSON, or a str for an HTML one. headers: beside
    or in the place of the rate limits' own; None takes one away. in_spec: whether the body fits the OpenAPI.
    """

    doc: str
    kind: Kind = Kind.ANSWER
    status: int = 0
    body: Callable[[Struck], Any] = field(default=lambda struck: None)
    headers: Callable[[Struck], Mapping[str, str | None]] = field(default=lambda struck: {})
    acts: bool = False
    in_spec: bool = False


def problem(status: int, title: str, detail: str, kind: str = "about:blank", **more: Any) -> dict[str, Any]:
    """A body of RFC 7807 as X writes it; `kind` is its `type`."""
    return {"title": title, "detail": detail, "type": kind, "status": status, **more}


def invalid(message: str, parameters: Mapping[str, list[str]]) -> dict[str, Any]:
    """The 400 of a request that is not well-formed."""
    return problem(
        400,
        "Invalid Request",
        "One or more parameters to your request was invalid.",
        f"{SPEC_PROBLEMS}invalid-request",
        errors=[{"parameters": dict(parameters), "message": message}],
    )


def user_not_found(user_id: str) -> dict[str, Any]:
    """The `errors` entry of a 200 about a user who is not there."""
    return {
        "value": user_id,
        "detail": f"Could not find user with id: [{user_id}].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": "id",
        "resource_id": user_id,
        "type": f"{SPEC_PROBLEMS}resource-not-found",
    }


def answer(doc: str, status: int, body: Mapping[str, Any] | str, **more: Any) -> Fault:
    """A fault whose body says the same to everybody."""
    return Fault(doc, status=status, body=lambda struck: body, **more)
