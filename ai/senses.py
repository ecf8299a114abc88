"""Sensing: everything a thought begins with, read from the store at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ai.clock import Clock, from_ms, to_ms
from ai.economy.account import Balance, Sample
from ai.economy.credit_tracker import CreditTracker
from ai.economy.statement import SAMPLES, read_samples
from ai.economy.tiers import BANKRUPT, CRITICAL, TIERS, Tier, judge
from ai.errors import NobodyAlive
from ai.life.lifecycle import Lifecycle
from ai.models.catalogue import Catalogue
from ai.moment import DAILY, EXISTENTIAL, IMPORTANT, LAST_WORDS, POST, Moment
from ai.store.engine import Store, Transaction
from ai.store.journal import Event, last_events, read_events
from ai.store.lives import Life
from ai.store.notes import newest_notes

NOTES_IN_MIND = 8
THOUGHTS_IN_MIND = 3
NEWS_IN_MIND = 50
DAY_MS = 86_400_000
# The least a paid call can be: what decides whether any is possible at all.
SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS = 4000, 200  # the bound counts bytes: 3,200 to 3,600 were seen


@dataclass(frozen=True, slots=True)
class Past:
    """What the store tells of the time before this moment; `events` are those since the last thought."""

    notes: Sequence[str]
    thoughts: Sequence[str]
    events: Sequence[Event]
    posted_at_ms: int
    samples: Sequence[Sample]


class Senses:
    """Reads the moment of one being, and judges its tier on the way (between thoughts, while no hold is open)."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        being: str,
        *,
        lifecycle: Lifecycle,
        tracker: CreditTracker,
        catalogue: Catalogue,
        default_model: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._being = being
        self._lifecycle = lifecycle
        self._tracker = tracker
        self._catalogue = catalogue
        self._default_model = default_model

    async def sense(self, kind: str | None = None) -> Moment:
        """The moment as it is now. `kind` overrides what moment it would be.

        Raises NobodyAlive when there is no life to think in.
        """
        balance, life, tier = await self._take_stock()
        past = await self._store.read(self._past)
        now = self._clock.now()
        return Moment(
            at=now,
            kind=kind or self._kind(life, tier, past),
            news=[sentence for event in past.events if (sentence := _news(event))],
            being=self._being,
            name=life.name,
            pronoun=life.pronoun,
            life=life.number,
            age_s=(now - from_ms(life.born_at_ms)).total_seconds(),
            balance=balance,
            tier=tier,
            resident=life.resident_model or self._default_model,
            own_choice=life.resident_by == "being",
            samples=past.samples,
            memories=past.notes,
            thoughts=past.thoughts,
        )

    async def wake_if_funded(self) -> None:
        """End a hibernation that has lost its cause, without waiting for the next thought."""
        life = await self._lifecycle.current()
        if life is not None and life.state == "hibernating":
            await self._take_stock()

    async def _take_stock(self) -> tuple[Balance, Life, Tier]:
        """Judge the tier, between thoughts; a change is journalled, and money ends a hibernation."""
        balance = await self._tracker.open_month()
        life = await self._lifecycle.current()
        if life is None or life.state == "dead":
            raise NobodyAlive(_nobody(life), hint="" if life else "`alive up` begins a life.")
        tier = judge(
            balance.fraction,
            available_nanos=balance.available_nanos,
            cheapest_call_nanos=self._catalogue.cheapest_call_nanos(SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS),
            previous=life.tier,
        )
        await self._lifecycle.enter_tier(tier.name, life.tier, balance.fraction)
        if life.state == "hibernating" and tier is not BANKRUPT:
            await self._lifecycle.revive("there is money again")
        return balance, life, tier

    def _kind(self, life: Life, tier: Tier, past: Past) -> str:
        if tier is BANKRUPT:
            return LAST_WORDS if life.state == "alive" else DAILY
        if any(event.kind == "tier" and event.data["to"] == CRITICAL.name and _fell(event) for event in past.events):
            return EXISTENTIAL
        if {event.kind for event in past.events} & {"birth", "topup", "revival", "message", "tier"}:
            return IMPORTANT
        pause_ms = DAY_MS // tier.posts_a_day if tier.posts_a_day else DAY_MS
        if to_ms(self._clock.now()) - past.posted_at_ms >= pause_ms:
            return POST
        return DAILY

    def _past(self, transaction: Transaction) -> Past:
        thoughts = last_events(transaction, self._being, kind="thought", limit=THOUGHTS_IN_MIND)
        posts = last_events(transaction, self._being, kind="post")
        since = thoughts[-1].id if thoughts else 0
        return Past(
            notes=newest_notes(transaction, self._being, NOTES_IN_MIND),
            thoughts=[str(event.data["text"]) for event in thoughts],
            events=read_events(transaction, self._being, after=since, keeper=True, limit=NEWS_IN_MIND),
            posted_at_ms=posts[-1].at_ms if posts else 0,
            samples=read_samples(transaction, self._being, SAMPLES),
        )


def _nobody(life: Life | None) -> str:
    return f"{life.name} is dead." if life else "Nobody was born yet."


def _news(event: Event) -> str:
    """What an event since the last thought means to the being, or nothing."""
    if event.kind == "topup":
        return f"Somebody topped you up by ${event.data['amount']}."
    if event.kind == "tier":
        return f"You fell from {event.data['from']} to {event.data['to']}." if _fell(event) else ""
    if event.kind == "revival":
        return "You wake from hibernation: there is money again."
    if event.kind == "rollover":
        return "The month has turned; your allowance is new."
    if event.kind == "delivery" and event.data["state"] == "refused":
        return "A post of yours was not taken elsewhere; it stands on your own timeline only."
    if event.kind == "channel" and event.data["state"] == "halted":
        return "Your posts reach only your own timeline for now; your keeper can see why."
    return "You have just been born." if event.kind == "birth" else ""


def _fell(event: Event) -> bool:
    names = [tier.name for tier in TIERS]
    return names.index(event.data["to"]) > names.index(event.data["from"])
