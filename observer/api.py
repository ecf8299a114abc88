"""The JSON routes and the live stream."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator

from ai.errors import StoreError
from ai.store.journal import KINDS
from observer.readers import Readers
from observer.security import Keeper
from observer.source import NOT_YET, sentence_of
from observer.stream import EventStream
from observer.tail import Tail
from observer.wire import Json

MOST_ROWS = 500
DEFAULT_ROWS = 100
LARGEST_NUMBER = 2**63 - 1  # what the store can compare with
LONGEST_QUERY = 200

SENTENCES = {
    "after": "“after” must be the number of a journal row: a whole number, 0 or more.",
    "upto": "“upto” must be the number of a journal row: a whole number, 0 or more.",
    "limit": f"“limit” must be a whole number from 1 to {MOST_ROWS}.",
    "kind": f"“kind” must be one of {', '.join(KINDS)}.",
    "number": "The blog counts its pages with whole numbers.",
    "q": f"“q” must be at most {LONGEST_QUERY} characters long.",
}
"""What is said of a parameter that cannot be used."""


def _empty_is(default: int | None) -> BeforeValidator:
    return BeforeValidator(lambda given: default if given == "" else given)


def _kind(given: Any) -> Any:
    if given and given not in KINDS:
        raise ValueError(SENTENCES["kind"])
    return given or None


Number = Annotated[int, _empty_is(0), Query(ge=0, le=LARGEST_NUMBER)]
OptionalNumber = Annotated[int | None, _empty_is(None), Query(ge=0, le=LARGEST_NUMBER)]
Limit = Annotated[int, _empty_is(DEFAULT_ROWS), Query(ge=1, le=MOST_ROWS)]
Kind = Annotated[str | None, BeforeValidator(_kind), Query()]
Words = Annotated[str, Query(max_length=LONGEST_QUERY)]


def api_routes(readers: Readers, tail: Tail, keeper: Keeper) -> APIRouter:
    """The routes under /api, and /healthz."""
    routes = APIRouter(default_response_class=Json)
    routes.add_api_route("/healthz", _health(readers), summary="Whether the books can be read")

    @routes.get("/api/state", summary="How the being is")
    async def state() -> Response:
        return Json(await readers.state())

    @routes.get("/api/budget", summary="The balance and where the money went")
    async def budget() -> Response:
        return Json(await readers.budget())

    @routes.get("/api/journal", summary="What happened, oldest first; the keeper’s rows only with the token")
    async def journal(
        request: Request,
        after: Number = 0,
        kind: Kind = None,
        q: Words = "",
        limit: Limit = DEFAULT_ROWS,
    ) -> Response:
        trusted = keeper(request)
        try:
            events = await readers.events(after=after, kind=kind, query=q or None, keeper=trusted, limit=limit)
        except NOT_YET as exc:
            return Json({"events": [], "next": after, "notice": sentence_of(exc)})
        next_ = events[-1].id if events else after
        return Json({"events": [event.as_json() for event in events], "next": next_})

    @routes.get("/api/stream", summary="The journal as it is written, as server-sent events")
    async def stream(
        request: Request,
        after: OptionalNumber = None,
        last_event_id: Annotated[str, Header()] = "",
    ) -> Response:
        trusted = keeper(request)
        if tail.full:
            raise HTTPException(503, "Too many are watching just now.", {"Retry-After": "30"})
        return EventStream(tail.watch(_number(last_event_id, after), keeper=trusted))

    return routes


def _number(last_event_id: str, after: int | None) -> int | None:
    """Where a stream goes on: a browser that reconnects knows best, whatever its address once said."""
    if last_event_id.isascii() and last_event_id.isdigit():
        return min(int(last_event_id[:20]), LARGEST_NUMBER)
    return after


def _health(readers: Readers) -> Any:
    async def healthz() -> Response:
        try:
            age_s = await readers.pulse_age_s()
        except StoreError as exc:
            return Json({"ok": False, "reason": sentence_of(exc)}, status_code=503)
        return Json({"ok": True, "heartbeat_age_s": age_s})

    return healthz
