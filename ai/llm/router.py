"""Who thinks: the wanted model if it may and can, else the next in line, the local model last.

For every attempt: hold, call, settle. A failing provider costs an attempt, never the thought.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

from ai.clock import Clock, iso
from ai.economy.account import Charge, Hold
from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import round_up
from ai.errors import FundsError, NobodyThought
from ai.llm.base import Completion, CompletionRequest, OnText, Provider, Usage, prompt_bound_tokens
from ai.llm.cooldowns import Cooldowns, is_free_tier, told
from ai.llm.failures import CallFailed, Fate, Remedy, Scope, without_details
from ai.llm.free_pace import FreePace
from ai.llm.line import MOST_ATTEMPTS, MOST_OF, Candidate, Models, candidates
from ai.llm.question import FAILED, SKIPPED, THOUGHT, Answer, Attempt, Question
from ai.models.affording import why_not
from ai.models.model_config import ModelInfo
from ai.models.pricing import REASONING_HEADROOM_TOKENS, Price

SHORTEST_REPLY_TOKENS = 64  # a reply shorter than this is no thought
SHORTEST_CALL_S = 1.0  # nobody answers in less
DEADLINE_MARGIN_S = 30.0  # a hold outlives its call by this much before it counts as lost
PATIENCE = 2.0  # the whole line may take this many time-outs of one attempt
LAST_SHARE = 0.25  # of that time, kept for whoever stands last
MOST_SKIPS_TOLD = 8


@dataclass(slots=True)
class Inquiry:
    """One question on its way along the line."""

    question: Question
    on_attempt: Callable[[int], OnText]
    deadline_s: float
    last: str  # the part of the line that always gets its turn
    attempts: list[Attempt] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    coverable_nanos: int | None = None  # the largest worst case the purse could cover, once it has refused one

    def full(self, part: str) -> bool:
        """Whether this part of the line has had its attempts; one is kept for the last in line."""
        spare = 0 if part == self.last else 1
        return self.made[part] >= MOST_OF[part] or self.made.total() >= MOST_ATTEMPTS - spare

    def skip(self, model_id: str, provider: str, reason: str) -> None:
        """Note why somebody was not asked; the same reason is noted once, or it would fill the page."""
        skipped = [attempt for attempt in self.attempts if attempt.outcome == SKIPPED]
        if len(skipped) < MOST_SKIPS_TOLD and all(attempt.reason != reason for attempt in skipped):
            self.attempts.append(Attempt(model_id, provider, SKIPPED, reason))


class Router:
    """Asks one question of a line of models."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        models: Models,
        tracker: CreditTracker,
        cooldowns: Cooldowns,
        free_pace: FreePace,
        clock: Clock,
        *,
        timeout_s: float,
        reasoning_headroom_tokens: int = REASONING_HEADROOM_TOKENS,
    ) -> None:
        self._providers = providers
        self._models = models
        self._tracker = tracker
        self._cooldowns = cooldowns
        self._free_pace = free_pace
        self._clock = clock
        self._timeout_s = timeout_s
        self._headroom_tokens = reasoning_headroom_tokens

    async def ask(self, question: Question, on_attempt: Callable[[int], OnText]) -> Answer:
        """The first answer anyone in the line gives, within `MOST_ATTEMPTS` and twice the time-out of one attempt.

        `on_attempt` is told the attempt's number and gives back where its text goes. Raises NobodyThought when the
        line ends, saying why each candidate did not.
        """
        deadline_s = self._clock.monotonic_s() + PATIENCE * self._timeout_s
        inquiry = Inquiry(question, on_attempt, deadline_s, self._last_part(question))
        for candidate in candidates(question, self._models):
            if inquiry.full(candidate.part):
                continue
            obstacle = self._obstacle(candidate, inquiry)
            if obstacle:
                inquiry.skip(candidate.id, candidate.model.provider if candidate.model else "", obstacle)
            elif candidate.model:
                with self._cooldowns.probing(candidate.model):  # nothing was awaited since it was found open
                    answer = await self._try(candidate.model, candidate.part, inquiry)
                if answer:
                    return answer
        reasons = "; ".join(f"{attempt.model}: {attempt.reason}" for attempt in inquiry.attempts)
        raise NobodyThought(f"No model could think ({reasons or 'there is none'}).")

    def _obstacle(self, candidate: Candidate, inquiry: Inquiry) -> str:
        """Why a candidate is not even tried, or nothing."""
        model, question = candidate.model, inquiry.question
        if model is None:
            return f"there is no model “{candidate.id}” in the catalogue"
        if reason := why_not(model, self._clock.now().date(), question.classes):
            return reason
        assert model.price is not None, "a model without a price has a reason"
        if model.provider not in self._providers:
            return f"{model.provider} has no key"
        if cooldown := self._cooldowns.over(model):
            return told(cooldown)
        if is_free_tier(model.id) and not self._free_pace.room():
            return f"{model.provider} gives no more free calls this minute"
        if not self._in_time(candidate.part, inquiry):
            return "the time for this thought is used up"
        if inquiry.coverable_nanos is not None and model.price.worst_case_nanos(0, 1) > inquiry.coverable_nanos:
            return "the balance does not cover even a short reply"
        return ""

    async def _try(self, model: ModelInfo, part: str, inquiry: Inquiry) -> Answer | None:
        """Ask one candidate, once more where a remedy is known; None when it does not answer."""
        if self._cooldowns.without_tools(model):
            model = replace(model, supports_tools=False)
        request, remedied = self._request(model, inquiry.question), False
        while not inquiry.full(part) and self._in_time(part, inquiry) and self._in_pace(model):
            request = replace(request, timeout_s=self._time_s(part, inquiry))
            started_s = self._clock.monotonic_s()
            try:
                request, hold = await self._hold(model, request, inquiry.question)
            except FundsError as exc:
                inquiry.coverable_nanos = exc.coverable_nanos
                inquiry.skip(model.id, model.provider, str(exc))
                return None
            inquiry.made[part] += 1
            on_text = inquiry.on_attempt(inquiry.made.total())
            try:
                completion, charge = await self._call(model, request, hold, on_text)
                await self._cooldowns.warm(model)
            except CallFailed as failure:
                better = None if remedied else self._remedied(model, request, failure)
                await self._fail(model, failure, started_s, inquiry, mended=better is not None)
                if better is None:
                    return None
                (model, request), remedied = better, True
                continue
            latency_s = self._since(started_s)
            why = _why(model, inquiry)
            inquiry.attempts.append(Attempt(model.id, model.provider, THOUGHT, "", charge.cost_nanos, latency_s))
            return Answer(
                completion,
                model,
                request.messages,
                inquiry.attempts,
                why,
                charge.cost_nanos,
                latency_s,
                charge.saved_nanos,
            )
        return None

    async def _fail(
        self, model: ModelInfo, failure: CallFailed, started_s: float, inquiry: Inquiry, *, mended: bool
    ) -> None:
        """Cool what the failure retires: a reply that only needs more room retires nothing yet, and the model on this
        machine never rests, because nobody stands behind it."""
        spared = (mended and failure.remedy is Remedy.LENGTHEN) or model.cls == "local"
        cooldown = None if spared else await self._cooldowns.cool(failure, model)
        cost_nanos = failure.cost_nanos
        rests = iso(cooldown.until_ms) if cooldown else None
        latency_s = self._since(started_s)
        inquiry.attempts.append(Attempt(model.id, model.provider, FAILED, str(failure), cost_nanos, latency_s, rests))

    def _remedied(
        self, model: ModelInfo, request: CompletionRequest, failure: CallFailed
    ) -> tuple[ModelInfo, CompletionRequest] | None:
        """The same question put so that it may go better, or None."""
        match failure.remedy:
            case Remedy.REPEAT if failure.scope is Scope.TOOLS:
                return replace(model, supports_tools=False), replace(request, tools=())
            case Remedy.REPEAT:
                return model, request
            case Remedy.LENGTHEN:
                cap = min(_most_tokens(model), request.max_tokens + self._headroom_tokens)
                return (model, replace(request, max_tokens=cap)) if cap > request.max_tokens else None
            case Remedy.SHRINK:
                cap = request.max_tokens // 2 if failure.afford_tokens is None else failure.afford_tokens
                if self._shortest(model) <= cap < request.max_tokens:
                    return model, replace(request, max_tokens=cap)
        return None

    def _last_part(self, question: Question) -> str:
        """Whoever stands last: the local model, without one the free ones, and who is asked alone."""
        if not question.fallback:
            return "wanted"
        return "free" if self._models.local() is None else "local"

    def _time_s(self, part: str, inquiry: Inquiry) -> float:
        """How long the next attempt may take: the last in line always finds time left."""
        kept_s = 0.0 if part == inquiry.last else LAST_SHARE * PATIENCE * self._timeout_s
        return min(self._timeout_s, inquiry.deadline_s - kept_s - self._clock.monotonic_s())

    def _in_time(self, part: str, inquiry: Inquiry) -> bool:
        """Whether an attempt is still worth beginning."""
        return self._time_s(part, inquiry) >= min(SHORTEST_CALL_S, LAST_SHARE * self._timeout_s)

    def _in_pace(self, model: ModelInfo) -> bool:
        """Count one more call of the free tier, if it may be made; nothing else has such a pace."""
        if not is_free_tier(model.id):
            return True
        return self._free_pace.take()

    def _since(self, started_s: float) -> Decimal:
        return Decimal(self._clock.monotonic_s() - started_s).quantize(Decimal("0.001"))

    def _shortest(self, model: ModelInfo) -> int:
        return SHORTEST_REPLY_TOKENS + (self._headroom_tokens if model.reasons else 0)

    def _request(self, model: ModelInfo, question: Question) -> CompletionRequest:
        cap = min(question.reply_cap_tokens, model.reply_cap_tokens or question.reply_cap_tokens)
        request = CompletionRequest(
            model=model.id,
            messages=question.compose(model),
            max_tokens=min(_most_tokens(model), cap + (self._headroom_tokens if model.reasons else 0)),
            tools=question.tools if model.supports_tools else (),
            schema=question.schema_for(model) if question.schema_for and model.supports_schema else None,
            reasoning_effort=model.efforts[0] if model.reasons and model.efforts else None,
            cache_prefix=question.stable_messages,
        )
        if model.price is None or is_free_tier(model.id):  # what ends in `:free` is free by its name
            return request
        return replace(request, max_price=model.price.ceiling(_prompt_tokens(request)))

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
            if not self._shortest(model) <= cap < request.max_tokens:
                raise
            shorter = replace(request, max_tokens=cap)
            return shorter, await hold(model.price.worst_case_nanos(prompt_tokens, cap))

    async def _call(
        self, model: ModelInfo, request: CompletionRequest, hold: Hold, on_text: OnText
    ) -> tuple[Completion, Charge]:
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
        charge = self._charge(hold, model.price, completion.usage, completion.generation_id)
        await self._tracker.settle(hold, charge)
        return completion, charge

    async def _close(self, hold: Hold, price: Price, failure: CallFailed) -> None:
        """End the hold of a failed call by what is known of the money."""
        if failure.fate is Fate.FREE:
            await self._tracker.release(hold, failure.message)
        elif failure.fate is Fate.UNKNOWN:
            await self._tracker.forget(hold, failure.message, failure.generation_id)
        else:
            charge = self._charge(hold, price, failure.usage, failure.generation_id)
            failure.cost_nanos = charge.cost_nanos
            await self._tracker.settle(hold, charge)

    def _charge(self, hold: Hold, price: Price, usage: Usage | None, generation_id: str | None) -> Charge:
        """What to book: the reported cost, else the table's at this hour, else the whole hold."""
        if usage is None or not usage.bookable:
            return Charge(hold.amount_nanos, "worst_case", generation_id=generation_id)
        computed = price.cost_nanos(
            usage.tokens_in,
            usage.tokens_out,
            usage.tokens_cached,
            tokens_cache_written=usage.tokens_cache_write,
            tokens_reasoning=usage.tokens_reasoning,
            at=self._clock.now(),
        )
        return Charge(
            cost_nanos=computed if usage.cost_usd is None else max(0, round_up(usage.cost_usd)),
            price_basis="computed" if usage.cost_usd is None else "reported",
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cached=usage.tokens_cached,
            tokens_reasoning=usage.tokens_reasoning,
            generation_id=generation_id,
            saved_nanos=price.saved_nanos(usage.tokens_cached),
        )


def _most_tokens(model: ModelInfo) -> int:
    """The longest reply this model gives."""
    return model.max_completion_tokens or model.context_tokens


def _prompt_tokens(request: CompletionRequest) -> int:
    """An upper bound of the prompt: some providers write the tools and the schema into it."""
    told = [tool.as_json() for tool in request.tools] + ([request.schema] if request.schema else [])
    return prompt_bound_tokens(request.messages, sum(len(json.dumps(part).encode()) for part in told))


def _why(model: ModelInfo, inquiry: Inquiry) -> str:
    """One plain sentence: why this model and no other."""
    question = inquiry.question
    if inquiry.attempts and inquiry.attempts[0].model != model.id:
        first = inquiry.attempts[0]
        wanted = f" (wanted because {question.because})" if question.because else ""
        could = "was not asked" if first.outcome == SKIPPED else "could not"
        return f"{model.name} thought instead of {first.model}{wanted}, which {could}: {_plain(first)}."
    if inquiry.attempts:
        return f"{model.name} thought at the second try: {_plain(inquiry.attempts[0])}."
    if question.because:
        return f"{model.name} thought because {question.because}."
    return f"{model.name} is the resident model." if question.fallback else f"{model.name} had the thought."


def _plain(attempt: Attempt) -> str:
    """What came in the way, in plain words; the provider's own stand in the attempts."""
    return without_details(attempt.reason).rstrip(".")
