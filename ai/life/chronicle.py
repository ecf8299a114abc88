"""The story of a life: what leaves the mind is told on, and condensed by a cheap model when it grows too long.

The original is never lost: thoughts stand in the journal, and former stories beside the newest.
"""

from __future__ import annotations

from collections.abc import Sequence

from ai.clock import Clock, to_ms
from ai.errors import NobodyThought
from ai.life import wording
from ai.llm.question import Mind, Question, unheard
from ai.moment import Moment, Plan
from ai.prompt import LONGEST_GIST, one_line
from ai.store.engine import Store, Transaction
from ai.store.journal import Journal, last_events
from ai.store.summaries import LONGEST_STORY, Summary, add_summary, read_summary

CONDENSED_TO = 250
REPLY_CAP_TOKENS = 160
CUT = "cut"
LOOK_BACK = 24  # thoughts: more than are in mind and leave it at once


class Chronicle:
    """Keeps the story of one being's present life."""

    def __init__(self, store: Store, journal: Journal, clock: Clock, being: str, mind: Mind) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._being = being
        self._mind = mind

    async def keep_up(self, moment: Moment, plan: Plan) -> None:
        """Tell on what is no longer in mind; once the story is too long, have it condensed."""
        if not moment.mind_begins:
            return  # nothing leaves the mind now
        before, gone, upto = await self._store.read(lambda t: self._since(t, moment))
        if not gone:
            return
        story = " ".join([before.text if before else "", *gone]).strip()
        by = before.made_by if before else CUT
        if too_long := len(story) > LONGEST_STORY:
            story, by = await self._condensed(before.text if before else "", gone, plan)
        kept = self._journal.clean({"text": story})
        summary = Summary(kept["text"], upto, by)

        def work(transaction: Transaction) -> None:
            add_summary(transaction, self._being, moment.life, summary, to_ms(self._clock.now()))
            if too_long:
                told = f"Its memory was condensed to {len(story)} characters by {by}: {story}"
                self._journal.append(transaction, "note", {"text": told, "summary": True})

        await self._store.write(work)

    def _since(self, transaction: Transaction, moment: Moment) -> tuple[Summary | None, Sequence[str], int]:
        """The story so far, the gists of the thoughts that have left the mind since, and the last one's number."""
        before = read_summary(transaction, self._being, moment.life)
        told = before.upto if before else 0
        events = last_events(transaction, self._being, kind="thought", limit=LOOK_BACK)
        gone = [e for e in events if e.life == moment.life and told < e.id < moment.mind_begins]
        return before, [one_line(str(e.data["text"]), LONGEST_GIST) for e in gone], gone[-1].id if gone else told

    async def _condensed(self, story: str, gone: Sequence[str], plan: Plan) -> tuple[str, str]:
        """A shorter story, and who wrote it; only cut when no model could, or only the smallest was there."""
        question = Question(
            purpose="summary",
            wanted=plan.brief_model or plan.model,
            classes=[cls for cls in plan.classes if cls != "local"],
            reply_cap_tokens=REPLY_CAP_TOKENS,
            compose=lambda _: wording.compose_summary(story, gone, CONDENSED_TO),
        )
        whole = " ".join([story, *gone])
        try:
            answer = await self._mind.ask(question, unheard)
        except NobodyThought:
            return _end_of(whole), CUT
        shorter = one_line(answer.completion.text, LONGEST_STORY)
        return (shorter, answer.model.id) if shorter else (_end_of(whole), CUT)


def _end_of(text: str) -> str:
    """The newest part of a story, from the beginning of a word."""
    return "… " + text[-CONDENSED_TO:].split(" ", 1)[-1]
