"""What an action is, and what hands it works with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from ai.economy.account import Balance
from ai.models.model_config import ModelInfo
from ai.moment import Moment, Plan, Thought
from ai.said import Heard, Note


class Purse(Protocol):
    """What an action may know of the money."""

    async def balance(self) -> Balance: ...


class Models(Protocol):
    """What an action may know of the models."""

    def all(self) -> list[ModelInfo]: ...

    def affordable(self, classes: Sequence[str], limit: int) -> list[ModelInfo]: ...

    def choose(self, model_id: str, classes: Sequence[str], spare_nanos: int | None = None) -> ModelInfo: ...


class Residence(Protocol):
    """Where the resident model is changed."""

    async def settle_in(self, model_id: str, *, by: str, reason: str, leaving: str | None = None) -> None: ...


class Rotator(Protocol):
    """Who finds somebody else to think with."""

    async def rotate(self, resident: str, classes: Sequence[str], pace_nanos: float, reason: str) -> ModelInfo: ...


class Posted(Protocol):
    """What became of a wish to post."""

    @property
    def text(self) -> str: ...

    @property
    def changed(self) -> bool: ...


class Channel(Protocol):
    """Somewhere to post."""

    async def post(
        self,
        text: str,
        *,
        occasion: str = ...,
        posts_a_day: int | None = ...,
        model: str | None = ...,
        thought_id: str | None = ...,
    ) -> Posted: ...


class Blog(Protocol):
    """Somewhere to write at length."""

    async def publish(self, title: str, text: str) -> int: ...


class Notes(Protocol):
    """Somewhere to keep notes."""

    async def remember(self, text: str, *, outside: bool) -> None: ...

    async def recall(self, words: str) -> Sequence[Note]: ...


class Inbox(Protocol):
    """Where messages come in."""

    async def unanswered(self) -> Sequence[Heard]: ...

    async def reply(self, number: int, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything an action may touch, and nothing else."""

    purse: Purse
    models: Models
    residence: Residence
    rotator: Rotator
    channel: Channel
    notes: Notes
    inbox: Inbox
    blog: Blog


@dataclass(frozen=True, slots=True)
class Occasion:
    """When an action is taken: the moment it grew out of, the plan that bounds it, and the thought that chose it;
    `outside` says that the words of others were in mind."""

    moment: Moment
    plan: Plan
    thought: Thought | None = None
    outside: bool = False


class Action(BaseModel):
    """One thing the being can do. Its fields are its arguments; their descriptions are told to the model."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: ClassVar[str]
    summary: ClassVar[str]
    small: ClassVar[bool] = False
    """Whether a very small model is offered it too."""
    tool: ClassVar[bool] = True
    """Whether a model that calls tools is offered it: every one it is offered is paid for in every prompt."""
    posts: ClassVar[bool] = False
    """Whether it is refused while the pace of posts does not allow one, and so not worth offering a small model."""
    answers: ClassVar[bool] = False
    """Whether it is for messages, and so offered only while one waits for an answer."""
    informs: ClassVar[bool] = False
    """Whether its result is news the model should hear before the thought ends."""

    @abstractmethod
    async def run(self, hands: Hands, occasion: Occasion) -> str:
        """Do it and say in one or two sentences what came of it. Raises ActionError when it is refused."""
