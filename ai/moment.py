"""What passes from verb to verb in one thought: a Moment is sensed, a Plan made, a Thought had, Deeds done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ai.economy.account import Balance, Sample
from ai.economy.tiers import Tier
from ai.llm.base import Message, ToolCall
from ai.llm.question import Answer
from ai.said import Heard, Note

BLANK_SLATE, BASIC_FACTS, FULL_BRIEFING = "blank_slate", "basic_facts", "full_briefing"
"""How much a life is told at its birth about what it is."""

DAILY = "daily"
POST = "post"  # it is time to speak in public, if there is something to say
IMPORTANT = "important"  # a birth, a message, a top-up
EXISTENTIAL = "existential"  # the money runs out
LAST_WORDS = "last_words"  # it has run out: the last thought that may be paid for


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything the being knows as a thought begins. `kind` is one of the kinds above, `news` what came about since.

    `samples` are what the last thoughts really cost; `own_choice` says that the being itself chose its resident model;
    `thoughts` are its last ones and the notes it made between them, oldest first, and `memories` the notes before;
    `messages` wait for an answer; `story` is what the life has been about so far, `mind_begins` the number of the
    journal row before which thoughts leave the mind now (0 when none does); `mode` how much it was told at its birth;
    `may_post` says that the pace allows a post, `quiet` that nothing happened since the last thought, `skipped` how
    many it left out.
    """

    at: datetime
    kind: str
    news: Sequence[str]
    being: str
    name: str
    pronoun: str
    life: int
    age_s: float
    balance: Balance
    tier: Tier
    resident: str
    own_choice: bool
    samples: Sequence[Sample]
    memories: Sequence[Note]
    thoughts: Sequence[str]
    messages: Sequence[Heard] = ()
    story: str = ""
    mode: str = BASIC_FACTS
    mind_begins: int = 0
    may_post: bool = True
    quiet: bool = False
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The governor's word on one thought: which model, of which classes, how long the reply, when the next one.

    `why` is one plain clause when the wanted model is not simply the resident one; `pace_nanos` is what a thought may
    cost so that the money lasts; `brief_model` answers what is short; `skip` says why the thought is better left out.
    """

    kind: str
    model: str
    why: str
    classes: Sequence[str]
    reply_cap_tokens: int
    interval_s: float
    posts_a_day: int
    use_reserve: bool = False
    pace_nanos: float = 0.0
    brief_model: str = ""
    skip: str = ""


@dataclass(frozen=True, slots=True)
class Thought:
    """What was thought, and the answer it came in: which model, why that one, for how much."""

    id: str
    text: str
    asked: Sequence[Message]
    message: Message
    tool_calls: Sequence[ToolCall]
    answer: Answer

    @classmethod
    def of(cls, thought_id: str, answer: Answer) -> Thought:
        """The thought in an answer."""
        said = answer.completion
        return cls(thought_id, said.text.strip(), answer.asked, said.message, said.tool_calls, answer)

    @property
    def model(self) -> str:
        return self.answer.model.id

    @property
    def native_tools(self) -> bool:
        """Whether its model calls tools itself; another chooses its action under a schema."""
        return self.answer.model.supports_tools


@dataclass(frozen=True, slots=True)
class Deed:
    """One action and its result, as told to the being. `ok` is false when it was refused, `malformed` true when it
    was asked for in a way that made no sense."""

    call: ToolCall
    ok: bool
    text: str
    informs: bool = False
    malformed: bool = False

    @property
    def worth_telling(self) -> bool:
        """Whether the model should hear of it now: news and refusals are worth a call, “it is posted” is not."""
        return self.informs or not self.ok
