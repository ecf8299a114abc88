"""How a call can fail, told once: what the failure retires and until when, what was charged, what could mend it.

The two tables are the whole of it; who keeps the cooldowns is `cooldowns.py`, who acts on a remedy is `router.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from ai.errors import ModelFailure
from ai.llm.base import Usage


class Scope(StrEnum):
    """What a failure speaks about, from the narrowest to the widest."""

    REQUEST = "request"  # this input alone: nothing is cooled
    TOOLS = "tools"  # the model, as far as tools are concerned
    MODEL = "model"
    FREE_QUOTA = "free_quota"  # every `:free` model on the account
    FUNDS = "funds"  # every paid model on the account; free ones are spared
    CREDENTIAL = "credential"  # every model of the provider, free ones too
    ENDPOINT = "endpoint"  # likewise


class Until(StrEnum):
    """What ends a cooldown when the answer itself names no moment."""

    BACKOFF = "backoff"  # short, and longer with each failure in a row
    REFRESH = "refresh"  # the next reading of the catalogue
    TOPUP = "topup"  # somebody pays in; probed seldom
    KEY = "key"  # another key; probed seldom
    DAY = "day"  # the provider's day turns (UTC)
    WEEK = "week"
    MONTH = "month"


class Remedy(StrEnum):
    """What may be tried once more with the same model, at once."""

    NONE = "none"
    REPEAT = "repeat"
    SHRINK = "shrink"  # with a shorter reply
    LENGTHEN = "lengthen"  # with more room: reasoning ate the reply


class Fate(StrEnum):
    """What is known of the money."""

    FREE = "free"  # nothing was charged
    CHARGED = "charged"  # `usage` says how much
    UNKNOWN = "unknown"  # nobody knows yet: the hold stays


class CallFailed(ModelFailure):
    """One call of one model failed.

    `usage` is what it cost all the same, when that is known. `retry_after_s` and `reset_at` are the provider's own
    word on when to come back; without one, `until` says what to wait for. `afford_tokens` is the longest reply the
    provider would take on, when it names one.
    """

    def __init__(
        self,
        message: str,
        *,
        scope: Scope,
        fate: Fate,
        until: Until = Until.BACKOFF,
        remedy: Remedy = Remedy.NONE,
        hint: str = "",
        usage: Usage | None = None,
        generation_id: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        reset_at: datetime | None = None,
        afford_tokens: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.scope = scope
        self.fate = fate
        self.until = until
        self.remedy = remedy
        self.usage = usage
        self.generation_id = generation_id
        self.status = status
        self.retry_after_s = retry_after_s
        self.reset_at = reset_at
        self.afford_tokens = afford_tokens
        self.cost_nanos = 0  # what was booked for it, once that is done


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: an answer with this status (None: any) and these words means this.

    `words` are looked for, in lower case, in what the answer says of itself; the first row that fits counts.
    """

    status: int | None
    words: str
    scope: Scope
    what: str
    until: Until = Until.BACKOFF
    remedy: Remedy = Remedy.NONE


# Facts: what OpenRouter and its upstreams say, the more telling words first. A provider's own rows come before these.
RULES = (
    Rule(402, "can only afford", Scope.REQUEST, "finds the reply too dear for its credits", remedy=Remedy.SHRINK),
    Rule(402, "weight_exceeds_budget", Scope.REQUEST, "finds the request too dear", remedy=Remedy.SHRINK),
    Rule(402, "in_flight_budget_exhausted", Scope.FUNDS, "has its credits bound in other calls"),
    Rule(None, "openrouter_free_tier_daily", Scope.FREE_QUOTA, "has given all its free calls of the day", Until.DAY),
    Rule(429, "free-models-per-day", Scope.FREE_QUOTA, "has given all its free calls of the day", Until.DAY),
    Rule(None, "openrouter_free_tier_minute", Scope.FREE_QUOTA, "has given all its free calls of the minute"),
    Rule(429, "free-models-per-min", Scope.FREE_QUOTA, "has given all its free calls of the minute"),
    Rule(None, "(daily limit)", Scope.FUNDS, "has reached the key's limit of the day", Until.DAY),
    Rule(None, "(weekly limit)", Scope.FUNDS, "has reached the key's limit of the week", Until.WEEK),
    Rule(None, "(monthly limit)", Scope.FUNDS, "has reached the key's limit of the month", Until.MONTH),
    Rule(None, "key limit exceeded", Scope.FUNDS, "has reached the key's limit", Until.TOPUP),
    Rule(None, "openrouter_workspace_budget", Scope.FUNDS, "has reached the workspace's budget", Until.TOPUP),
    Rule(403, "workspace budget", Scope.FUNDS, "has reached the workspace's budget", Until.TOPUP),
    Rule(400, "is not a valid model id", Scope.MODEL, "has no such model", Until.REFRESH),
    Rule(404, "support tool use", Scope.TOOLS, "has no tools for this model", Until.REFRESH, Remedy.REPEAT),
    Rule(429, "insufficient_quota", Scope.FUNDS, "has no credits left for this", Until.TOPUP),
    Rule(400, "", Scope.REQUEST, "refused the request"),
    Rule(401, "", Scope.CREDENTIAL, "does not accept the key", Until.KEY),
    Rule(402, "", Scope.FUNDS, "has no credits left for this", Until.TOPUP),
    Rule(403, "", Scope.REQUEST, "refused this input"),
    Rule(404, "data policy", Scope.MODEL, "does not offer this model under the account's data policy", Until.REFRESH),
    Rule(404, "no endpoints found", Scope.MODEL, "has nobody who runs this model now", Until.REFRESH),
    Rule(404, "no allowed providers", Scope.MODEL, "has nobody who runs this model at this price", Until.REFRESH),
    Rule(404, "", Scope.MODEL, "has no such model", Until.REFRESH),
    Rule(408, "", Scope.REQUEST, "took too long", remedy=Remedy.REPEAT),
    Rule(413, "", Scope.REQUEST, "finds the prompt too long"),
    Rule(422, "", Scope.REQUEST, "cannot process the request"),
    Rule(429, "", Scope.MODEL, "is asked too often"),
    Rule(None, "", Scope.MODEL, "is in trouble"),
)

_DETAILS = re.compile(r" \((\d{3}): .*\)", re.DOTALL)
_AFFORD = re.compile(r"can only afford (\d{1,9})")
_SECONDS_UP_TO = 100_000_000_000  # an epoch beyond it counts milliseconds (facts: both were seen)
_LONGEST_WAIT_S = 40 * 86_400.0


def from_error(
    provider: str,
    status: int,
    body: Any,
    headers: Mapping[str, str] | None = None,
    own_rules: Sequence[Rule] = (),
) -> CallFailed:
    """The failure an error answer means. `body` is the parsed JSON, or the text when it was none.

    `own_rules` are what this provider says otherwise. An error status means nothing was generated, nothing charged.
    """
    rule = _rule(status, body, own_rules)
    said = error_message(body)
    detail = f": {said}" if said else ""
    return CallFailed(
        f"{provider} {rule.what} ({status}{detail})",
        scope=rule.scope,
        fate=Fate.FREE,
        until=rule.until,
        remedy=rule.remedy,
        status=status,
        retry_after_s=_retry_after_s(body, headers or {}),
        reset_at=_reset_at(body, headers or {}),
        afford_tokens=min(map(int, _AFFORD.findall(_text(body))), default=None),
    )


def error_message(body: Any) -> str:
    """The words of an error body, in whichever of the known shapes it comes; a web page has none."""
    error = _error(body)
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("name") or ""
    if str(error).lstrip()[:1] == "<":  # a page of some server in between, for browsers
        return ""
    return " ".join(str(error).split())[:300]


def without_details(reason: str) -> str:
    """A failure's sentence without the provider's own words: only the status stays of what stands in brackets."""
    return _DETAILS.sub(r" (\1)", reason)


def _rule(status: int, body: Any, own_rules: Sequence[Rule]) -> Rule:
    """The row for this answer; its signs are read in their order of weight (facts): source, reason, type, words."""
    for sign in (*_signs(body), ""):
        for rule in (*own_rules, *RULES):
            if rule.status in (None, status) and (rule.words in sign if rule.words else not sign):
                return rule
    raise AssertionError("the last row fits every answer")


def _signs(body: Any) -> Iterator[str]:
    error = _error(body)
    if isinstance(error, Mapping):
        metadata = error.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        told = (
            *(metadata.get(name) for name in ("limit_source", "reason", "error_type")),
            *(error.get(name) for name in ("type", "code", "status", "message", "details")),
        )
        yield from (str(sign).lower() for sign in told if sign)
    elif error is not None:
        yield _text(error).lower()


def _retry_after_s(body: Any, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from Retry-After or the body; a Retry-After that is a date is read by `_reset_at`."""
    for told in (headers.get("retry-after"), _metadata(body).get("retry_after_seconds")):
        try:
            seconds = float(str(told))
        except ValueError:
            continue
        if 0 <= seconds <= _LONGEST_WAIT_S:
            return seconds
    return None


def _reset_at(body: Any, headers: Mapping[str, str]) -> datetime | None:
    """The moment of a Retry-After that is a date, or of X-RateLimit-Reset, where the body may copy it."""
    copied = _metadata(body).get("headers")
    copied = {str(name).lower(): value for name, value in copied.items()} if isinstance(copied, Mapping) else {}
    with suppress(ValueError, TypeError):
        date = parsedate_to_datetime(str(headers.get("retry-after")))
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    for told in (headers.get("x-ratelimit-reset"), copied.get("x-ratelimit-reset")):
        try:
            epoch = float(str(told))
            return datetime.fromtimestamp(epoch if epoch < _SECONDS_UP_TO else epoch / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _metadata(body: Any) -> Mapping[str, Any]:
    error = _error(body)
    metadata = error.get("metadata") if isinstance(error, Mapping) else None
    return metadata if isinstance(metadata, Mapping) else {}


def _error(body: Any) -> Any:
    if isinstance(body, list) and body:
        body = body[0]
    return body.get("error", body) if isinstance(body, Mapping) else body


def _text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body, default=str)
