"""What a measurement says."""

from __future__ import annotations

from dataclasses import dataclass

ALARM = 3.0  # a bench fails only beyond this multiple of its goal: machines differ, collapses do not


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value (None: it could not be measured) beside its goal (None: recorded only).

    Smaller is better unless `larger_is_better`.
    """

    what: str
    value: float | None
    unit: str
    goal: float | None
    how: str
    larger_is_better: bool = False

    @property
    def met(self) -> bool:
        if self.goal is None or self.value is None:
            return True
        return self.value >= self.goal if self.larger_is_better else self.value <= self.goal

    @property
    def alarming(self) -> bool:
        if self.goal is None or self.value is None:
            return False
        return self.value * ALARM < self.goal if self.larger_is_better else self.value > self.goal * ALARM

    def row(self) -> str:
        sign = "≥" if self.larger_is_better else "≤"
        goal = "" if self.goal is None else f"{sign} {self.goal:g} {self.unit}"
        mark = "" if self.goal is None else " ✓" if self.met else " ✗"
        figure = "missing" if self.value is None else f"{self.value:.3g} {self.unit}".rstrip() + mark
        return f"| {self.what} | {goal} | {figure} | {self.how} |"
