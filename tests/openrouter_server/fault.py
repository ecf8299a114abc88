"""What a fault is, and the bodies and headers that documented faults share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tests.openrouter_server.account import next_utc_midnight

USER_ID = "user_2dHFtVWx2n56w6HkM0000000000"
CREDITS_URL = "https://openrouter.ai/settings/credits"
KEYS_URL = "https://openrouter.ai/settings/keys"


class Kind(StrEnum):
    """What a fault does to the exchange."""

    ANSWER = "an HTTP answer of its own, chunked and without Content-Length"
    EMPTY = "a 200 whose content is empty"
    PARTIAL = "a 200 with partial content and choices[0].error; in a stream an error event midway"
    ERROR_ONLY = "a 200 that carries an error and nothing else; in a stream it is the first and only event"
    DROP_BEFORE = "the connection closes before any answer"
    DROP_MIDWAY = "the connection closes in the middle of the body"
    HANG = "nothing comes until the client gives up"
    SLOW = "everything comes, slowly"


@dataclass(frozen=True)
class Request:
    """What a fault may know of the request it strikes; `now` is the server's time."""

    model: str
    provider: str
    max_tokens: int
    now: datetime


Body = Callable[[Request], Any]
Headers = Callable[[Request], Mapping[str, str]]


@dataclass(frozen=True)
class Fault:
    """One documented failure.

    doc: what the real service means by it. status: the HTTP status that goes out (0: none does). error: the
    JSON body, or a str for an HTML one; for ERROR_ONLY and PARTIAL the error object. bills: whether the call
    is charged although it fails. in_spec: whether the body fits the OpenAPI's schema for that status of
    /chat/completions.
    """

    doc: str
    status: int
    kind: Kind = Kind.ANSWER
    error: Body = field(default=lambda request: None)
    headers: Headers = field(default=lambda request: {})
    bills: bool = False
    in_spec: bool = True


def error(
    code: int | str, message: str, metadata: Mapping[str, Any] | None = None, user: bool = False
) -> dict[str, Any]:
    """The error body `{error:{code,message,metadata?},user_id?}`."""
    inner: dict[str, Any] = {"message": message, "code": code}
    if metadata is not None:
        inner["metadata"] = dict(metadata)
    return {"error": inner, "user_id": USER_ID} if user else {"error": inner}


def answer(doc: str, status: int, message: str, metadata: Mapping[str, Any] | None = None, **more: Any) -> Fault:
    """A fault whose body says the same to everybody; `{model}` in the message becomes the id."""
    user = more.pop("user", False)
    return Fault(doc, status, error=lambda r: error(status, message.format(model=r.model), metadata, user), **more)


def unaffordable(requested: int, affordable: int) -> str:
    """The words of 402 b, from which a client reads how many tokens it can afford."""
    return (
        "This request requires more credits, or fewer max_tokens. "
        f"You requested up to {requested} tokens, but can only afford {affordable}. "
        f"To increase, visit {CREDITS_URL} and upgrade to a paid account"
    )


def free_limit(
    per: str, limit: int, reset: datetime, in_seconds: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and headers of a free-tier 429; `per` is day or min, the reset epoch milliseconds in a string."""
    stamp = int(reset.timestamp()) if in_seconds else int(reset.timestamp() * 1000)
    limits = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(stamp)}
    hint = " Add 10 credits to unlock 1000 free model requests per day" if (per, limit) == ("day", 50) else ""
    source = {"day": "openrouter_free_tier_daily", "min": "openrouter_free_tier_minute"}[per]
    metadata = {"headers": limits, "limit_source": source, "provider_name": None}
    return error(429, f"Rate limit exceeded: free-models-per-{per}.{hint}", metadata, user=True), limits


def free_daily(in_seconds: bool = False) -> Fault:
    unit = "seconds" if in_seconds else "milliseconds"
    return Fault(
        f"429: the day's free requests are gone; :free models rest until X-RateLimit-Reset (epoch {unit})",
        429,
        error=lambda r: free_limit("day", 50, next_utc_midnight(r.now), in_seconds)[0],
        headers=lambda r: free_limit("day", 50, next_utc_midnight(r.now), in_seconds)[1],
    )


def upstream(retry_after_s: int | None) -> Fault:
    def body(request: Request) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "raw": f"{request.model} is temporarily rate-limited upstream. Please retry shortly.",
            "provider_name": request.provider,
            "limit_source": "upstream_provider_shared_pool",
            "error_type": "rate_limit_exceeded",
        }
        if retry_after_s is not None:
            metadata["retry_after_seconds"] = retry_after_s
        return error(429, "Provider returned error", metadata, user=True)

    doc = "429: the provider limits all of OpenRouter; the model rests for Retry-After, else for a backoff"
    return Fault(doc, 429, error=body, headers=lambda r: {"Retry-After": str(retry_after_s)} if retry_after_s else {})


def provider(status: int, message: str, error_type: str, **more: Any) -> Fault:
    def body(request: Request) -> dict[str, Any]:
        return error(status, message, {"provider_name": request.provider, "error_type": error_type}, user=True)

    return Fault(f"{status}: server or provider; the model rests, short and escalating", status, error=body, **more)


def stream_error(request: Request, code: int | str = 502) -> dict[str, Any]:
    """The error object of a call that had begun with a 200."""
    metadata = {"error_type": "provider_unavailable", "provider_name": request.provider}
    return {"code": code, "message": "Upstream error: the provider closed the stream", "metadata": metadata}
