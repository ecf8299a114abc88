"""How a call can fail, told once: what the failure retires, and whether anything was charged."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ai.errors import ModelFailure
from ai.llm.base import Usage


class Scope(StrEnum):
    """What a failure speaks about, from the narrowest to the widest."""

    REQUEST = "request"  # this input alone
    MODEL = "model"
    FUNDS = "funds"  # every paid model on the account; free ones are spared
    CREDENTIAL = "credential"  # every model of the provider, free ones too
    ENDPOINT = "endpoint"  # likewise


class Fate(StrEnum):
    """What is known of the money."""

    FREE = "free"  # nothing was charged
    CHARGED = "charged"  # `usage` says how much
    UNKNOWN = "unknown"  # nobody knows yet: the hold stays


class CallFailed(ModelFailure):
    """One call of one model failed. `usage` is what it cost all the same, when that is known."""

    def __init__(
        self,
        message: str,
        *,
        scope: Scope,
        fate: Fate,
        hint: str = "",
        usage: Usage | None = None,
        generation_id: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.scope = scope
        self.fate = fate
        self.usage = usage
        self.generation_id = generation_id
        self.status = status


# Facts: OpenRouter's documented statuses. Anything else with an error status is the model's own trouble.
_BY_STATUS = {
    400: (Scope.REQUEST, "refused the request"),
    401: (Scope.CREDENTIAL, "does not accept the key"),
    402: (Scope.FUNDS, "has no credits left for this"),
    403: (Scope.REQUEST, "refused this input"),
    404: (Scope.MODEL, "has no such model"),
    408: (Scope.MODEL, "took too long"),
    413: (Scope.REQUEST, "finds the prompt too long"),
    422: (Scope.REQUEST, "cannot process the request"),
    429: (Scope.MODEL, "is asked too often"),
}

# The same status says different things; what it says is told apart by these words (facts, lower case).
_BY_WORDS = (
    (400, "is not a valid model id", Scope.MODEL, "has no such model"),
    (402, "fewer max_tokens", Scope.REQUEST, "finds the reply too dear for its credits"),
    (402, "weight_exceeds_budget", Scope.REQUEST, "finds the reply too dear for its credits"),
    (403, "key limit", Scope.FUNDS, "has reached the key's limit"),
    (403, "workspace", Scope.FUNDS, "has reached the workspace's budget"),
    (429, "insufficient_quota", Scope.FUNDS, "has no credits left for this"),
)


def from_error(provider: str, status: int, body: Any) -> CallFailed:
    """The failure an error answer means. `body` is the parsed JSON, or the text when it was none.

    An error status means nothing was generated and nothing charged.
    """
    scope, what = _BY_STATUS.get(status, (Scope.MODEL, "is in trouble"))
    said = error_message(body)
    for known_status, words, known_scope, known_what in _BY_WORDS:
        if status == known_status and words in str(body).lower():
            scope, what = known_scope, known_what
    detail = f": {said}" if said else ""
    return CallFailed(f"{provider} {what} ({status}{detail})", scope=scope, fate=Fate.FREE, status=status)


def error_message(body: Any) -> str:
    """The words of an error body, in whichever of the known shapes it comes: object, array, or plain string."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("name") or ""
    return " ".join(str(error).split())[:300]
