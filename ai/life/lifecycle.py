"""The being's life as it is persisted. Every change is a journal row with its cause."""

from __future__ import annotations

from decimal import Decimal

from ai.clock import Clock, to_ms
from ai.life.identity import Identity
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal
from ai.store.lives import Life, add_life, change_being, end_life, read_life, read_resident
from ai.store.residencies import begin_residency


class Lifecycle:
    """Reads and changes the life of one being."""

    def __init__(
        self, store: Store, journal: Journal, clock: Clock, being: str, on_bankruptcy: str = "hibernate"
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being
        self._on_bankruptcy = on_bankruptcy

    async def current(self) -> Life | None:
        """The present life, or None while unborn."""
        return await self._store.read(lambda t: read_life(t, self._being))

    async def resident(self) -> str | None:
        """The resident model somebody chose, also before a birth; None when nobody did."""
        return await self._store.read(lambda t: read_resident(t, self._being))

    async def begin(self, identity: Identity, mode: str) -> Life:
        """Begin the first life; while one is being lived, that one is returned and nothing begins."""

        def work(transaction: Transaction) -> Life:
            present = read_life(transaction, self._being)
            if present is not None:
                return present
            who = {"name": identity.name, "pronoun": identity.pronoun, "icon": identity.icon}
            change_being(transaction, self._being, state="alive", life=1)
            add_life(transaction, self._being, 1, born_at_ms=to_ms(self._clock.now()), **who)
            told = {"number": 1, **who, "mode": mode, "first_words": identity.first_words}
            self._journal.append(transaction, "birth", told)
            life = read_life(transaction, self._being)
            assert life is not None, "it was just begun"
            return life

        return await self._store.write(work)

    async def settle_in(self, model_id: str, *, by: str, reason: str, leaving: str | None = None) -> None:
        """Make `model_id` the resident model; `by` is being, keeper or rotator.

        `leaving` is who was resident until now, for whoever knows: a default resident stands nowhere in the store.
        """

        def work(transaction: Transaction) -> None:
            before = read_resident(transaction, self._being)
            change_being(transaction, self._being, resident_model=model_id, resident_by=by)
            by_default = leaving if before is None else None
            begin_residency(transaction, self._being, model_id, by, reason, to_ms(self._clock.now()), by_default)
            told = {"from": before or leaving, "to": model_id, "by": by, "reason": reason}
            self._journal.append(transaction, "model", told)

        await self._store.write(work)

    async def enter_tier(self, tier: str, before: str | None, fraction: Decimal | None) -> None:
        """Remember the tier; a change of it is a journal row."""
        if tier == before:
            return

        def work(transaction: Transaction) -> None:
            change_being(transaction, self._being, tier=tier)
            if before is not None:
                told = {"from": before, "to": tier, "fraction": None if fraction is None else float(fraction)}
                self._journal.append(transaction, "tier", told)

        await self._store.write(work)

    def go_broke(self, transaction: Transaction) -> None:
        """The last words are said: hibernate or die, as the keeper chose. Inside the transaction that keeps them."""
        if self._on_bankruptcy == "die":
            change_being(transaction, self._being, state="dead")
            end_life(transaction, self._being, "bankruptcy", to_ms(self._clock.now()))
            self._journal.append(transaction, "death", {"cause": "bankruptcy"})
        else:
            change_being(transaction, self._being, state="hibernating")
            self._journal.append(transaction, "hibernation", {"reason": "the money has run out"})

    async def revive(self, reason: str) -> None:
        """Wake from hibernation."""

        def work(transaction: Transaction) -> None:
            change_being(transaction, self._being, state="alive")
            self._journal.append(transaction, "revival", {"reason": reason})

        await self._store.write(work)
