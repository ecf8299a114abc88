"""Between two lives: what is said of the one that ended, what is cleared away, and when the next begins.

Each step can be done again without harm, so a crash between any two of them loses nothing.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ai.clock import Clock, to_ms
from ai.errors import NobodyThought
from ai.life import wording
from ai.life.birth import Birth, Voice
from ai.life.identity import LONGEST_WORDS, speakable
from ai.life.lifecycle import BANKRUPTCY, Lifecycle
from ai.life.states import State
from ai.llm.json_reply import first_object
from ai.llm.question import Mind, Question, unheard
from ai.models.model_config import CLASSES
from ai.moment import LAST_WORDS
from ai.prompt import one_line
from ai.store.engine import Store, Transaction
from ai.store.journal import last_events
from ai.store.lives import Life

LOOK_EVERY_S = 1.0
REPLY_CAP_TOKENS = 200
LONGEST_OBITUARY = 280
THOUGHTS_TOLD = 4
FREE_CLASSES = ("free",)


class Afterlife:
    """Buries the being's last life and begins the next one. `workspace` is the folder a life leaves behind."""

    def __init__(
        self,
        store: Store,
        lifecycle: Lifecycle,
        birth: Birth,
        mind: Mind,
        voice: Voice,
        clock: Clock,
        being: str,
        *,
        default_model: str,
        can_pay: Callable[[], Awaitable[bool]],
        workspace: Path,
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._birth = birth
        self._mind = mind
        self._voice = voice
        self._clock = clock
        self._being = being
        self._default_model = default_model
        self._can_pay = can_pay
        self._workspace = workspace
        self._buried: set[int] = set()

    async def pass_on(self) -> float | None:
        """Do what is due between two lives; seconds until there may be more to do, None while one is being lived."""
        life = await self._lifecycle.current()
        if life is None:
            await self._birth.begin()
            return None
        if life.state == State.PAUSED:
            return LOOK_EVERY_S
        if life.state != State.DEAD:
            await self._birth.ensure()  # its first words, if a crash kept them back
            return None
        await self._bury(life)
        due_ms = life.birth_due_ms
        if due_ms is None and (after_s := self._lifecycle.rebirth_after_s(life.number)) is not None:
            if life.cause_of_death == BANKRUPTCY and not await self._can_pay():
                return LOOK_EVERY_S  # not into the poverty that ended the last one
            await self._lifecycle.plan_birth(after_s)
        elif due_ms is not None and due_ms <= to_ms(self._clock.now()):
            await self._birth.begin()
            return None
        return LOOK_EVERY_S

    async def next_life(self) -> Life:
        """Begin the next life now, once the last one is buried. Raises LifecycleError while one is being lived."""
        life = await self._lifecycle.current()
        if life is not None and life.state == State.DEAD:
            await self._bury(life)
        return await self._birth.begin()

    async def _bury(self, life: Life) -> None:
        """Last words and obituary, written once and published once; the workspace is wiped, the books stay."""
        text = life.obituary
        if text is None:
            last_words, text = await self._last_said(life)
            await self._lifecycle.remember_end(last_words, text)
        if life.number not in self._buried:
            await self._voice.announce(text, occasion="death")
            await asyncio.to_thread(shutil.rmtree, self._workspace, ignore_errors=True)
            self._buried.add(life.number)  # once a run is enough

    async def _last_said(self, life: Life) -> tuple[str, str]:
        thoughts, last = await self._store.read(lambda t: self._thoughts(t, life))
        classes = FREE_CLASSES if life.cause_of_death == BANKRUPTCY else CLASSES
        question = Question(
            purpose="obituary",
            wanted=life.resident_model or self._default_model,
            classes=[cls for cls in classes if cls != "local"],  # the smallest has no words for this
            reply_cap_tokens=REPLY_CAP_TOKENS,
            compose=lambda _: wording.compose_end(life, thoughts),
            schema_for=lambda _: END_SCHEMA,
        )
        try:
            answer = await self._mind.ask(question, unheard)
            said = first_object(answer.completion.text) or {}
        except NobodyThought:
            said = {}
        final = thoughts[-1] if thoughts else life.first_words  # the last it ever said
        words = last or speakable(said.get("last_words"), LONGEST_WORDS) or speakable(final, LONGEST_WORDS)
        return words, speakable(said.get("obituary"), LONGEST_OBITUARY) or wording.obituary(life)

    def _thoughts(self, transaction: Transaction, life: Life) -> tuple[Sequence[str], str]:
        """The last thoughts of this life, and the words with which it took its leave, if it did."""
        newest = last_events(transaction, self._being, kind="thought", limit=THOUGHTS_TOLD)
        events = [event for event in newest if event.life == life.number]
        leave = events[-1].data if events and events[-1].data.get("moment") == LAST_WORDS else {}
        return [one_line(str(event.data["text"])) for event in events], speakable(leave.get("text"), LONGEST_WORDS)


END_SCHEMA = {
    "type": "object",
    "properties": {"last_words": {"type": "string"}, "obituary": {"type": "string"}},
    "required": ["last_words", "obituary"],
    "additionalProperties": False,
}
