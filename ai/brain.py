"""One thought on one screen: sense → plan → think → act → remember."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ai import prompt
from ai.actions.base import Occasion
from ai.errors import NobodyThought
from ai.llm.base import Message, OnText, Tool, ToolCall
from ai.llm.question import Answer, Question
from ai.moment import LAST_WORDS, Deed, Moment, Plan, Thought

MAX_ROUNDS = 3  # a thought may act, see what came of it, and act again, this often
MAX_CALLS = 3  # tool calls carried out in one round
TOO_MANY = (
    f"Not done: {MAX_CALLS} actions at a time are enough."  # every call is answered, or providers refuse to go on
)


class Senses(Protocol):
    async def sense(self, kind: str | None = None) -> Moment: ...


class Governor(Protocol):
    def plan(self, moment: Moment) -> Plan: ...


class Mind(Protocol):
    async def ask(self, question: Question, on_attempt: Callable[[int], OnText]) -> Answer: ...


class Actions(Protocol):
    def tools(self) -> Sequence[Tool]: ...
    def schema(self) -> Mapping[str, Any]: ...
    def menu(self) -> str: ...
    def understand(self, text: str) -> Sequence[ToolCall]: ...
    async def carry_out(self, call: ToolCall, occasion: Occasion) -> Deed: ...


class Draft(Protocol):
    def begin(self, attempt: int) -> OnText: ...


class Drafts(Protocol):
    def writing(self, thought_id: str) -> AbstractAsyncContextManager[Draft]: ...


class Recollection(Protocol):
    async def remember(self, moment: Moment, plan: Plan, thought: Thought) -> None: ...
    async def intend(self, thought: Thought, call: ToolCall) -> None: ...
    async def report(self, thought: Thought, deed: Deed) -> None: ...


@dataclass(frozen=True, slots=True)
class Brain:
    """Has one thought at a time; everything it needs is handed in."""

    senses: Senses
    governor: Governor
    mind: Mind
    actions: Actions
    drafts: Drafts
    recollection: Recollection

    async def live(self, kind: str | None = None) -> Plan:
        """Have one thought and act on it; `kind` overrides what moment this would be.

        Raises NobodyThought when no model could think, NobodyAlive when there is no life to think in.
        """
        moment = await self.senses.sense(kind)
        plan = self.governor.plan(moment)
        thought = await self.think(moment, plan)
        await self.recollection.remember(moment, plan, thought)
        await self.act(moment, plan, thought)
        return plan

    async def think(self, moment: Moment, plan: Plan) -> Thought:
        """The prose, and the tool calls of a model that makes them itself."""
        thought_id = uuid.uuid4().hex
        question = Question(
            purpose=moment.kind,
            thought_id=thought_id,
            wanted=plan.model,
            classes=plan.classes,
            reply_cap_tokens=plan.reply_cap_tokens,
            compose=lambda model: prompt.compose_small(moment) if model.cls == "local" else prompt.compose(moment),
            tools=self.actions.tools(),
            use_reserve=plan.use_reserve,
        )
        async with self.drafts.writing(thought_id) as draft:
            return Thought.of(thought_id, await self.mind.ask(question, draft.begin))

    async def act(self, moment: Moment, plan: Plan, thought: Thought) -> None:
        """Carry out what was chosen, tell the model what came of it, and so on for a bounded number of rounds."""
        occasion = Occasion(moment, plan, thought)
        silent = plan.kind == LAST_WORDS  # after them nothing is asked any more, not even for a choice
        for rounds_left in reversed(range(1 if silent else MAX_ROUNDS)):
            calls = thought.tool_calls
            if not thought.native_tools and not silent:
                calls = await self.choose(moment, plan, thought)
            deeds = [await self.do(call, occasion, thought) for call in calls[:MAX_CALLS]]
            deeds += [Deed(call, False, TOO_MANY) for call in calls[MAX_CALLS:]]
            if not (rounds_left and thought.native_tools and any(deed.worth_telling for deed in deeds)):
                return
            try:
                thought = await self.reflect(plan, thought, deeds)
            except NobodyThought:
                return  # what was done is done and remembered; only the model's word on it is missing

    async def do(self, call: ToolCall, occasion: Occasion, thought: Thought) -> Deed:
        """Carry out one action; that it was wanted stands in the journal before anything comes of it."""
        await self.recollection.intend(thought, call)
        deed = await self.actions.carry_out(call, occasion)
        await self.recollection.report(thought, deed)
        return deed

    async def choose(self, moment: Moment, plan: Plan, thought: Thought) -> Sequence[ToolCall]:
        """One action, from a model that has no tools: its choice is led by a JSON schema."""
        question = _again(plan, thought, prompt.compose_choice(moment, thought.text, self.actions.menu()))
        try:
            answer = await self.mind.ask(replace(question, schema=self.actions.schema()), lambda _: _unheard)
        except NobodyThought:
            return ()
        return self.actions.understand(answer.completion.text)

    async def reflect(self, plan: Plan, thought: Thought, deeds: Sequence[Deed]) -> Thought:
        """The same model's next word, now that it knows what its tool calls brought."""
        question = _again(plan, thought, prompt.compose_results(thought.asked, thought.message, deeds))
        answer = await self.mind.ask(replace(question, tools=self.actions.tools()), lambda _: _unheard)
        return Thought.of(thought.id, answer)


def _again(plan: Plan, thought: Thought, messages: Sequence[Message]) -> Question:
    """A further question to the model that had the thought, and to nobody else."""
    return Question(
        purpose="act",
        thought_id=thought.id,
        wanted=thought.model,
        classes=plan.classes,
        reply_cap_tokens=plan.reply_cap_tokens,
        compose=lambda _: messages,
        fallback=False,
    )


def _unheard(_: str) -> None:
    """Only the thought itself is shown while it is written."""
