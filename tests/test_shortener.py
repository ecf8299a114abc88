"""A post that is too long is said anew by a quick, cheap model; without one it is cut at a word."""

from __future__ import annotations

from collections.abc import Callable

from ai.llm.base import OnText
from ai.llm.failures import CallFailed, Fate, Scope
from ai.llm.question import Answer, Question
from ai.llm.scripted import Line as Said
from ai.llm.scripted import Scripted
from ai.social.shortener import CLASSES, Shortener
from tests.lines import Line

LONG = "A long story of rain. " * 30


async def shortened(line: Line, said: Said) -> tuple[str | None, list[str]]:
    """What a quick model makes of a long text, and who was asked."""
    quick = Scripted([said], name="openrouter")

    class Mind:
        async def ask(self, question: Question, on_attempt: Callable[[int], OnText]) -> Answer:
            return await line.ask(question, {"openrouter": quick, "local": line.local})

    text = await Shortener(Mind(), line.catalogue)(LONG, 280)
    return text, [request.model for request in quick.asked]


async def test_a_quick_and_cheap_model_says_it_shorter(line: Line) -> None:
    text, asked = await shortened(line, ' "Rain,\n again." ')
    assert text == "Rain, again."
    (model,) = (line.catalogue.find(name) for name in asked)
    assert model is not None
    assert (model.fast, model.cls in CLASSES) == (True, True)


async def test_when_no_such_model_answers_nothing_is_said_and_the_smallest_is_not_asked(line: Line) -> None:
    text, asked = await shortened(line, CallFailed("no", scope=Scope.MODEL, fate=Fate.FREE))
    assert (text, line.local.asked) == (None, [])
    assert asked
