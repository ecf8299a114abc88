"""A month lived in seconds: the real brain, ledger, governor and router on a virtual clock, in a store of its own.

Only the model is not real: it is scripted from a seed, says nothing worth reading, and is priced like the real one.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ai import settings
from ai.app import Being, open_being
from ai.clock import VirtualClock, from_ms
from ai.economy.money import NANOS_PER_USD, exact, parse_usd
from ai.life.identity import default_identity
from ai.llm.base import Completion, CompletionRequest
from ai.llm.scripted import Scripted, says
from ai.models.catalogue import Catalogue
from ai.store.journal import read_events

START = datetime(2026, 1, 1, tzinfo=UTC)  # a month's first moment, so that one allowance is lived on
REPLY_TOKENS = (90, 320)
BYTES_A_TOKEN = 4
BEING = "genesis"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a keeper wants to know: will this budget last for so many days with this model at this pace?"""

    days: int = 30
    budget_usd: str = "5"
    interval_s: float = 600.0
    model: str | None = None
    seed: int = 1
    models: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Month:
    """What came of it. `balances_nanos` is what was left at each day's end; `tiers` are (day, tier) as entered."""

    thoughts: int
    spent_nanos: int
    left_nanos: int
    balances_nanos: Sequence[int]
    tiers: Sequence[tuple[int, str]]
    ends_on_day: int | None
    spent_by_model: Sequence[tuple[str, int, int]]

    def as_json(self, wish: Wish) -> dict[str, Any]:
        return {
            "days": wish.days,
            "budget": wish.budget_usd,
            "model": wish.model,
            "interval_s": wish.interval_s,
            "seed": wish.seed,
            "thoughts": self.thoughts,
            "spent": exact(self.spent_nanos),
            "left": exact(self.left_nanos),
            "ends_on_day": self.ends_on_day,
            "tiers": [{"day": day, "tier": tier} for day, tier in self.tiers],
            "by_day": [exact(nanos) for nanos in self.balances_nanos],
            "by_model": [{"model": m, "spent": exact(nanos), "thoughts": n} for m, nanos, n in self.spent_by_model],
        }


async def simulate(wish: Wish, on_day: Callable[[int], None] = lambda _: None) -> Month:
    """Live the month; `on_day` hears of each day that has passed. The same wish gives the same month."""
    clock = VirtualClock(START)
    with tempfile.TemporaryDirectory(prefix="alive-simulate-") as folder:
        chosen, _ = settings.load(
            {
                "DATA_DIR": folder,
                "BEING": BEING,
                "MONTHLY_BUDGET": wish.budget_usd,
                "THINK_INTERVAL_SECONDS": str(wish.interval_s),
                "LLM_PROVIDER": "openrouter",
            }
        )
        mind = _Mind(wish.seed)
        providers = {
            "openrouter": Scripted(mind.answer, name="openrouter"),
            "local": Scripted(mind.answer, name="local"),
        }
        async with open_being(chosen, {}, clock, providers, durable=False) as being:
            mind.catalogue = being.books.catalogue
            if wish.models:
                await being.books.catalogue.update(list(wish.models))
            if wish.model is not None:
                model = being.books.catalogue.get(wish.model)
                await being.books.lifecycle.settle_in(model.id, by="being", reason="it insists")
            await being.birth.ensure(default_identity(BEING))
            balances = await _live(being, clock, wish.days, on_day)
            return await _told(being, balances)


async def _live(being: Being, clock: VirtualClock, days: int, on_day: Callable[[int], None]) -> list[int]:
    balances: list[int] = []
    end = START + timedelta(days=days)
    while clock.now() < end:
        plan = await being.brain.live(may_skip=True)
        clock.advance(plan.interval_s)
        while len(balances) < min(days, (clock.now() - START).days):
            balances.append((await being.books.tracker.balance()).total_nanos)
            on_day(len(balances))
    return balances


async def _told(being: Being, balances: Sequence[int]) -> Month:
    events = await being.books.store.read(lambda t: read_events(t, BEING, keeper=True, limit=10**6))
    thoughts = [event for event in events if event.kind == "thought"]
    tiers = [(1, str(thoughts[0].data["tier"]))] if thoughts else []
    tiers += [(_day(event.at_ms), str(event.data["to"])) for event in events if event.kind == "tier"]
    ended = next((_day(event.at_ms) for event in events if event.kind in ("hibernation", "death")), None)
    counts = Counter(str(event.data["model"]) for event in thoughts)
    spent = Counter(dict.fromkeys(counts, 0))
    for event in events:
        if event.kind == "charge":  # thoughts, and whatever else was asked of a model
            spent[str(event.data["model"])] += parse_usd(event.data["amount"])
    return Month(
        thoughts=len(thoughts),
        spent_nanos=spent.total(),
        left_nanos=balances[-1] if balances else 0,
        balances_nanos=balances,
        tiers=tiers,
        ends_on_day=ended,
        spent_by_model=[(model, nanos, counts[model]) for model, nanos in spent.most_common()],
    )


def _day(at_ms: int) -> int:
    return (from_ms(at_ms) - START).days + 1


class _Mind:
    """Answers every request from its seed: some prose, at a post's time a post, now and then a note."""

    catalogue: Catalogue

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a seeded month, not a secret
        self._said = 0

    def answer(self, request: CompletionRequest) -> Completion:
        self._said += 1
        written = sum(len(str(message.get("content") or "")) for message in request.messages)
        tools = sum(len(json.dumps(tool.as_json())) for tool in request.tools)
        tokens = ((written + tools) // BYTES_A_TOKEN, min(request.max_tokens, self._random.randint(*REPLY_TOKENS)))
        price = self.catalogue.get(request.model).price
        cost = Decimal(price.cost_nanos(*tokens, 0)) / NANOS_PER_USD if price else None
        if request.schema is not None:
            return says(json.dumps({"action": "rest"}), model=request.model, cost_usd=cost, tokens=tokens)
        speaks = "now is a good time" in str(request.messages[-1].get("content"))
        post: dict[str, object] = {"text": f"Thought number {self._said}."}
        calls = [("post", post)] if speaks and request.tools else []
        text = f"I have thought {self._said} times."
        return says(text, model=request.model, calls=calls, cost_usd=cost, tokens=tokens)
