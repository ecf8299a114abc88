"""What the balance allows this thought: which model, how long a reply, how long until the next one.

The governor limits its own choices only: it keeps to the pace at which the money lasts until the month turns, by taking
a lower class of model first and stretching the interval only when there is none. A model the being itself chose, and
moments that borrow a higher class, may outspend it: that is how a being can go bankrupt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ai.clock import month_end
from ai.economy.account import Sample
from ai.economy.forecast import FEWEST, pace_nanos, robust_mean, usual_tokens
from ai.economy.tiers import ALL_CLASSES
from ai.models.model_config import ModelInfo
from ai.moment import DAILY, EXISTENTIAL, IMPORTANT, LAST_WORDS, POST, Moment, Plan

BORROWS = {POST: "ultra_cheap", IMPORTANT: "cheap", EXISTENTIAL: "premium", LAST_WORDS: "premium"}
LONGEST_STRETCH = 6.0
MOST_SKIPPED = 1  # thoughts left out in a row: a being to whom nothing happens thinks on, at half the pace


class Models(Protocol):
    """What the governor knows of the models."""

    def find(self, model_id: str) -> ModelInfo | None: ...

    def fast(self, classes: Sequence[str]) -> ModelInfo | None: ...

    def best(self, classes: Sequence[str]) -> ModelInfo | None: ...


class Governor:
    """Plans one thought at a time. `interval_s` is the keeper's THINK_INTERVAL_SECONDS."""

    def __init__(self, interval_s: float, models: Models) -> None:
        self._interval_s = interval_s
        self._models = models

    def plan(self, moment: Moment) -> Plan:
        """The plan for one thought."""
        allowed = moment.tier.classes_for(moment.kind)
        interval_s = self._interval_s * float(moment.tier.interval_factor)
        model, why = self._wanted(moment, allowed)
        pace = float(pace_nanos(moment.balance.available_nanos, moment.at, month_end(moment.balance.month), interval_s))
        low = model is not None and moment.kind == DAILY and self.forecast_nanos(model, moment.samples) > pace
        if model is not None and low and not moment.own_choice:
            model, why, stretch = self._keep_pace(moment, model, why, allowed, pace)
            interval_s *= stretch
        brief = self._models.fast([cls for cls in allowed if model is None or _rank(cls) <= _rank(model.cls)])
        return Plan(
            kind=moment.kind,
            model=model.id if model else moment.resident,
            why=why,
            classes=allowed,
            reply_cap_tokens=moment.tier.reply_cap_tokens,
            interval_s=interval_s,
            posts_a_day=moment.tier.posts_a_day,
            use_reserve=moment.kind in (EXISTENTIAL, LAST_WORDS),
            pace_nanos=pace,
            brief_model=brief.id if brief else "",
            skip=NOTHING_NEW if low and moment.quiet and moment.skipped < MOST_SKIPPED else "",
        )

    def _wanted(self, moment: Moment, allowed: Sequence[str]) -> tuple[ModelInfo | None, str]:
        """The resident model as far as its class is allowed; a moment that matters borrows a higher class."""
        resident, why = self._models.find(moment.resident), ""
        wanted = resident
        if resident is not None and resident.cls not in allowed:
            wanted = self._models.best(_up_to(resident.cls, allowed)) or self._models.best(allowed)
            why = f"{resident.cls} models are not allowed while {moment.tier.name}"
        ceiling = BORROWS.get(moment.kind)
        borrowed = self._models.best(_up_to(ceiling, allowed)) if ceiling else None
        # The local model is nobody's to borrow: it stands last in every line, which says why it came to that.
        if borrowed is not None and _rank(borrowed.cls) > max(_rank("local"), _rank(wanted.cls if wanted else None)):
            return borrowed, f"this moment is {_NAMES[moment.kind]} and borrows a {borrowed.cls} model"
        return wanted, why

    def _keep_pace(
        self, moment: Moment, model: ModelInfo, why: str, allowed: Sequence[str], pace: float
    ) -> tuple[ModelInfo, str, float]:
        """The model, or one of a lower class, or else more time: whatever the money lasts with."""
        while (cost := self.forecast_nanos(model, moment.samples)) > pace:
            lower = self._models.best([cls for cls in allowed if _rank(cls) < _rank(model.cls)])
            if lower is None:
                return model, why, min(LONGEST_STRETCH, cost / pace if pace else LONGEST_STRETCH)
            model, why = lower, f"at the pace of {model.cls} models the money would not last until the month turns"
        return model, why, 1.0

    def forecast_nanos(self, model: ModelInfo, samples: Sequence[Sample]) -> float:
        """What a thought with `model` will cost: as its class did, or by its table and the usual tokens."""
        found = {name: self._models.find(name) for name in {sample.model for sample in samples}}
        alike = {name for name, other in found.items() if other is not None and other.cls == model.cls}
        of_class = [sample.cost_nanos for sample in samples if sample.model in alike]
        if len(of_class) >= FEWEST:
            return robust_mean(of_class)
        return float(model.price.cost_nanos(*usual_tokens(samples), 0)) if model.price else 0.0


NOTHING_NEW = "nothing has happened since the last thought, and at this pace the money would not last"
_NAMES = {POST: "one to speak in", IMPORTANT: "important", EXISTENTIAL: "existential", LAST_WORDS: "the last"}


def _rank(cls: str | None) -> int:
    return ALL_CLASSES.index(cls) if cls in ALL_CLASSES else -1


def _up_to(ceiling: str | None, allowed: Sequence[str]) -> list[str]:
    return [cls for cls in allowed if _rank(cls) <= _rank(ceiling)]
