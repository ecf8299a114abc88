"""How a life begins: a mind, a few torn memories, a name of its own choosing, one transaction, first words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ai.errors import ModelChoiceError, NobodyThought
from ai.life import fragments, wording
from ai.life.identity import Identity, checked, default_identity, schema
from ai.life.lifecycle import Lifecycle
from ai.life.states import State
from ai.llm.json_reply import first_object
from ai.llm.question import Mind, Question, unheard
from ai.models.model_config import CLASSES
from ai.models.model_rotator import ModelRotator
from ai.store.engine import Store
from ai.store.lives import Life

REPLY_CAP_TOKENS = 160


class Voice(Protocol):
    """Where its first words are published, once a life."""

    async def announce(self, text: str, *, occasion: str, model: str | None = ...) -> None: ...


class Birth:
    """Begins the lives of one being.

    `means` tells which classes of model a new life may think with and how much (nano-dollars) at a time; `mode` is the
    keeper's BOOTSTRAP_MODE, None: by life number.
    """

    def __init__(
        self,
        store: Store,
        lifecycle: Lifecycle,
        mind: Mind,
        rotator: ModelRotator,
        voice: Voice,
        being: str,
        *,
        default_model: str,
        means: Callable[[], Awaitable[tuple[Sequence[str], float]]],
        mode: str | None = None,
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._mind = mind
        self._rotator = rotator
        self._voice = voice
        self._announced: set[int] = set()
        self._being = being
        self._default_model = default_model
        self._means = means
        self._mode = mode

    async def ensure(self, identity: Identity | None = None) -> Life:
        """The first life, begun now when there was none (as `identity`, if one is given); else the present or last.

        First words that a crash kept from being published are published now.
        """
        life = await self._lifecycle.current()
        if life is None:
            return await self.begin(identity)
        if life.state != State.DEAD:
            await self._announce(life)
        return life

    async def begin(self, identity: Identity | None = None) -> Life:
        """Begin the next life. Raises LifecycleError while one is being lived."""
        past = await self._lifecycle.current()
        number = past.number + 1 if past else 1
        mode = self._mode or wording.MODES[(number - 1) % len(wording.MODES)]
        remembered = await self._store.read(lambda t: fragments.gather(t, self._being, past)) if past else []
        resident = await self._next_resident() if past else None
        wanted = resident or await self._lifecycle.resident() or self._default_model
        if identity is None:
            identity = await self._choose(number, mode, remembered, wanted)
        life = await self._lifecycle.begin(identity, mode, resident=resident, fragments=remembered)
        await self._announce(life)
        return life

    async def _next_resident(self) -> str | None:
        """Another mind than the last life's, or None when there is no other."""
        before = await self._lifecycle.resident() or self._default_model
        try:
            return (await self._rotator.choose(before, *await self._means())).model.id
        except ModelChoiceError:
            return None

    async def _choose(self, number: int, mode: str, remembered: list[str], wanted: str) -> Identity:
        """Who it wants to be; who it is by default when no model says, or says nothing that can be used."""
        default, taken = default_identity(self._being, number), await self._lifecycle.names()
        hint = f"you may be called {default.name}" if number == 1 else f"not {', '.join(taken[-5:])}"
        question = Question(
            purpose="birth",
            wanted=wanted,
            classes=CLASSES,
            reply_cap_tokens=REPLY_CAP_TOKENS,
            compose=lambda model: wording.compose_birth(mode, hint, remembered, small=model.cls == "local"),
            schema_for=lambda model: schema(self._being, number, taken, small=model.cls == "local"),
        )
        try:
            answer = await self._mind.ask(question, unheard)
        except NobodyThought:
            return default
        said = first_object(answer.completion.text) or {}
        return checked(said, default, taken, small=answer.model.cls == "local")

    async def _announce(self, life: Life) -> None:
        if life.first_words and life.number not in self._announced:
            self._announced.add(life.number)  # once a run is enough: what cannot be published stays unsaid
            model = life.resident_model or self._default_model
            await self._voice.announce(life.first_words, occasion="birth", model=model)
