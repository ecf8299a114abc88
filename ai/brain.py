"""One thought on one screen: sense → plan → think → act → remember."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ai import prompt
from ai.actions.base import Occasion
from ai.errors import NobodyAlive, NobodyThought
from ai.fence import BEGIN
from ai.llm.base import Message, OnText, Tool, ToolCall
from ai.llm.question import Answer, Mind, Question, unheard
from ai.moment import LAST_WORDS, Deed, Moment, Plan, Thought
from ai.said import Heard

MAX_ROUNDS = 3  # a thought may act, see what came of it, and act again, this often
MAX_CALLS = 3  # tool calls carried out in one round
TOO_MANY = (
    f"Not done: {MAX_CALLS} actions at a time are enough."  # every call is answered, or providers refuse to go on
)


class Senses(Protocol):
    async def sense(self, kind: str | None = None) -> Moment: ...
    async def lives_on(self, moment: Moment) -> bool: ...


class Governor(Protocol):
    def plan(self, moment: Moment) -> Plan: ...


class Actions(Protocol):
    def tools(self, *, messages: bool = ...) -> Sequence[Tool]: ...
    def schema(self, *, posts: bool = ...) -> Mapping[str, Any]: ...
    def menu(self, *, posts: bool = ...) -> str: ...
    def understand(self, text: str) -> Sequence[ToolCall]: ...
    async def carry_out(self, call: ToolCall, occasion: Occasion) -> Deed: ...


class Draft(Protocol):
    def begin(self, attempt: int) -> OnText: ...


class Drafts(Protocol):
    def writing(self, thought_id: str) -> AbstractAsyncContextManager[Draft]: ...


class Inbox(Protocol):
    async def unanswered(self) -> Sequence[Heard]: ...


class Chronicle(Protocol):
    async def keep_up(self, moment: Moment, plan: Plan) -> None: ...


class Recollection(Protocol):
    async def remember(self, moment: Moment, plan: Plan, thought: Thought) -> None: ...
    async def skip(self, moment: Moment, plan: Plan) -> None: ...
    async def intend(self, thought: Thought, call: ToolCall, *, outside: bool = ...) -> None: ...
    async def report(self, thought: Thought, deed: Deed, *, outside: bool = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class Brain:
    """Has one thought at a time; everything it needs is handed in."""

    senses: Senses
    governor: Governor
    mind: Mind
    actions: Actions
    drafts: Drafts
    recollection: Recollection
    inbox: Inbox
    chronicle: Chronicle

    async def live(self, kind: str | None = None, *, may_skip: bool = False) -> Plan:
        """Have one thought and act on it; `kind` overrides what moment this would be.

        `may_skip` lets a thought be left out, free of charge, when the plan says that it is not worth its money now.
        Raises NobodyThought when no model could think, NobodyAlive when there is no life to think in.
        """
        moment = await self.senses.sense(kind)
        plan = self.governor.plan(moment)
        if may_skip and plan.skip:
            await self.recollection.skip(moment, plan)
            return plan
        thought = await self.think(moment, plan)
        await self.recollection.remember(moment, plan, thought)
        with suppress(NobodyAlive):  # ended or paused meanwhile: from then on it neither does nor asks anything
            await self.act(moment, plan, thought)
            if plan.kind != LAST_WORDS:  # after them nothing is asked any more
                await self.answer(moment, plan, thought)
                await self.goes_on(moment)
                await self.chronicle.keep_up(moment, plan)
        return plan

    async def goes_on(self, moment: Moment) -> None:
        """Asked before everything that follows the thought. Raises NobodyAlive when this life is not lived now."""
        if moment.kind != LAST_WORDS and not await self.senses.lives_on(moment):  # who dies of them may still say them
            raise NobodyAlive("It was ended or paused while it thought.")

    async def think(self, moment: Moment, plan: Plan) -> Thought:
        """The prose, and the tool calls of a model that makes them itself."""
        thought_id = uuid.uuid4().hex
        question = Question(
            purpose=moment.kind,
            thought_id=thought_id,
            wanted=plan.model,
            because=plan.why,
            classes=plan.classes,
            reply_cap_tokens=plan.reply_cap_tokens,
            compose=lambda model: prompt.compose_small(moment) if model.cls == "local" else prompt.compose(moment),
            tools=self.actions.tools(messages=bool(moment.messages)),
            use_reserve=plan.use_reserve,
        )
        async with self.drafts.writing(thought_id) as draft:
            return Thought.of(thought_id, await self.mind.ask(question, draft.begin))

    async def act(self, moment: Moment, plan: Plan, thought: Thought) -> None:
        """Carry out what was chosen, tell the model what came of it, and so on for a bounded number of rounds."""
        occasion = Occasion(moment, plan, thought, outside=bool(moment.messages))
        silent = plan.kind == LAST_WORDS  # after them nothing is asked any more, not even for a choice
        malformed = False
        for rounds_left in reversed(range(1 if silent else MAX_ROUNDS)):
            calls = thought.tool_calls
            if not thought.native_tools and not silent:
                calls = await self.choose(moment, plan, thought)
            deeds = [await self.do(call, occasion, thought) for call in calls[:MAX_CALLS]]
            deeds += [Deed(call, False, TOO_MANY) for call in calls[MAX_CALLS:]]
            occasion = replace(occasion, outside=occasion.outside or any(BEGIN in deed.text for deed in deeds))
            if not (rounds_left and thought.native_tools and any(deed.worth_telling for deed in deeds)):
                return
            if malformed and all(deed.malformed for deed in deeds):
                return  # it was told once what is wrong with its calls: that has to do
            malformed = any(deed.malformed for deed in deeds)
            try:
                thought = await self.reflect(moment, plan, thought, deeds)
            except NobodyThought:
                return  # what was done is done and remembered; only the model's word on it is missing

    async def answer(self, moment: Moment, plan: Plan, thought: Thought) -> None:
        """Answer what was said to it, as far as it has not done so by itself."""
        read = {heard.number for heard in moment.messages}
        for heard in await self.inbox.unanswered():
            if heard.number in read:
                await self.answer_one(moment, plan, thought, heard)

    async def answer_one(self, moment: Moment, plan: Plan, thought: Thought, heard: Heard) -> None:
        question = replace(
            _again(plan, thought, ()),
            purpose="reply",
            fallback=True,
            compose=lambda model: prompt.compose_reply(moment, heard, small=model.cls == "local"),
        )
        try:
            answer = await self.ask(moment, question)
        except NobodyThought:
            return  # it waits for the next thought
        text = answer.completion.text.strip()[: prompt.LONGEST_REPLY]
        arguments = json.dumps({"message": heard.number, "text": text})
        await self.do(ToolCall("reply", "reply", arguments), Occasion(moment, plan, outside=True), thought)

    async def do(self, call: ToolCall, occasion: Occasion, thought: Thought) -> Deed:
        """Carry out one action; that it was wanted stands in the journal before anything comes of it."""
        await self.goes_on(occasion.moment)
        await self.recollection.intend(thought, call, outside=occasion.outside)
        deed = await self.actions.carry_out(call, occasion)
        await self.recollection.report(thought, deed, outside=occasion.outside)
        return deed

    async def choose(self, moment: Moment, plan: Plan, thought: Thought) -> Sequence[ToolCall]:
        """One action, from a model that has no tools: its choice is led by a JSON schema."""
        question = _again(
            plan, thought, prompt.compose_choice(moment, thought.text, self.actions.menu(posts=moment.may_post))
        )
        if thought.answer.model.cls != "local" and plan.brief_model:
            question = replace(question, wanted=plan.brief_model, fallback=True)
        question = replace(question, schema_for=lambda _: self.actions.schema(posts=moment.may_post))
        try:
            answer = await self.ask(moment, question)
        except NobodyThought:
            return ()
        return self.actions.understand(answer.completion.text)

    async def reflect(self, moment: Moment, plan: Plan, thought: Thought, deeds: Sequence[Deed]) -> Thought:
        """The same model's next word, now that it knows what its tool calls brought."""
        question = _again(plan, thought, prompt.compose_results(thought.asked, thought.message, deeds))
        return Thought.of(
            thought.id,
            await self.ask(moment, replace(question, tools=self.actions.tools(messages=bool(moment.messages)))),
        )

    async def ask(self, moment: Moment, question: Question) -> Answer:
        """Ask something further in the same thought, which only the thinker hears."""
        await self.goes_on(moment)
        return await self.mind.ask(question, unheard)


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
