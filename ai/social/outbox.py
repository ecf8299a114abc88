"""The outbox: where a post is a row before it is anything else. It stands on the local timeline at once; `postman.py`
carries it further."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ai.clock import Clock, to_ms
from ai.errors import ActionError
from ai.social.base import Channel
from ai.social.content_gate import inspect
from ai.social.lengths import fit
from ai.social.likeness import too_like
from ai.store import outbox as rows
from ai.store.engine import Store, Transaction
from ai.store.journal import KEEPER, Journal, last_events
from ai.store.outbox import DRY_RUN, SENT

THOUGHT, BIRTH, LAST_WORDS, DEATH = "thought", "birth", "last_words", "death"
LAST = (LAST_WORDS, DEATH)  # these may be paid from the reserve
ONCE = (BIRTH, *LAST)  # these are allowed at any pace, once a day and life

REMEMBERED_POSTS = 200
PACE_S = 3600.0  # between two posts
DAY_MS = 86_400_000

Shorten = Callable[[str, int], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a wish to post: the text as it was kept, and whether that is another than was wished for."""

    number: int
    text: str
    state: str
    changed: bool


class Outbox:
    """The posts of one being to one channel.

    `redact` masks known secrets; `on_queued` hears of every post; `shorten` asks a model to say a text in at most so
    many characters (None: it cannot), and without it a text that is too long is cut at a word; `known` are words of
    others that are not news either.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        clock: Clock,
        being: str,
        *,
        channel: Channel,
        redact: Callable[[str], str],
        on_queued: Callable[[], None] = lambda: None,
        shorten: Shorten | None = None,
        pace_s: float = PACE_S,
        known: Sequence[str] = (),
    ) -> None:
        self.channel = channel
        self._known = known
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being
        self._redact = redact
        self._shorten = shorten
        self._pace_ms = int(pace_s * 1000)
        self._on_queued = on_queued

    async def post(
        self,
        text: str,
        *,
        occasion: str = THOUGHT,
        posts_a_day: int | None = None,
        model: str | None = None,
        thought_id: str | None = None,
    ) -> Posted:
        """Put a post into the outbox; it stands on the local timeline at once.

        Raises ActionError, which tells the being why, when the text is not fit to be published, repeats an earlier
        post of any life, or comes too soon.
        """
        fitting = await self._fit(self.channel.prepare(text))
        await self._check(fitting, text)

        def work(transaction: Transaction) -> Posted:
            if occasion not in ONCE:  # two lives may begin alike
                self._check_new(transaction, fitting)
            self._check_pace(transaction, occasion, posts_a_day)
            return self._add(transaction, fitting, occasion, model, thought_id, changed=fitting != text.strip())

        posted = await self._store.write(work)
        self._on_queued()
        return posted

    async def may_post(self, posts_a_day: int) -> bool:
        """Whether the pace allows a post now."""

        def work(transaction: Transaction) -> bool:
            try:
                self._check_pace(transaction, THOUGHT, posts_a_day)
            except ActionError:
                return False
            return True

        return await self._store.read(work)

    async def announce(self, text: str, *, occasion: str, model: str | None = None) -> None:
        """Publish what is said once in a life; said before, or not fit to be said, it is left at that."""
        if not await self._store.read(lambda t: rows.said_in_this_life(t, self._being, occasion, 0)):
            with suppress(ActionError):
                await self.post(text, occasion=occasion, model=model)

    async def _fit(self, text: str) -> str:
        channel = self.channel
        if channel.measure(text) <= channel.longest:
            return text
        shorter = await self._shorten(text, channel.longest) if self._shorten is not None else None
        return fit(channel.prepare(shorter or text), channel.longest, channel.measure)

    async def _check(self, text: str, wished: str) -> None:
        channel = self.channel
        refusal = inspect(text, measure=channel.measure, longest=channel.longest, redact=self._redact)
        if refusal is None:
            return
        told = {"what": "post", "rule": refusal.rule, "reason": refusal.sentence, "text": wished}
        await self._journal.write("refusal", told, visibility=KEEPER)
        raise ActionError(f"This cannot be posted. {refusal.sentence}")

    def _check_new(self, transaction: Transaction, text: str) -> None:
        earlier = last_events(transaction, self._being, kind="post", limit=REMEMBERED_POSTS)
        said = [*self._known, *(str(event.data.get("text", "")) for event in earlier)]
        if too_like(text, said) is not None:
            raise ActionError("You posted that already, or nearly that. Say something new, or nothing.")

    def _check_pace(self, transaction: Transaction, occasion: str, posts_a_day: int | None) -> None:
        now_ms = to_ms(self._clock.now())
        since_ms = now_ms - DAY_MS
        if occasion in ONCE:
            if rows.said_in_this_life(transaction, self._being, occasion, since_ms):
                raise ActionError("That was said already.")
            return
        count, last_ms = rows.count_posts(transaction, self._being, occasion, since_ms)
        if posts_a_day is not None and count >= posts_a_day:
            how_many = f"{posts_a_day} times a day" if posts_a_day else "no more"
            raise ActionError(f"You may post {how_many} at this balance{', and you have' if posts_a_day else ''}.")
        wait_ms = last_ms + self._pace_ms - now_ms
        if wait_ms > 0:
            minutes = -(-wait_ms // 60_000)
            raise ActionError(f"You posted lately. The next may come in {minutes} minute{'s' * (minutes != 1)}.")

    def _add(
        self,
        transaction: Transaction,
        text: str,
        occasion: str,
        model: str | None,
        thought_id: str | None,
        *,
        changed: bool,
    ) -> Posted:
        state, now_ms = self.channel.begins, to_ms(self._clock.now())
        told = {"channel": self.channel.name, "state": state, "text": text, "occasion": occasion}
        told |= {name: value for name, value in (("model", model), ("thought_id", thought_id)) if value}
        event = self._journal.append(transaction, "post", told)
        rows.add_post(
            transaction,
            self._being,
            post_id=event.id,
            channel=self.channel.name,
            state=state,
            occasion=occasion,
            text=text,
            queued_at_ms=now_ms,
            due_at_ms=now_ms,
            ended_at_ms=now_ms if state in (SENT, DRY_RUN) else None,
        )
        return Posted(event.id, text, state, changed)
