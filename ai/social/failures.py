"""What a channel's refusals mean, told once: what became of the post, what ends the trouble, and what to do.

The table is the whole of it; the outbox acts on `fate` and `until`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from ai.clock import month_end, month_of
from ai.errors import ChannelFailure


class Fate(StrEnum):
    """What became of the post."""

    UNSENT = "unsent"  # surely not posted: it waits
    REFUSED = "refused"  # surely not posted, and never will be: this text is not wanted
    DUPLICATE = "duplicate"  # it stands there already
    UNKNOWN = "unknown"  # nobody knows: it is looked up before it is tried again


class Until(StrEnum):
    """What has to happen before anything else is sent."""

    NOTHING = "nothing"  # only this call failed
    WINDOW = "window"  # the channel's own window opens again
    CAP = "cap"  # its day or month turns (UTC)
    TOPUP = "topup"  # somebody buys credits there; tried once a day
    KEYS = "keys"  # keys or the app's rights change; tried once a day, and at every start
    KEEPER = "keeper"  # the keeper says so; never tried


class ChannelFailed(ChannelFailure):
    """One call of a channel failed. `until_at` is the channel's own word on when to come back, if it gave one."""

    def __init__(
        self,
        message: str,
        fate: Fate,
        until: Until = Until.NOTHING,
        *,
        hint: str = "",
        until_at: datetime | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.fate = fate
        self.until = until
        self.until_at = until_at


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: an answer with this status (None: any) in which these words stand means this. The first one counts."""

    status: int | None
    words: str
    fate: Fate
    until: Until
    what: str
    hint: str = ""


_CREDITS = "Buy credits in X's developer console, then `alive posting --resume`; else it is tried again once a day."
_KEYS = "Are the four keys those of one app, and is the clock right? Give it new ones: docs/voice.md says how."
_PROJECT = "Put the app into a pay-per-use project in X's developer console."
_WRITE = "Set the app's permissions to Read and write, then make the access token and its secret anew."
_APPEAL = "Sign in to X and see what it asks for; afterwards `alive posting --resume` lets it post again."
_WHERE = "Is X_API_BASE_URL right?"

# What X answers (facts: its OpenAPI document, its docs, and logs of others), the more telling words first.
RULES = (
    Rule(403, "duplicate content", Fate.DUPLICATE, Until.NOTHING, "has this post already"),
    Rule(None, "suspended", Fate.UNSENT, Until.KEEPER, "has suspended the account", _APPEAL),
    Rule(403, "account is temporarily locked", Fate.UNSENT, Until.KEEPER, "has locked the account", _APPEAL),
    Rule(403, "client-not-enrolled", Fate.UNSENT, Until.KEYS, "has not enrolled the app", _PROJECT),
    Rule(403, "client-forbidden", Fate.UNSENT, Until.KEYS, "has not enrolled the app", _PROJECT),
    Rule(403, "oauth1-permissions", Fate.UNSENT, Until.KEYS, "lets the app only read", _WRITE),
    Rule(None, "usagecapexceeded", Fate.UNSENT, Until.CAP, "has given all its calls of the day or month"),
    Rule(None, "usage-capped", Fate.UNSENT, Until.CAP, "has given all its calls of the day or month"),
    Rule(400, "", Fate.REFUSED, Until.NOTHING, "cannot use it"),
    Rule(401, "", Fate.UNSENT, Until.KEYS, "does not accept the keys", _KEYS),
    Rule(402, "", Fate.UNSENT, Until.TOPUP, "has no credits left", _CREDITS),
    Rule(403, "", Fate.REFUSED, Until.NOTHING, "does not allow it"),
    Rule(404, "", Fate.UNSENT, Until.KEYS, "has nothing at this address", _WHERE),
    Rule(408, "", Fate.UNKNOWN, Until.NOTHING, "took too long"),
    Rule(413, "", Fate.REFUSED, Until.NOTHING, "finds it too long"),
    Rule(422, "", Fate.REFUSED, Until.NOTHING, "cannot use it"),
    Rule(429, "", Fate.UNSENT, Until.WINDOW, "is asked too often"),
    Rule(None, "", Fate.UNKNOWN, Until.NOTHING, "is in trouble"),
)

LONGEST_DETAIL = 300
# The windows X speaks of in its headers (facts), with the name of what is left in each.
WINDOWS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")


def from_answer(channel: str, status: int, body: Any, headers: Mapping[str, str], now: datetime) -> ChannelFailed:
    """The failure an answer means. `body` is the parsed JSON, or the text when it was none."""
    signs = _signs(body)
    rule = next(rule for rule in RULES if rule.status in (None, status) and rule.words in signs)
    said = _detail(body)
    until_at = None
    if rule.until is Until.CAP:
        until_at = _cap_turns(signs, now)
    elif rule.until is Until.WINDOW:
        until_at = rest_until(headers) or _moment(headers.get("x-rate-limit-reset"))
    message = f"{channel} {rule.what} ({status}{f': {said}' if said else ''})."
    return ChannelFailed(message, rule.fate, rule.until, hint=rule.hint, until_at=until_at)


def rest_until(headers: Mapping[str, str]) -> datetime | None:
    """When the last of the windows that are used up opens again; None while something is left in each."""
    used_up = [name for name in WINDOWS if str(headers.get(f"{name}-remaining", "")).strip() == "0"]
    opens = [moment for name in used_up if (moment := _moment(headers.get(f"{name}-reset"))) is not None]
    return max(opens, default=None)


def _signs(body: Any) -> str:
    """Everything an answer says of itself, in lower case. Of `type` only the last segment counts: its host varies."""
    told = []
    for problem in _problems(body):
        told.append(str(problem.get("type") or "").rstrip("/").rsplit("/", 1)[-1])
        told += [str(problem.get(name) or "") for name in ("reason", "title", "detail", "message", "period")]
    return " | ".join(told or [str(body)[:2000]]).lower()


def _detail(body: Any) -> str:
    for problem in _problems(body):
        for name in ("detail", "message", "title"):
            if problem.get(name):
                return " ".join(str(problem[name]).split())[:LONGEST_DETAIL]
    return ""


def _problems(body: Any) -> list[Mapping[str, Any]]:
    if not isinstance(body, Mapping):
        return []
    errors = body.get("errors")
    inner = [error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []
    return [body, *inner]


def _cap_turns(signs: str, now: datetime) -> datetime:
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return midnight if "daily" in signs else month_end(month_of(now))


def _moment(epoch: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(epoch or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def parse(body: bytes) -> Any:
    """An answer's JSON, or its text when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
