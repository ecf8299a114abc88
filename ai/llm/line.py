"""The line of candidates for one question: the wanted model, then cheaper ones, then free ones, the local one last.

This order stands nowhere else. How many of each are really called is decided here, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ai.llm.question import Question
from ai.models.model_config import ModelInfo

MOST_ATTEMPTS = 6  # for one question, the local model's included
MOST_OF = {"wanted": 2, "cheaper": 2, "free": 3, "local": 1}  # attempts in each part of the line


class Models(Protocol):
    """What the line knows of the models."""

    def find(self, model_id: str) -> ModelInfo | None: ...
    def cheaper(self, than: ModelInfo, classes: Sequence[str]) -> list[ModelInfo]: ...
    def free(self, classes: Sequence[str]) -> list[ModelInfo]: ...
    def local(self) -> ModelInfo | None: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place in the line; `model` is None when the catalogue has none of that name."""

    id: str
    part: str
    model: ModelInfo | None


def candidates(question: Question, models: Models) -> Iterator[Candidate]:
    """Everybody who may answer, in order; who cannot pay or rests is found out when it is their turn."""
    wanted, local = models.find(question.wanted), models.local()
    if wanted is None or wanted != local or not question.fallback:
        yield Candidate(question.wanted, "wanted", wanted)
    if not question.fallback:
        return
    if wanted is not None and wanted != local:
        yield from (Candidate(m.id, "cheaper", m) for m in models.cheaper(wanted, question.classes))
    if wanted is None or wanted != local:
        yield from (Candidate(m.id, "free", m) for m in models.free(question.classes) if m != wanted)
    if local is not None:
        yield Candidate(local.id, "local", local)
