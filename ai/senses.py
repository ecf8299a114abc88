"""Sensing: everything a thought begins with, read from the store at that moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ai.clock import Clock, from_ms, month_end, to_ms
from ai.economy.account import Balance, Sample
from ai.economy.credit_tracker import CreditTracker
from ai.economy.forecast import pace_nanos
from ai.economy.statement import SAMPLES, read_samples
from ai.economy.tiers import BANKRUPT, BY_NAME, CRITICAL, TIERS, Tier, judge
from ai.errors import LifecycleError, NobodyAlive
from ai.life.lifecycle import Lifecycle
from ai.life.states import State
from ai.models.affording import SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS
from ai.models.catalogue import Catalogue
from ai.models.model_rotator import ModelRotator
from ai.moment import BASIC_FACTS, DAILY, EXISTENTIAL, IMPORTANT, LAST_WORDS, POST, Moment
from ai.said import Heard, Note
from ai.store.engine import Store, Transaction
from ai.store.journal import Event, last_events, read_events
from ai.store.lives import Life
from ai.store.messages import unanswered
from ai.store.notes import newest_notes
from ai.store.summaries import read_summary

NOTES_IN_MIND = 8
THOUGHTS_IN_MIND = 3  # at least, and fewer than twice as many: the oldest leave together, so that a prompt only grows
NEWS_IN_MIND = 50
MESSAGES_IN_MIND = 3
QUIET = {"thought", "action", "result", "charge", "post", "memory", "model", "failure", "note"}  # its own doing
DAY_MS = 86_400_000
OLD_AGE = "old age"


@dataclass(frozen=True, slots=True)
class Past:
    """What the store tells of the time before this moment; `events` are those since the last thought."""

    notes: Sequence[Note]
    story: str
    messages: Sequence[Heard]
    thoughts: Sequence[str]
    mind_begins: int
    events: Sequence[Event]
    skipped: int
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
        rotator: ModelRotator,
        default_model: str,
        interval_s: float,
        may_post: Callable[[int], Awaitable[bool]],
        lifespan_s: float | None = None,
    ) -> None:
        """`may_post` tells whether the pace allows one, at so many posts a day; `lifespan_s` is the longest life."""
        self._store = store
        self._clock = clock
        self._being = being
        self._lifecycle = lifecycle
        self._tracker = tracker
        self._catalogue = catalogue
        self._rotator = rotator
        self._default_model = default_model
        self._interval_s = interval_s
        self._may_post = may_post
        self._lifespan_s = lifespan_s

    async def sense(self, kind: str | None = None) -> Moment:
        """The moment as it is now. `kind` overrides what moment it would be.

        Raises NobodyAlive when there is no life to think in.
        """
        balance, life, tier = await self._take_stock()
        past = await self._store.read(lambda t: self._past(t, life))
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
            messages=past.messages,
            story=past.story,
            mode=life.mode or BASIC_FACTS,
            may_post=await self._may_post(tier.posts_a_day),
            mind_begins=past.mind_begins,
            quiet=bool(past.thoughts) and all(event.kind in QUIET for event in past.events),
            skipped=past.skipped,
        )

    async def lives_on(self, moment: Moment) -> bool:
        """Whether the life that sensed this moment goes on."""
        life = await self._lifecycle.current()
        return life is not None and life.number == moment.life and life.state in (State.ALIVE, State.HIBERNATING)

    async def wake_if_funded(self) -> None:
        """End a hibernation that has lost its cause, without waiting for the next thought."""
        life = await self._lifecycle.current()
        if life is not None and life.state == State.HIBERNATING:
            with suppress(NobodyAlive):  # its keeper was quicker, or its time was over
                await self._take_stock()

    async def _take_stock(self) -> tuple[Balance, Life, Tier]:
        """Judge the tier, between thoughts; a change is journalled, and money ends a hibernation."""
        balance = await self._tracker.open_month()
        life = await self._lifecycle.current()
        if life is not None and life.state not in (State.DEAD, State.PAUSED) and self._is_over(life):
            with suppress(LifecycleError):  # a command was quicker
                await self._lifecycle.die(OLD_AGE)
            life = await self._lifecycle.current()
        if life is None or life.state in (State.DEAD, State.PAUSED):
            raise _nobody(life)
        tier = self._judge(balance, life.tier)
        await self._lifecycle.enter_tier(tier.name, life.tier, balance.fraction)
        if life.state == State.HIBERNATING and tier is not BANKRUPT:
            with suppress(LifecycleError):  # a command was quicker
                await self._lifecycle.revive("there is money again")
        return balance, await self._reviewed(life, tier, balance), tier

    async def _reviewed(self, life: Life, tier: Tier, balance: Balance) -> Life:
        """The life with its resident model, which may have had to make room for another."""
        pace = pace_nanos(balance.available_nanos, self._clock.now(), month_end(balance.month), self._interval_s)
        fell = tier.name if life.tier and TIERS.index(tier) > TIERS.index(BY_NAME[life.tier]) else ""
        resident = life.resident_model or self._default_model
        moved_in = await self._rotator.review(resident, life.resident_by, tier.classes, float(pace), tier_fell=fell)
        return life if moved_in is None else replace(life, resident_model=moved_in.id, resident_by="rotator")

    async def means(self) -> tuple[Sequence[str], float]:
        """What a new life has to live on: the classes of model its tier allows, and nano-dollars a thought."""
        balance = await self._tracker.open_month()
        pace = pace_nanos(balance.available_nanos, self._clock.now(), month_end(balance.month), self._interval_s)
        return self._judge(balance, None).classes, float(pace)

    async def can_pay(self) -> bool:
        """Whether there is money for any thought at all."""
        return self._judge(await self._tracker.open_month(), None) is not BANKRUPT

    def _is_over(self, life: Life) -> bool:
        """Whether this life has had its span."""
        age_ms = to_ms(self._clock.now()) - life.born_at_ms
        return self._lifespan_s is not None and age_ms >= self._lifespan_s * 1000

    def _judge(self, balance: Balance, before: str | None) -> Tier:
        return judge(
            balance.fraction,
            available_nanos=balance.available_nanos,
            cheapest_call_nanos=self._catalogue.cheapest_call_nanos(SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS),
            previous=before,
        )

    def _kind(self, life: Life, tier: Tier, past: Past) -> str:
        if tier is BANKRUPT:
            return LAST_WORDS if life.state == State.ALIVE else DAILY
        if any(event.kind == "tier" and event.data["to"] == CRITICAL.name and _fell(event) for event in past.events):
            return EXISTENTIAL
        if past.messages or {event.kind for event in past.events} & {"birth", "topup", "revival", "message", "tier"}:
            return IMPORTANT
        pause_ms = DAY_MS // tier.posts_a_day if tier.posts_a_day else DAY_MS
        if to_ms(self._clock.now()) - past.posted_at_ms >= pause_ms:
            return POST
        return DAILY

    def _past(self, transaction: Transaction, life: Life) -> Past:
        """How many thoughts this life has had decides which of them are in mind."""
        had = life.thoughts
        begins, next_begins = _mind_begins(had), _mind_begins(had + 1)
        in_mind = had - begins
        thoughts = last_events(transaction, self._being, kind="thought", limit=in_mind) if in_mind else []
        first = thoughts[0] if thoughts else None
        noted = read_events(transaction, self._being, after=first.id, kind="memory") if first else []
        birth = next(iter(last_events(transaction, self._being, kind="birth")), None)
        since = thoughts[-1].id if thoughts else birth.id - 1 if birth else 0
        events = read_events(transaction, self._being, after=since, keeper=True, limit=NEWS_IN_MIND)
        posts = last_events(transaction, self._being, kind="post")
        return Past(
            notes=newest_notes(
                transaction, self._being, life.number, NOTES_IN_MIND, before_ms=first.at_ms if first else None
            ),
            story=story.text if (story := read_summary(transaction, self._being, life.number)) else "",
            messages=unanswered(transaction, self._being, MESSAGES_IN_MIND),
            mind_begins=thoughts[next_begins - begins].id if begins < next_begins < begins + len(thoughts) else 0,
            thoughts=[_remembered(event) for event in sorted([*thoughts, *noted], key=lambda event: event.id)],
            events=events,
            skipped=sum(bool(event.data.get("skipped")) for event in events),
            posted_at_ms=posts[-1].at_ms if posts else 0,
            samples=read_samples(transaction, self._being, SAMPLES),
        )


def _mind_begins(had: int) -> int:
    """The first thought (from 0) that is still in mind after so many: it moves on by several at a time."""
    return max(0, (had // THOUGHTS_IN_MIND - 1) * THOUGHTS_IN_MIND)


def _remembered(event: Event) -> str:
    """A thought or a note as it stands in mind."""
    text = str(event.data["text"])
    return f"You noted: {text}" if event.kind == "memory" else text


def _nobody(life: Life | None) -> NobodyAlive:
    """Why nobody thinks, and what to do about it."""
    if life is None:
        return NobodyAlive("Nobody was born yet.", hint="`alive up` begins a life.")
    if life.state == State.PAUSED:
        return NobodyAlive(f"{life.name} is paused.", hint="`alive resume` lets it go on.")
    return NobodyAlive(f"{life.name} is dead.", hint="`alive birth` begins the next life.")


def _news(event: Event) -> str:
    """What an event since the last thought means to the being, or nothing."""
    if event.kind == "topup":
        return f"Somebody topped you up by ${event.data['amount']}."
    if event.kind == "tier":
        return f"You fell from {event.data['from']} to {event.data['to']}." if _fell(event) else ""
    if event.kind == "revival":
        return f"You are awake again: {event.data['reason']}."
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
