"""The routes beside chat completions: models, key, credits, generation; and the application of all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.openrouter_server.account import Key, next_utc_midnight
from tests.openrouter_server.chat import ChatCompletions
from tests.openrouter_server.delivery import send_answer
from tests.openrouter_server.fault import Kind, error
from tests.openrouter_server.gate import Answer, key_of, request_of
from tests.openrouter_server.world import PREFIX, Call, World
from tests.serving.exchange import ClientGoneError, Exchange

MODELS_CACHE_S = 120
DEFAULT_PAGE = 500
Answering = Callable[[World, Call, Key], Answer]


def application(world: World) -> Starlette:
    """The whole API over one world."""
    return Starlette(
        routes=[
            Route(f"{PREFIX}/models", Simple(world, models, needs_key=False), methods=["GET"]),
            Route(f"{PREFIX}/chat/completions", ChatCompletions(world), methods=["POST"]),
            Route(f"{PREFIX}/key", Simple(world, key_info), methods=["GET"]),
            Route(f"{PREFIX}/credits", Simple(world, credits_info), methods=["GET"]),
            Route(f"{PREFIX}/generation", Simple(world, generation_info), methods=["GET"]),
        ]
    )


class Simple:
    """A route that answers at once, unless a fault queued for its path strikes it."""

    def __init__(self, world: World, answering: Answering, needs_key: bool = True) -> None:
        self._world, self._answering, self._needs_key = world, answering, needs_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        world = self._world
        call = await world.record(Request(scope, receive))
        async with Exchange(scope, receive, send, world.connections, world.stopping) as exchange:
            try:
                await self._answer(exchange, call)
            except ClientGoneError:
                return

    async def _answer(self, exchange: Exchange, call: Call) -> None:
        key = key_of(self._world, call) if self._needs_key else Key("")
        struck = self._world.take_fault(None, call.path)
        if isinstance(key, Answer):
            await send_answer(exchange, call, key)
        elif struck is None:
            await send_answer(exchange, call, self._answering(self._world, call, key))
        elif struck[1].kind is Kind.ANSWER:
            call.fault = struck[0]
            request = request_of(self._world, call, "")
            fault = struck[1]
            await send_answer(exchange, call, Answer(fault.status, fault.error(request), fault.headers(request)))
        elif struck[1].kind is Kind.HANG:
            call.fault = struck[0]
            await exchange.wait_for(asyncio.Event())
        else:  # whatever else it is, here it is a connection that breaks
            call.fault = struck[0]
            await exchange.drop()


def models(world: World, call: Call, key: Key) -> Answer:
    """GET /models: the whole list, or a page of it when offset or limit is sent."""
    entries = [model.to_json(world.models) for model in world.models.values()]
    total, following = len(entries), None
    if call.query.keys() & {"offset", "limit"}:
        offset, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", DEFAULT_PAGE))
        if offset + limit < total:
            following = f"{PREFIX}/models?offset={offset + limit}&limit={limit}"
        entries = entries[offset : offset + limit]
    body = {"data": entries, "total_count": total, "links": {"next": following}}
    return Answer(200, body, {"Cache-Control": f"max-age={MODELS_CACHE_S}"})


def key_info(world: World, call: Call, key: Key) -> Answer:
    """GET /key."""
    account = world.account
    midnight = next_utc_midnight(call.when)
    used = sum(when.date() == call.when.date() for when in account.free_requests if when < midnight)
    return Answer(200, {"data": key.to_json(call.when, account.total_credits == 0, used, account.free_daily_limit)})


def credits_info(world: World, call: Call, key: Key) -> Answer:
    """GET /credits: an ordinary key gets its answer too."""
    account = world.account
    return Answer(200, {"data": {"total_credits": account.total_credits, "total_usage": account.total_usage}})


def generation_info(world: World, call: Call, key: Key) -> Answer:
    """GET /generation?id=: 404 for the first asks after the call, then the record."""
    name = call.query.get("id", "")
    asks = world.account.generation_asks
    asks[name] += 1
    record = world.account.generations.get(name)
    if record is None or asks[name] <= world.generation_404s:
        return Answer(404, error(404, f"Generation {name} not found"))
    return Answer(200, {"data": record})
