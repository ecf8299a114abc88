"""The being's life as it is persisted: legal moves only, each one transaction and one journal row with its cause."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

from ai.clock import Clock, iso, to_ms
from ai.life.identity import Identity
from ai.life.states import Move, State, move
from ai.moment import LAST_WORDS
from ai.said import FRAGMENT
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal, newest_of
from ai.store.lives import Life, add_life, change_being, change_life, names_so_far, read_life, read_resident
from ai.store.notes import add_note
from ai.store.residencies import begin_residency

BANKRUPTCY = "bankruptcy"


class Lifecycle:
    """Reads and changes the life of one being.

    `on_bankruptcy` is hibernate or die. `rebirth_s` is the shortest and longest time, in seconds, between a death and
    the next birth; None: there is none but the keeper's.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        clock: Clock,
        being: str,
        on_bankruptcy: str = "hibernate",
        rebirth_s: tuple[float, float] | None = None,
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being
        self._on_bankruptcy = on_bankruptcy
        self._rebirth_s = rebirth_s

    async def current(self) -> Life | None:
        """The present life, or the last one when it is over; None while unborn."""
        return await self._store.read(lambda t: read_life(t, self._being))

    async def resident(self) -> str | None:
        """The resident model somebody chose, also before a birth; None when nobody did."""
        return await self._store.read(lambda t: read_resident(t, self._being))

    async def names(self) -> list[str]:
        """What every life was called, oldest first."""
        return await self._store.read(lambda t: names_so_far(t, self._being))

    async def begin(
        self, identity: Identity, mode: str, *, resident: str | None = None, fragments: Sequence[str] = ()
    ) -> Life:
        """Begin the next life, with what it remembers of former ones; numbers neither repeat nor skip.

        Raises LifecycleError while one is being lived.
        """

        def work(transaction: Transaction) -> Life:
            number, _ = self._move(transaction, Move.BIRTH, life_after=1)
            at_ms = to_ms(self._clock.now())
            who = self._journal.clean({"name": identity.name, "pronoun": identity.pronoun, "icon": identity.icon})
            told = self._journal.clean({"mode": mode, "first_words": identity.first_words})
            add_life(transaction, self._being, number, born_at_ms=at_ms, **who, **told)
            change_being(transaction, self._being, birth_due_ms=None)
            if resident is not None:
                change_being(transaction, self._being, resident_model=resident, resident_by="rotator")
                begin_residency(transaction, self._being, resident, "rotator", "a new life", at_ms)
            for fragment in fragments:
                add_note(transaction, self._being, fragment, at_ms, FRAGMENT)
            more = {"fragments": len(fragments), "model": resident}
            self._journal.append(transaction, "birth", {"number": number, **who, **told, **more})
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
        life = read_life(transaction, self._being)
        if life is None or life.state != State.ALIVE:
            return  # it was ended while it said them, or paused: then this follows at the resume
        if self._on_bankruptcy == "die":
            self._end(transaction, BANKRUPTCY)
        else:
            self._move(transaction, Move.HIBERNATE)
            self._journal.append(transaction, "hibernation", {"reason": "the money has run out"})

    async def die(self, cause: str) -> None:
        """End the present life. Raises LifecycleError when there is none."""
        await self._store.write(lambda t: self._end(t, cause))

    async def revive(self, reason: str) -> None:
        """Wake from hibernation."""

        def work(transaction: Transaction) -> None:
            _, state = self._move(transaction, Move.REVIVE)
            self._journal.append(transaction, "revival", {"reason": reason, "state": state})

        await self._store.write(work)

    async def pause(self, reason: str) -> None:
        """Stop thinking until resumed. Raises LifecycleError when it does not think anyway."""

        def work(transaction: Transaction) -> None:
            life = read_life(transaction, self._being)
            _, state = self._move(transaction, Move.PAUSE)
            told = {"reason": reason, "state": state, "before": life.state if life else None}
            self._journal.append(transaction, "hibernation", told)

        await self._store.write(work)

    async def resume(self, reason: str) -> None:
        """Think again; who hibernated when it was paused hibernates on, for its last words are said.

        Raises LifecycleError when it is not paused.
        """

        def work(transaction: Transaction) -> None:
            pause, thought = (newest_of(transaction, self._being, kind) for kind in ("hibernation", "thought"))
            _, state = self._move(transaction, Move.RESUME)
            if pause is not None and pause.data.get("before") == State.HIBERNATING:
                _, state = self._move(transaction, Move.HIBERNATE)
            self._journal.append(transaction, "revival", {"reason": reason, "state": state})
            if pause and thought and thought.id > pause.id and thought.data.get("moment") == LAST_WORDS:
                self.go_broke(transaction)  # they were said while it was being paused

        await self._store.write(work)

    async def plan_birth(self, after_s: float = 0.0) -> None:
        """Let the next life begin so many seconds from now. Raises LifecycleError while one is being lived."""

        def work(transaction: Transaction) -> None:
            life = read_life(transaction, self._being)
            move(life.state if life else State.UNBORN, Move.BIRTH, life.name if life else self._being)
            change_being(transaction, self._being, birth_due_ms=to_ms(self._clock.now()) + round(after_s * 1000))

        await self._store.write(work)

    async def remember_end(self, last_words: str, obituary: str) -> None:
        """Write down what was said at the end of the life that is over; once."""

        def work(transaction: Transaction) -> None:
            life = read_life(transaction, self._being)
            if life is None or life.state != State.DEAD or life.obituary is not None:
                return
            said = self._journal.clean({"last_words": last_words, "obituary": obituary})
            change_life(transaction, self._being, **said)
            told = {"text": said["obituary"], "last_words": said["last_words"], "obituary": life.number}
            self._journal.append(transaction, "note", told)

        await self._store.write(work)

    def rebirth_after_s(self, number: int) -> float | None:
        """How long after the death of life `number` the next begins: the same whoever asks, and whenever."""
        if self._rebirth_s is None:
            return None
        return random.Random(f"{self._being}:{number}").uniform(*self._rebirth_s)  # noqa: S311 - a pause, no secret

    def _end(self, transaction: Transaction, cause: str) -> None:
        number, _ = self._move(transaction, Move.DEATH)
        at_ms, after_s = to_ms(self._clock.now()), self.rebirth_after_s(number)
        # Who died of poverty is not born again into it: whoever brings money plans that birth.
        due_ms = None if after_s is None or cause == BANKRUPTCY else at_ms + round(after_s * 1000)
        change_being(transaction, self._being, birth_due_ms=due_ms)
        change_life(transaction, self._being, died_at_ms=at_ms, cause_of_death=cause)
        told = {"number": number, "cause": cause, "reborn_at": None if due_ms is None else iso(due_ms)}
        self._journal.append(transaction, "death", told)

    def _move(self, transaction: Transaction, what: Move, *, life_after: int = 0) -> tuple[int, State]:
        """Make a legal move; the life's number (`life_after` lives on) and the state it leads to."""
        life = read_life(transaction, self._being)
        name = life.name if life else self._being.capitalize()
        state = move(life.state if life else State.UNBORN, what, name)
        number = (life.number if life else 0) + life_after
        change_being(transaction, self._being, state=state, life=number)
        return number, state
