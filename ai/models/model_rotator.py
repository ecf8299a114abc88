"""Who moves in next: a new resident model at each birth, and when the being, its tier or a failure asks for one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ai.economy.forecast import USUAL_TOKENS
from ai.errors import ModelChoiceError
from ai.models.model_config import ModelInfo
from ai.store.engine import Store
from ai.store.residencies import newest_residents

OTHERS_FIRST = 10  # no model again until so many different others were resident
LOOK_BACK = 500  # residencies; beyond them a model counts as new
RESIDENT_FAILURES = 3  # so often in a row, and somebody else moves in


class Models(Protocol):
    """The models that can be resident."""

    def find(self, model_id: str) -> ModelInfo | None: ...
    def pool(self, classes: Sequence[str]) -> list[ModelInfo]: ...


class Health(Protocol):
    """What is known of a model's failures."""

    def over(self, model: ModelInfo) -> object | None: ...
    def failures_in_a_row(self, model: ModelInfo) -> int: ...


class Residence(Protocol):
    """Where the resident model is changed."""

    async def settle_in(self, model_id: str, *, by: str, reason: str, leaving: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """Who moves in, and what is to be said about it."""

    model: ModelInfo
    remark: str


class ModelRotator:
    """Chooses residents of one being. The draw is random, weighted by intelligence, so that lives differ."""

    def __init__(
        self,
        store: Store,
        being: str,
        models: Models,
        health: Health,
        residence: Residence,
        draw: Callable[[], random.Random] = random.Random,
    ) -> None:
        self._store = store
        self._being = being
        self._models = models
        self._health = health
        self._residence = residence
        self._random = draw()

    async def rotate(self, resident: str, classes: Sequence[str], pace_nanos: float, reason: str) -> ModelInfo:
        """Let somebody else than `resident` move in, of these classes and within the pace (nano-dollars a thought).

        Raises ModelChoiceError when there is nobody else.
        """
        choice = await self.choose(resident, classes, pace_nanos)
        told = f"{reason}; {choice.remark}" if choice.remark else reason
        await self._residence.settle_in(choice.model.id, by="rotator", reason=told, leaving=resident)
        return choice.model

    async def choose(self, resident: str, classes: Sequence[str], pace_nanos: float) -> Choice:
        """Who it would be."""
        others = [model for model in self._models.pool(classes) if model.id != resident]
        fitting = [model for model in others if _usual_cost_nanos(model) <= pace_nanos] or others
        awake = [model for model in fitting if self._health.over(model) is None] or fitting
        if not awake:
            raise ModelChoiceError("There is no other model to think with.", hint="`alive models` lists what there is.")
        recent = await self._recent(resident)
        fresh = [model for model in awake if model.id not in recent]
        if fresh:
            weights = [model.intelligence for model in fresh]
            return Choice(self._random.choices(fresh, weights)[0], "")
        oldest = max(awake, key=lambda model: recent.index(model.id))
        return Choice(oldest, f"there are only {len(awake)} others to choose from")

    async def review(
        self, resident: str, by: str | None, classes: Sequence[str], pace_nanos: float, *, tier_fell: str = ""
    ) -> ModelInfo | None:
        """Between thoughts: somebody else moves in when this one is gone, keeps failing, or became too dear.

        `by` is who chose the resident: what the keeper chose is not undone for its price, only for its failures.
        """
        model = self._models.find(resident)
        if model is None and all(other.cls == "local" for other in self._models.pool(classes)):
            return None  # its whole provider is away: that is no reason to give it up
        if model is None:
            reason = f"{resident} is no longer offered"
        elif self._health.failures_in_a_row(model) >= RESIDENT_FAILURES:
            reason = f"{model.name} failed {self._health.failures_in_a_row(model)} times in a row"
        elif tier_fell and by != "keeper" and model.cls not in classes:
            reason = f"{model.cls} models are too dear while {tier_fell}"
        else:
            return None
        try:
            return await self.rotate(resident, classes, pace_nanos, reason)
        except ModelChoiceError:
            return None  # then the line of models has to do

    async def _recent(self, resident: str) -> list[str]:
        """The last `OTHERS_FIRST` different residents, newest first."""
        told = await self._store.read(lambda t: newest_residents(t, self._being, LOOK_BACK))
        return list(dict.fromkeys([resident, *told]))[:OTHERS_FIRST]


def _usual_cost_nanos(model: ModelInfo) -> int:
    return model.price.cost_nanos(*USUAL_TOKENS, 0) if model.price else 0
