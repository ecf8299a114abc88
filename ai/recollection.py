"""Remembering: a thought and its deeds become rows that last."""

from __future__ import annotations

import json
from typing import Any

from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import exact
from ai.fence import BEGIN
from ai.life.lifecycle import Lifecycle
from ai.llm.base import ToolCall
from ai.moment import LAST_WORDS, Deed, Moment, Plan, Thought
from ai.store.engine import Store, Transaction
from ai.store.journal import KEEPER, PUBLIC, Journal
from ai.store.lives import count_thought

WITH_WORDS = ("read_messages", "recall", "remember", "reply")  # what these do may repeat what others said to it


class Recollection:
    """Writes thoughts and deeds of one being into its journal."""

    def __init__(
        self, store: Store, journal: Journal, being: str, tracker: CreditTracker, lifecycle: Lifecycle
    ) -> None:
        self._store = store
        self._journal = journal
        self._being = being
        self._tracker = tracker
        self._lifecycle = lifecycle

    async def remember(self, moment: Moment, plan: Plan, thought: Thought) -> None:
        """Keep a thought, with everything anyone may ask about it later."""
        balance = await self._tracker.balance()
        answer, usage = thought.answer, thought.answer.completion.usage
        data: dict[str, Any] = {
            "thought_id": thought.id,
            "text": thought.text,
            "model": answer.model.id,
            "name": answer.model.name,
            "intelligence": answer.model.intelligence,
            "provider": answer.model.provider,
            "class": answer.model.cls,
            "moment": moment.kind,
            "why": answer.why,
            "cost": exact(answer.cost_nanos),
            "saved": exact(answer.saved_nanos),
            "tokens_in": usage.tokens_in if usage else 0,
            "tokens_out": usage.tokens_out if usage else 0,
            "tokens_cached": usage.tokens_cached if usage else 0,
            "tokens_reasoning": usage.tokens_reasoning if usage else 0,
            "latency_s": float(answer.latency_s),
            "attempts": [attempt.as_json() for attempt in answer.attempts],
            "balance": exact(balance.total_nanos - balance.unknown_nanos),
            "tier": moment.tier.name,
        }

        def work(transaction: Transaction) -> None:
            self._journal.append(transaction, "thought", data)
            count_thought(transaction, self._being)
            if moment.kind == LAST_WORDS:
                self._lifecycle.go_broke(transaction)

        await self._store.write(work)

    async def skip(self, moment: Moment, plan: Plan) -> None:
        """Say that a thought was left out, and why."""
        await self._journal.write("note", {"text": f"No thought now: {plan.skip}.", "skipped": True})

    async def intend(self, thought: Thought, call: ToolCall, *, outside: bool = False) -> None:
        """Keep what the being is about to do; `outside` says that the words of others are in its mind."""
        data = {"thought_id": thought.id, "name": call.name, "arguments": _arguments(call)}
        seen = KEEPER if call.name in PUBLISHING else _visibility(call.name, outside)
        await self._journal.write("action", data, visibility=seen)

    async def report(self, thought: Thought, deed: Deed, *, outside: bool = False) -> None:
        """Keep what came of it."""
        data = {"thought_id": thought.id, "name": deed.call.name, "ok": deed.ok, "text": deed.text}
        await self._journal.write("result", data, visibility=_visibility(deed.call.name, outside or BEGIN in deed.text))


PUBLISHING = ("post", "write_blog_post")
"""What these would say passes a gate first: it is public once it has, by a row of its own."""


def _visibility(action: str, outside: bool) -> str:
    """What others said to it, and what it answered, is for the keeper's eyes."""
    return KEEPER if outside and action in WITH_WORDS else PUBLIC


def _arguments(call: ToolCall) -> Any:
    try:
        return json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return call.arguments
