"""A line of models to ask: the router over real parts, the loopback OpenRouter, and a scripted local model."""

from __future__ import annotations

import httpx
from pydantic import SecretStr

from ai.clock import Clock
from ai.economy.credit_tracker import CreditTracker
from ai.llm.base import OnText, Provider
from ai.llm.cooldowns import Cooldowns
from ai.llm.free_pace import FreePace
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.question import Answer, Question
from ai.llm.router import Router
from ai.llm.scripted import Scripted
from ai.models.catalogue import Catalogue
from ai.models.model_config import local_model
from ai.store.engine import Store
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING, hold_states

TIMEOUT_S = 5.0


class Line:
    """A router with everything it needs; `local` may be turned off."""

    def __init__(
        self, server: OpenRouterServer, store: Store, tracker: CreditTracker, clock: Clock, local: Scripted
    ) -> None:
        self.store = store
        self.tracker = tracker
        self.local = local
        self.heard: list[str] = []
        self.timeout_s = TIMEOUT_S
        self.openrouter = openrouter_at(server)
        self.catalogue = Catalogue(store, clock, BEING, "openrouter", local_model())
        self.cooldowns = Cooldowns(store, clock, BEING)
        self.free_pace = FreePace(clock)
        self._clock = clock

    async def ask(self, asked: Question, providers: dict[str, Provider] | None = None) -> Answer:
        """The answer, with the text of each attempt in `heard`."""

        def on_attempt(number: int) -> OnText:
            self.heard = []
            return self.heard.append

        line: dict[str, Provider] = {"openrouter": self.openrouter, "local": self.local}
        router = Router(
            providers or line,
            self.catalogue,
            self.tracker,
            self.cooldowns,
            self.free_pace,
            self._clock,
            timeout_s=self.timeout_s,
        )
        return await router.ask(asked, on_attempt)

    def forget_failures(self) -> None:
        """Nothing rests any more."""
        self.cooldowns = Cooldowns(self.store, self._clock, BEING)

    async def holds(self) -> list[str]:
        """The state of every hold, oldest first."""
        return await hold_states(self.store)


def openrouter_at(server: OpenRouterServer, *, timeout_s: float = TIMEOUT_S) -> OpenAICompatible:
    return OpenAICompatible(
        "openrouter",
        server.base_url,
        SecretStr(server.api_key),
        timeout_s=timeout_s,
        transport=httpx.AsyncHTTPTransport(verify=False),
    )
