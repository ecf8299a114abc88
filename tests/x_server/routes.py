"""One request from the door to the answer: OAuth, limits, faults, credits, the route itself, the delivery."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.serving.exchange import ClientGoneError, Exchange
from tests.serving.openapi import JSON, SpecMismatchError, parse
from tests.x_server import spec
from tests.x_server.answer import Answer
from tests.x_server.fault import Fault, Kind, Struck, invalid
from tests.x_server.faults import CREDITS_DEPLETED, TOO_MANY, UNAUTHORIZED
from tests.x_server.limits import ME, MENTIONS, POST, TIMELINE
from tests.x_server.reading import me, mentions, timeline
from tests.x_server.world import Request, World
from tests.x_server.writing import create_post

Answering = Callable[[World, Request], Answer]
ROUTES: dict[str, Answering] = {POST: create_post, ME: me, TIMELINE: timeline, MENTIONS: mentions}
HTML = "text/html; charset=utf-8"


def application(world: World) -> Starlette:
    """The whole API over one world."""
    known = [
        Route(path, Endpoint(world, route, method, path), methods=[method])
        for route in ROUTES
        for method, path in [route.split(" ")]
    ]
    return Starlette(routes=[*known, Route("/{path:path}", Nowhere(world))])


class Endpoint:
    """One route of the API."""

    def __init__(self, world: World, route: str, method: str, path: str) -> None:
        self._world, self._route, self._method, self._path = world, route, method, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        world, http = self._world, HttpRequest(scope, receive)
        raw = await http.body()
        request = _record(world, http, raw, self._route)
        refused = world.oauth.refusal(self._method, request.path, http.url.query, request.headers, raw, world.wall_s())
        request.refused, request.mismatch = refused, self._mismatch(request)
        async with Exchange(scope, receive, send, world.connections, world.stopping) as exchange:
            try:
                if refused is not None:
                    await self._send(exchange, request, Answer(401, UNAUTHORIZED))
                else:
                    await self._answer(exchange, request)
            except ClientGoneError:
                return

    async def _answer(self, exchange: Exchange, request: Request) -> None:
        world, now = self._world, self._world.now()
        within = world.limits.count(self._route, now)
        rates: dict[str, str] = world.limits.headers(self._route, now)
        if not within:
            await self._send(exchange, request, Answer(429, TOO_MANY, rates))
            return
        struck = world.take_fault(self._route)
        if struck is None:
            await self._send(exchange, request, self._act(request, rates))
            return
        request.fault, fault = struck
        proper = self._act(request, rates) if fault.acts else Answer(0, None, rates)
        await self._fail(exchange, request, fault, proper)

    def _act(self, request: Request, rates: dict[str, str]) -> Answer:
        """What the route says when nothing strikes: published and billed by the time it returns."""
        world = self._world
        if world.account.is_depleted:
            answer = Answer(402, CREDITS_DEPLETED)
        elif request.mismatch is not None:
            answer = Answer(400, invalid(request.mismatch, {}), in_spec=True)
        else:
            answer = ROUTES[self._route](world, request)
        return Answer(answer.status, answer.body, rates, answer.in_spec)

    async def _fail(self, exchange: Exchange, request: Request, fault: Fault, proper: Answer) -> None:
        struck = Struck(self._route, self._world.now())
        if fault.kind is Kind.HANG:
            await exchange.wait_for(asyncio.Event())
        elif fault.kind is Kind.DROP:
            await exchange.drop()
        elif fault.kind is Kind.CUT:
            await self._send(exchange, request, proper, cut=True)
        elif fault.kind is Kind.ERRORS_BESIDE:
            is_done = "data" in proper.body
            body = proper.body | {"errors": [fault.body(struck)]} if is_done else proper.body
            await self._send(exchange, request, Answer(proper.status, body, proper.headers, proper.in_spec))
        else:
            changed = {**proper.headers, **fault.headers(struck)}
            headers = {name: value for name, value in changed.items() if value is not None}
            await self._send(exchange, request, Answer(fault.status, fault.body(struck), headers, fault.in_spec))

    async def _send(self, exchange: Exchange, request: Request, answer: Answer, cut: bool = False) -> None:
        """Sends an answer, whole or (`cut`) its first half; it is held against the OpenAPI before."""
        is_html = isinstance(answer.body, str)
        content_type = HTML if is_html else JSON if answer.status < 400 else spec.PROBLEM
        if self._world.strict and answer.in_spec:
            self._judge(answer, content_type)
        body = (answer.body if is_html else json.dumps(answer.body, ensure_ascii=False)).encode()
        request.status = answer.status
        await exchange.start(answer.status, {"Content-Type": content_type, **answer.headers})
        await exchange.write(body[: len(body) // 2] if cut else body)
        await (exchange.drop() if cut else exchange.end())

    def _judge(self, answer: Answer, content_type: str) -> None:
        try:
            spec.OPENAPI.validate_response(self._path, self._method, answer.status, answer.body, content_type)
        except SpecMismatchError as mismatch:
            self._world.violations.append(f"our own answer: {mismatch}")

    def _mismatch(self, request: Request) -> str | None:
        """Where the request does not fit the OpenAPI; noted, too."""
        if not self._world.strict:
            return None
        try:
            spec.validate_query(self._path, self._method, request.query)
            if self._method == "POST":
                spec.OPENAPI.validate_request(self._path, self._method, request.body)
        except SpecMismatchError as mismatch:
            self._world.violations.append(str(mismatch))
            return str(mismatch)
        return None


class Nowhere:
    """Whatever X has no route for, or we have not built: an empty 404, and a violation."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        http = HttpRequest(scope, receive)
        request = _record(self._world, http, await http.body(), None)
        request.status = 404
        self._world.violations.append(f"there is no {request.method} {request.path} here")
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def _record(world: World, http: HttpRequest, raw: bytes, route: str | None) -> Request:
    headers = {name.lower(): value for name, value in http.headers.items()}
    path, query = http.url.path, dict(http.query_params)
    request = Request(http.method, path, route, query, headers, parse(raw), world.now())
    world.requests.append(request)
    return request
