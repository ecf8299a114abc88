"""The thought being written, one overwritten row, so that the page can show it as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from ai.clock import Clock, to_ms
from ai.store.engine import Store
from ai.wellformed import well_formed

EVERY_S = 0.25  # four times a second is as fast as anyone reads


OVERWRITE = """
    INSERT OR REPLACE INTO drafts (being, thought_id, attempt, text, at_ms)
    VALUES (:being, :thought_id, :attempt, :text, :at_ms)
"""


class Draft:
    """One thought while it is being written. `begin` starts an attempt and gives back where its text goes."""

    def __init__(self, thought_id: str) -> None:
        self.thought_id = thought_id
        self.attempt = 0
        self.text = ""

    def begin(self, attempt: int) -> Callable[[str], None]:
        """A new attempt starts with an empty page; the text of a failed one is not kept."""
        self.attempt, self.text = attempt, ""
        return self._add

    def _add(self, text: str) -> None:
        self.text += text


class Drafts:
    """The draft row of one being."""

    def __init__(self, store: Store, clock: Clock, being: str) -> None:
        self._store = store
        self._clock = clock
        self._being = being

    @asynccontextmanager
    async def writing(self, thought_id: str) -> AsyncIterator[Draft]:
        """Show a draft while the block runs, and nothing after it."""
        draft = Draft(thought_id)
        await self._jot(draft)
        showing = asyncio.create_task(self._show(draft))
        try:
            yield draft
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
            await self._jot(Draft(""))

    async def _show(self, draft: Draft) -> None:
        shown = (0, "")
        while True:
            await asyncio.sleep(EVERY_S)
            if (draft.attempt, draft.text) != shown:
                shown = (draft.attempt, draft.text)
                await self._jot(draft)

    async def _jot(self, draft: Draft) -> None:
        row = {
            "being": self._being,
            "thought_id": draft.thought_id,
            "attempt": draft.attempt,
            "text": well_formed(draft.text),
            "at_ms": to_ms(self._clock.now()),
        }
        await self._store.jot(lambda t: t.exec_driver_sql(OVERWRITE, row))
