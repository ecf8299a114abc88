"""Who thinks: the wanted model if it may and can, else the next in line, the local model last.

For every attempt: hold, call, settle. A failing provider costs an attempt, never the thought.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from ai.clock import Clock
from ai.economy.account import Charge, Hold
from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import round_up
from ai.errors import FundsError, NobodyThought
from ai.llm.base import (
    Completion,
    CompletionRequest,
    OnText,
    Provider,
    Usage,
    prompt_bound_tokens,
)
from ai.llm.failures import CallFailed, Fate, Scope
from ai.llm.question import Answer, Attempt, Question
from ai.models.catalogue import Catalogue
from ai.models.model_config import ModelInfo
from ai.models.pricing import REASONING_HEADROOM_TOKENS, Price

SHORTEST_REPLY_TOKENS = 64  # a reply shorter than this is no thought
DEADLINE_MARGIN_S = 30.0  # a hold outlives its call by this much before it counts as lost


class Router:
    """Asks one question of a line of models."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        catalogue: Catalogue,
        tracker: CreditTracker,
        clock: Clock,
        *,
        timeout_s: float,
    ) -> None:
        self._providers = providers
        self._catalogue = catalogue
        self._tracker = tracker
        self._clock = clock
        self._timeout_s = timeout_s

    async def ask(self, question: Question, on_attempt: Callable[[int], OnText]) -> Answer:
        """The first answer anyone in the line gives.

        `on_attempt` is told the attempt's number and gives back where its text goes. Raises NobodyThought when the
        line ends, saying why each candidate did not.
        """
        attempts: list[Attempt] = []
        for model_id in self._line(question):
            model = self._catalogue.find(model_id)
            obstacle = self._obstacle(model_id, model, question)
            if model is None or obstacle:
                provider = model.provider if model else ""
                attempts.append(Attempt(model_id, provider, "skipped", obstacle))
                continue
            started_s = self._clock.monotonic_s()
            request = _request(model, question)
            try:
                request, hold = await self._hold(model, request, question)
                completion, cost_nanos = await self._call(model, request, hold, on_attempt(len(attempts) + 1))
            except (CallFailed, FundsError) as exc:
                outcome = "failed" if isinstance(exc, CallFailed) else "skipped"
                attempts.append(Attempt(model.id, model.provider, outcome, str(exc)))
                continue
            latency_s = Decimal(self._clock.monotonic_s() - started_s).quantize(Decimal("0.001"))
            why = _why(model, question, attempts)
            attempts.append(Attempt(model.id, model.provider, "thought"))
            return Answer(completion, model, request.messages, attempts, why, cost_nanos, latency_s)
        reasons = "; ".join(f"{attempt.model}: {attempt.reason}" for attempt in attempts)
        raise NobodyThought(f"No model could think ({reasons}).")

    def _line(self, question: Question) -> list[str]:
        if not question.fallback:
            return [question.wanted]
        last = self._catalogue.best(("local",)) or self._catalogue.best(("free",))  # with the local model turned off
        return list(dict.fromkeys([question.wanted, *([last.id] if last else [])]))

    def _obstacle(self, model_id: str, model: ModelInfo | None, question: Question) -> str:
        """Why a candidate is not even tried, or nothing."""
        if model is None:
            return f"there is no model “{model_id}” in the catalogue"
        if model.cls is None or model.price is None:
            return "its price is unknown, and unknown is not free"
        if model.cls not in question.classes:
            return f"{model.cls} models are not allowed at this balance"
        if model.provider not in self._providers:
            return f"{model.provider} has no key"
        return ""

    async def _hold(
        self, model: ModelInfo, request: CompletionRequest, question: Question
    ) -> tuple[CompletionRequest, Hold]:
        """The hold that covers the request's worst case; a reply too long for the balance is shortened to fit it."""
        assert model.price is not None, "a model without a price is never attempted"
        hold = partial(
            self._tracker.hold,
            provider=model.provider,
            model=model.id,
            purpose=question.purpose,
            timeout_s=self._timeout_s + DEADLINE_MARGIN_S,
            use_reserve=question.use_reserve,
            thought_id=question.thought_id,
        )
        prompt_tokens = _prompt_tokens(request)
        try:
            return request, await hold(model.price.worst_case_nanos(prompt_tokens, request.max_tokens))
        except FundsError as exc:
            cap = model.price.affordable_tokens(exc.coverable_nanos, prompt_tokens)
            headroom = REASONING_HEADROOM_TOKENS if model.reasons else 0
            if not SHORTEST_REPLY_TOKENS + headroom <= cap < request.max_tokens:
                raise
            shorter = replace(request, max_tokens=cap)
            return shorter, await hold(model.price.worst_case_nanos(prompt_tokens, cap))

    async def _call(
        self, model: ModelInfo, request: CompletionRequest, hold: Hold, on_text: OnText
    ) -> tuple[Completion, int]:
        assert model.price is not None, "a model without a price is never attempted"
        try:
            completion = await self._providers[model.provider].complete(
                request, on_text, lambda generation_id: self._tracker.name(hold, generation_id)
            )
        except CallFailed as exc:
            await self._close(hold, model.price, exc)
            raise
        except asyncio.CancelledError:
            await self._tracker.forget(hold, "the thought was cut short")
            raise
        except Exception as exc:  # an adapter that breaks in an unforeseen way costs an attempt, not the thought
            await self._tracker.forget(hold, f"{type(exc).__name__}: {exc}")
            what = f"{model.provider} broke in an unforeseen way ({type(exc).__name__}: {exc})"
            raise CallFailed(what, scope=Scope.MODEL, fate=Fate.UNKNOWN) from exc
        charge = _charge(hold, model.price, completion.usage, completion.generation_id)
        await self._tracker.settle(hold, charge)
        return completion, charge.cost_nanos

    async def _close(self, hold: Hold, price: Price, failure: CallFailed) -> None:
        """End the hold of a failed call by what is known of the money."""
        if failure.fate is Fate.FREE:
            await self._tracker.release(hold, failure.message)
        elif failure.fate is Fate.UNKNOWN:
            await self._tracker.forget(hold, failure.message, failure.generation_id)
        else:
            await self._tracker.settle(hold, _charge(hold, price, failure.usage, failure.generation_id))


def _request(model: ModelInfo, question: Question) -> CompletionRequest:
    cap = min(question.reply_cap_tokens, model.reply_cap_tokens or question.reply_cap_tokens)
    return CompletionRequest(
        model=model.id,
        messages=question.compose(model),
        max_tokens=cap + (REASONING_HEADROOM_TOKENS if model.reasons else 0),
        tools=question.tools if model.supports_tools else (),
        schema=question.schema,
        max_price=None if model.price is None or model.price.free else model.price,
    )


def _prompt_tokens(request: CompletionRequest) -> int:
    tools_bytes = sum(len(json.dumps(tool.as_json()).encode()) for tool in request.tools)
    return prompt_bound_tokens(request.messages, tools_bytes)


def _charge(hold: Hold, price: Price, usage: Usage | None, generation_id: str | None) -> Charge:
    """What to book: the reported cost, else the table's, else the whole hold."""
    if usage is None:
        return Charge(hold.amount_nanos, "worst_case", generation_id=generation_id)
    computed = price.cost_nanos(usage.tokens_in, usage.tokens_out, usage.tokens_cached)
    return Charge(
        cost_nanos=computed if usage.cost_usd is None else max(0, round_up(usage.cost_usd)),
        price_basis="computed" if usage.cost_usd is None else "reported",
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        tokens_cached=usage.tokens_cached,
        tokens_reasoning=usage.tokens_reasoning,
        generation_id=generation_id,
    )


def _why(model: ModelInfo, question: Question, attempts: Sequence[Attempt]) -> str:
    """One plain sentence: why this model and no other."""
    if not attempts:
        return f"{model.name} is the resident model." if question.fallback else f"{model.name} had the thought."
    first = attempts[0]
    return f"{first.model} could not: {first.reason.rstrip('.')}. So {model.name} thought instead."
