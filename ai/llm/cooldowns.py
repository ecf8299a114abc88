"""What rests after a failure, and until when: kept across restarts, ended by one probe that succeeds.

A failure cools the scope it speaks about (see `failures.py`); everything that scope covers is left alone until its
time has come. Then one call, and only one at a time, tries it: if that goes well the scope is open again, if not it
rests longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus

from ai.clock import Clock, from_ms, month_end, month_of, to_ms
from ai.llm.failures import CallFailed, Scope, Until
from ai.models.model_config import ModelInfo
from ai.store.cooldowns import Cooldown, end_cooldowns, keep_cooldown, read_cooldowns
from ai.store.engine import Store

# How long something rests when the provider names no moment: this long at first, twice as long each time, at most.
BACKOFF_S = {Scope.ENDPOINT: (30.0, 600.0)}  # a network that is back should be noticed soon
BACKOFF_OTHERWISE_S = (60.0, 3600.0)
PROBED_SELDOM_S = {Until.TOPUP: (3600.0, 86_400.0), Until.KEY: (86_400.0, 86_400.0), Until.REFRESH: (86_400.0,) * 2}
LONGEST = timedelta(days=40)
ACCOUNT_WIDE = (Scope.FUNDS, Scope.CREDENTIAL, Scope.ENDPOINT, Scope.FREE_QUOTA)


class Cooldowns:
    """Everything of one being's providers that rests. `accounts` are fingerprints of each provider's address and key:
    what was met with another one says nothing about this one."""

    def __init__(self, store: Store, clock: Clock, being: str, accounts: Mapping[str, str] | None = None) -> None:
        self._store = store
        self._clock = clock
        self._being = being
        self._accounts = dict(accounts or {})
        self._known: dict[tuple[str, str, str], Cooldown] = {}
        self._probing: set[tuple[str, str, str]] = set()

    async def load(self, *, forget: bool = True) -> None:
        """Take up what rested when the last run ended, and forget what was met with another key.

        `forget` False only leaves that out: a command may be given without the key the being runs with.
        """
        kept = await self._store.read(lambda t: read_cooldowns(t, self._being))
        self._known = {c.key: c for c in kept if c.account == self._account(c.provider)}
        if forget:
            strangers = [c.key for c in kept if c.account != self._account(c.provider)]
            await self._store.write(lambda t: end_cooldowns(t, self._being, strangers))

    def all(self) -> list[Cooldown]:
        """Everything that rests now, the one that ends first first."""
        now_ms = to_ms(self._clock.now())
        return sorted((c for c in self._known.values() if c.until_ms > now_ms), key=lambda c: c.until_ms)

    def over(self, model: ModelInfo) -> Cooldown | None:
        """What keeps this model from being called now, or None."""
        now_ms = to_ms(self._clock.now())
        for key in _covering(model):
            cooldown = self._known.get(key)
            if cooldown is not None and (cooldown.until_ms > now_ms or key in self._probing):
                return cooldown
        return None

    def without_tools(self, model: ModelInfo) -> bool:
        """Whether the provider has lately had no tools for this model."""
        cooldown = self._known.get((model.provider, Scope.TOOLS, model.id))
        return cooldown is not None and cooldown.until_ms > to_ms(self._clock.now())

    def failures_in_a_row(self, model: ModelInfo) -> int:
        """How often this model itself has failed since it last answered."""
        cooldown = self._known.get((model.provider, Scope.MODEL, model.id))
        return cooldown.failures if cooldown else 0

    @contextmanager
    def probing(self, model: ModelInfo) -> Iterator[None]:
        """While the block runs, nobody else tries what rested and covers this model."""
        mine = {key for key in _covering(model) if key in self._known} - self._probing
        self._probing |= mine
        try:
            yield
        finally:
            self._probing -= mine

    async def cool(self, failure: CallFailed, model: ModelInfo) -> Cooldown | None:
        """What this failure retires rests from now on; None when it retires nothing."""
        if failure.status is not None:  # whatever it said, it can be reached; and it knew us, unless it said otherwise
            knew_us = failure.scope is not Scope.CREDENTIAL and failure.status < HTTPStatus.INTERNAL_SERVER_ERROR
            reached = {Scope.ENDPOINT} | ({Scope.CREDENTIAL} if knew_us else set())
            await self._end({(model.provider, scope, "") for scope in reached})
        if failure.scope is Scope.REQUEST:
            return None
        subject = "" if failure.scope in ACCOUNT_WIDE else model.id
        before = self._known.get((model.provider, failure.scope, subject))
        now = self._clock.now()
        if before is not None and subject == "" and before.until_ms > to_ms(now):
            return before  # this call was no probe: with spent credits each free model may say so, one after another
        failures = before.failures + 1 if before else 1
        cooldown = Cooldown(
            provider=model.provider,
            scope=failure.scope,
            subject=subject,
            until_ms=to_ms(_until(failure, failures, now)),
            failures=failures,
            ends=failure.until,
            reason=failure.message,
            account=self._account(model.provider),
            at_ms=to_ms(now),
        )
        self._known[cooldown.key] = cooldown
        await self._store.write(lambda t: keep_cooldown(t, self._being, cooldown))
        return cooldown

    async def warm(self, model: ModelInfo) -> None:
        """It answered: nothing that covers it rests any more."""
        await self._end(set(_covering(model)))

    async def end(self, until: Until, *, met_by_ms: int | None = None) -> None:
        """What some wait for has happened: a new catalogue, a top-up. `met_by_ms` is when (None: just now)."""
        waiting = [cooldown for cooldown in self._known.values() if cooldown.ends == until]
        await self._end({c.key for c in waiting if met_by_ms is None or c.at_ms <= met_by_ms})

    async def _end(self, keys: set[tuple[str, str, str]]) -> None:
        ended = [key for key in keys if self._known.pop(key, None)] or []
        if ended:
            await self._store.write(lambda t: end_cooldowns(t, self._being, ended))

    def _account(self, provider: str) -> str:
        return self._accounts.get(provider, "")


def told(cooldown: Cooldown) -> str:
    """A cooldown in words: what rests, until when, and why."""
    what = {
        Scope.FREE_QUOTA: f"every free model of {cooldown.provider}",
        Scope.FUNDS: f"every paid model of {cooldown.provider}",
        Scope.TOOLS: f"{cooldown.subject} with tools",
        Scope.MODEL: cooldown.subject,
    }.get(Scope(cooldown.scope), cooldown.provider)
    return f"{what} rests until {from_ms(cooldown.until_ms):%d %b %H:%M} UTC, because {cooldown.reason}"


FREE_SUFFIX = ":free"


def is_free_tier(model_id: str) -> bool:
    """Whether the account's free quota counts this model: those with the suffix, whatever else costs nothing."""
    return model_id.lower().endswith(FREE_SUFFIX)


def _covering(model: ModelInfo) -> Iterator[tuple[str, str, str]]:
    """Every scope this model falls under, the widest first."""
    yield model.provider, Scope.ENDPOINT, ""
    yield model.provider, Scope.CREDENTIAL, ""
    if model.price is None or not model.price.free:
        yield model.provider, Scope.FUNDS, ""
    if is_free_tier(model.id):
        yield model.provider, Scope.FREE_QUOTA, ""
    yield model.provider, Scope.MODEL, model.id


def _until(failure: CallFailed, failures: int, now: datetime) -> datetime:
    """When to try again: the provider's word, else what the kind of failure waits for."""
    named = [failure.reset_at] if failure.reset_at else []
    if failure.retry_after_s is not None:
        named.append(now + timedelta(seconds=failure.retry_after_s))
    if named and now < max(named) <= now + LONGEST:
        return max(named)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    match failure.until:
        case Until.DAY:
            return midnight
        case Until.WEEK:  # from Monday to Sunday
            return midnight + timedelta(days=6 - now.weekday())
        case Until.MONTH:
            return month_end(month_of(now))
    first_s, longest_s = PROBED_SELDOM_S.get(failure.until) or BACKOFF_S.get(failure.scope, BACKOFF_OTHERWISE_S)
    return now + timedelta(seconds=min(longest_s, first_s * 2.0 ** min(failures - 1, 32)))
