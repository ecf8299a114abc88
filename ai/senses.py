"""Sensing: everything a thought begins with, read from the store at that moment."""

from __future__ import annotations

from ai.clock import Clock, from_ms
from ai.economy.credit_tracker import CreditTracker
from ai.economy.tiers import judge
from ai.errors import AliveError
from ai.life.lifecycle import Lifecycle
from ai.models.catalogue import Catalogue
from ai.moment import Moment
from ai.store.engine import Store, Transaction
from ai.store.journal import last_events
from ai.store.notes import newest_notes

NOTES_IN_MIND = 8
THOUGHTS_IN_MIND = 3
# The least a paid call can be: what decides whether any is possible at all.
SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS = 1500, 200


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

    async def sense(self, kind: str) -> Moment:
        """The moment as it is now. `kind` says what moment it is."""
        balance = await self._tracker.open_month()
        life = await self._lifecycle.current()
        if life is None:
            raise AliveError("Nobody was born yet.", hint="`alive up` begins a life.")
        tier = judge(
            balance.fraction,
            available_nanos=balance.available_nanos,
            cheapest_call_nanos=self._catalogue.cheapest_call_nanos(SMALLEST_PROMPT_TOKENS, SMALLEST_REPLY_TOKENS),
            previous=life.tier,
        )
        await self._lifecycle.enter_tier(tier.name, life.tier, balance.fraction)
        memories, thoughts = await self._store.read(self._in_mind)
        now = self._clock.now()
        return Moment(
            at=now,
            kind=kind,
            being=self._being,
            name=life.name,
            pronoun=life.pronoun,
            life=life.number,
            age_s=(now - from_ms(life.born_at_ms)).total_seconds(),
            balance=balance,
            tier=tier,
            resident=life.resident_model or self._default_model,
            memories=memories,
            thoughts=thoughts,
        )

    def _in_mind(self, transaction: Transaction) -> tuple[list[str], list[str]]:
        thoughts = last_events(transaction, self._being, kind="thought", limit=THOUGHTS_IN_MIND)
        notes = newest_notes(transaction, self._being, NOTES_IN_MIND)
        return notes, [str(event.data["text"]) for event in thoughts]
