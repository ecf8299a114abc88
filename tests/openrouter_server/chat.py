"""POST /chat/completions: who answers, what strikes it, and what it is charged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tests.openrouter_server.account import Key, bill_for, generation_record
from tests.openrouter_server.delivery import send_answer, send_plain, send_stream
from tests.openrouter_server.fault import Fault, Kind
from tests.openrouter_server.gate import Answer, hold_for, key_of, misshapen, refusal, request_of, resolved
from tests.openrouter_server.pricing import Cost, Usage, cost_of
from tests.openrouter_server.replies import Speech, speak, token_cap
from tests.openrouter_server.shapes import Generation
from tests.openrouter_server.world import Call, World
from tests.serving.exchange import ClientGoneError, Exchange

REASONING_THAT_ATE_THE_CAP = 256


class ChatCompletions:
    """The route as an ASGI application."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; a client that leaves early is no error."""
        world = self._world
        call = await world.record(Request(scope, receive))
        async with Exchange(scope, receive, send, world.connections, world.stopping) as exchange:
            try:
                await self._answer(exchange, call)
            except ClientGoneError:
                return

    async def _answer(self, exchange: Exchange, call: Call) -> None:
        key = key_of(self._world, call)
        if isinstance(key, Answer):
            await send_answer(exchange, call, key)
            return
        refused = misshapen(call.body)
        if refused is not None:
            await send_answer(exchange, call, refused)
            return
        models = [model for model in (call.model, *(call.body.get("models") or [])) if model]
        for model_id in dict.fromkeys(models):  # `models` falls back on any error, and bills the one used
            call.attempts.append(model_id)
            struck = self._world.take_fault(model_id)
            call.fault = struck[0] if struck else call.fault
            refused = self._refused(call, key, model_id, struck[1] if struck else None)
            if refused is None:
                await self._generate(exchange, call, key, model_id, struck[1] if struck else None)
                return
        if refused is not None:
            await send_answer(exchange, call, refused)

    def _refused(self, call: Call, key: Key, model_id: str, fault: Fault | None) -> Answer | None:
        if fault is not None and fault.kind is Kind.ANSWER:
            request = request_of(self._world, call, model_id)
            return Answer(fault.status, fault.error(request), fault.headers(request))
        return refusal(self._world, call, key, model_id)

    async def _generate(self, exchange: Exchange, call: Call, key: Key, model_id: str, fault: Fault | None) -> None:
        world = self._world
        generation = self._generation(call, model_id, fault)
        call.answered_by, call.generation_id = generation.model.id, generation.id
        generation.hold = hold_for(call.body, generation.model, call)
        world.account.in_flight += generation.hold
        said = 0
        try:
            if fault is not None and await self._cut_off(exchange, call, key, generation, fault):
                return
            pause = asyncio.Event()
            world.pauses.append(pause)
            await exchange.wait(generation.reply.delay_s)

            def settle(aborted: bool = False) -> None:
                self._bill(call, key, generation, aborted)

            def heard(tokens: int) -> None:
                nonlocal said
                said = tokens

            send = send_stream if call.body.get("stream") else send_plain
            await send(exchange, call, generation, fault, world, pause, settle, heard)
        except ClientGoneError:
            if not generation.billed:
                self._bill_aborted(call, key, generation, said)
            raise
        finally:
            self._release(generation)

    async def _cut_off(self, exchange: Exchange, call: Call, key: Key, generation: Generation, fault: Fault) -> bool:
        """Plays the faults after which nothing is sent at all; True when it did."""
        if fault.kind not in (Kind.HANG, Kind.DROP_BEFORE):
            return False
        if fault.bills:
            self._bill(call, key, generation, aborted=True)
        generation.billed = True  # an unbilled hang stays unbilled when the client leaves
        if fault.kind is Kind.DROP_BEFORE:
            await exchange.drop()
        else:
            await exchange.wait_for(asyncio.Event())
        return True

    def _generation(self, call: Call, model_id: str, fault: Fault | None) -> Generation:
        world = self._world
        model = resolved(world, world.models[model_id])
        reply = world.take_reply(call.body, model_id)
        speech = speak(reply, call.body, model)
        failure = reply.error
        if fault is not None:
            speech = _struck(speech, fault, token_cap(call.body))
        if fault is not None and fault.kind in (Kind.PARTIAL, Kind.ERROR_ONLY):
            failure = fault.error(request_of(world, call, model.id))
        if failure is not None:
            speech = replace(speech, finish_reason="error")
        now = world.now()
        cost = cost_of(model.pricing, speech.usage, now)
        return Generation(world.new_id(), model, reply, speech, cost, int(now.timestamp()), error=failure)

    def _bill(self, call: Call, key: Key, generation: Generation, aborted: bool) -> None:
        """Books a generation, once, in full; at no cost when its kind of end is not charged."""
        if generation.billed:
            return
        generation.billed = True
        self._release(generation)  # before the client reads the end, so that its next call is not refused for it
        cost = generation.cost if generation.charged else Cost()
        world = self._world
        bill = bill_for(generation.id, generation.model.id, generation.speech.usage, cost, world.now(), aborted)
        world.account.charge(key, bill)
        finish = None if aborted else generation.speech.finish_reason
        streamed = bool(call.body.get("stream"))
        world.account.generations[generation.id] = generation_record(
            bill, generation.model.provider, finish, streamed, call.headers
        )

    def _release(self, generation: Generation) -> None:
        self._world.account.in_flight -= generation.hold
        generation.hold = Decimal(0)

    def _bill_aborted(self, call: Call, key: Key, generation: Generation, said: int) -> None:
        """Books a call whose client left: a plain one in full, a stream as its provider does."""
        mode = self._world.billing_after_abort(generation.model) if call.body.get("stream") else "everything"
        used = generation.speech.usage
        if mode == "generated":
            used = replace(used, completion=used.reasoning + said)
        elif mode == "nothing":
            used = Usage(used.prompt, 0)
        generation.speech = replace(generation.speech, usage=used)
        generation.cost = cost_of(generation.model.pricing, used, self._world.now())
        self._bill(call, key, generation, aborted=True)


def _struck(speech: Speech, fault: Fault, cap: int | None) -> Speech:
    """The speech as the fault leaves it."""
    used = speech.usage
    if fault.kind is Kind.EMPTY:
        eaten = (cap or REASONING_THAT_ATE_THE_CAP) if fault.bills else 0
        finish = "length" if fault.bills else "stop"
        return replace(
            speech,
            pieces=(),
            tool_calls=(),
            reasoning="I weigh it, and weigh it again." if eaten else None,
            finish_reason=finish,
            usage=replace(used, completion=eaten, reasoning=eaten),
        )
    if fault.kind is Kind.PARTIAL:
        half = speech.pieces[: max(len(speech.pieces) // 2, 1)]
        completion = used.reasoning + len(half)
        return replace(speech, pieces=half, tool_calls=(), usage=replace(used, completion=completion))
    return speech
