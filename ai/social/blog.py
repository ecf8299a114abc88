"""The blog: longer writings, kept for ever and shown on the page. It costs nothing but the words."""

from __future__ import annotations

from collections.abc import Callable

from ai.clock import Clock, to_ms
from ai.errors import ActionError
from ai.social.content_gate import inspect
from ai.store.blog import add_essay
from ai.store.engine import Store, Transaction
from ai.store.journal import KEEPER, Journal
from ai.wellformed import well_formed

LONGEST = 50_000
OPENING = 200  # characters of the beginning that the journal shows


class Blog:
    """The blog of one being. `redact` masks known secrets."""

    def __init__(
        self, store: Store, journal: Journal, clock: Clock, being: str, *, redact: Callable[[str], str]
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being
        self._redact = redact

    async def publish(self, title: str, text: str) -> int:
        """Keep an essay and return its number. Raises ActionError when it is not fit to be published or kept already.

        It passes the same gate as a post, except that @ and $ are but signs on a page of our own.
        """
        title, text = " ".join(well_formed(title).split()), well_formed(text)
        refusal = inspect(f"{title}\n\n{text}", longest=LONGEST + 300, redact=self._redact, tags=False)
        if refusal is not None:
            told = {"what": "blog", "rule": refusal.rule, "reason": refusal.sentence, "title": title, "text": text}
            await self._journal.write("refusal", told, visibility=KEEPER)
            raise ActionError(f"This cannot be published. {refusal.sentence}")

        def work(transaction: Transaction) -> int:
            number = add_essay(transaction, self._being, title, text, to_ms(self._clock.now()))
            if number is None:
                raise ActionError("You published that already.")
            told = {"number": number, "title": title, "opening": text[:OPENING], "characters": len(text)}
            self._journal.append(transaction, "blog", told)
            return number

        return await self._store.write(work)
