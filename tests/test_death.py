"""How a life ends: by its keeper, by poverty, by age; what is said of it, what is cleared away, what stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ai.app import Being
from ai.clock import VirtualClock
from ai.errors import NobodyAlive
from ai.llm.scripted import says
from ai.moment import LAST_WORDS, Deed, Thought
from tests.lives import (
    END,
    KEY,
    MORNING,
    WREN,
    Soul,
    awake,
    life_of,
    next_life,
    passes,
    posts,
    running,
    spend_all,
    told,
)
from tests.parts import entries, hold_states, until

DAY_S = 86_400


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MORNING)


async def asked(soul: Soul, number: int) -> None:
    """Wait until it was asked so often."""
    await until(lambda: len(soul.asked) >= number)


async def remembered(being: Being) -> list[str]:
    return [str(thought["text"]) for thought in await told(being, "thought")]


async def test_the_keeper_ends_it_and_it_is_buried(data_dir: Path, clock: VirtualClock) -> None:
    workspace = data_dir / "workspace" / "genesis"
    workspace.mkdir(parents=True)
    (workspace / "poem.txt").write_text("rain")
    async with awake(data_dir, Soul(), clock) as being:
        await being.brain.live()
        books = await entries(being.books.store)
        await being.books.lifecycle.die("its keeper ended it")
        for _ in range(3):
            await being.afterlife.pass_on()
        life = await life_of(being)
        assert (life.state, life.cause_of_death) == ("dead", "its keeper ended it")
        assert {"last_words": life.last_words, "obituary": life.obituary} == END
        (death,) = await told(being, "death")
        assert (death["number"], death["cause"]) == (1, "its keeper ended it")
        assert await posts(being, "death") == [(1, END["obituary"])]
        assert not workspace.exists()
        assert (await entries(being.books.store))[: len(books)] == books
        with pytest.raises(NobodyAlive, match="alive birth"):
            await being.brain.live()


@pytest.mark.parametrize("said", ["No.", {"obituary": "See https://x.test", "last_words": "@all <b>"}, {"obituary": 7}])
async def test_an_obituary_that_cannot_be_used_is_said_plainly(
    data_dir: Path, clock: VirtualClock, said: object
) -> None:
    async with awake(data_dir, Soul(end=said), clock) as being:
        await being.brain.live()
        clock.advance(3 * 3600)
        await next_life(being, clock)
        assert await posts(being, "death") == [(1, "Wren lived 3 hours and had 1 thought. Its keeper ended it.")]


async def test_without_a_word_on_its_end_its_last_thought_is_its_last_words(
    data_dir: Path, clock: VirtualClock
) -> None:
    async with awake(data_dir, Soul(end="No.", thought="The light is warm today."), clock) as being:
        await being.brain.live()
        await being.books.lifecycle.die("a test")
        await being.afterlife.pass_on()
        assert (await life_of(being)).last_words == "The light is warm today."
        await being.afterlife.next_life()
        await being.books.lifecycle.die("a test")  # before it had a thought
        await being.afterlife.pass_on()
        second = await life_of(being)
        assert second.last_words == second.first_words


async def test_an_obituary_tells_no_secret(data_dir: Path, clock: VirtualClock) -> None:
    end = {"last_words": f"Take {KEY} with you", "obituary": f"It left {KEY} behind"}
    async with awake(data_dir, Soul(end=end), clock) as being:
        await being.books.lifecycle.die("a test")
        await being.afterlife.pass_on()
        life = await life_of(being)
        assert KEY not in f"{life.last_words} {life.obituary} {await posts(being, 'death')}"


async def test_what_a_bankrupt_being_said_last_are_its_last_words(data_dir: Path, clock: VirtualClock) -> None:
    soul = Soul(thought=says("Goodbye, and thank you for the light."))
    async with awake(data_dir, soul, clock, ON_BANKRUPTCY="die") as being:
        await spend_all(being)
        await being.brain.live()
        await being.afterlife.pass_on()
        life = await life_of(being)
        assert (life.state, life.cause_of_death) == ("dead", "bankruptcy")
        assert life.last_words == "Goodbye, and thank you for the light."


async def test_nothing_of_a_former_life_is_told_as_the_end_of_this_one(data_dir: Path, clock: VirtualClock) -> None:
    soul = Soul(thought="I was the first, and I liked the rain.")
    async with awake(data_dir, soul, clock) as being:
        await being.brain.live()
        await next_life(being, clock)
        await next_life(being, clock)
        assert "liked the rain" in soul.asked_for("end")[0]
        assert "liked the rain" not in soul.asked_for("end")[1]


async def test_after_its_span_of_days_it_dies_of_old_age(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock, LIFESPAN_DAYS="2") as being:
        clock.advance(2 * DAY_S - 1)
        await being.brain.live()
        clock.advance(1)
        with pytest.raises(NobodyAlive):
            await being.brain.live()
        assert (await life_of(being)).cause_of_death == "old age"


async def test_nobody_dies_of_old_age_in_a_pause(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock, LIFESPAN_DAYS="2") as being:
        await being.books.lifecycle.pause("a test")
        clock.advance(9 * DAY_S)
        with pytest.raises(NobodyAlive, match="paused"):
            await being.brain.live()
        assert (await life_of(being)).state == "paused"
        await being.books.lifecycle.resume("a test")
        with pytest.raises(NobodyAlive):
            await being.brain.live()
        assert (await life_of(being)).cause_of_death == "old age"


@pytest.mark.parametrize("what", ["kill", "pause"])
async def test_what_was_thought_when_it_was_ended_or_paused_is_kept_but_not_done(
    data_dir: Path, clock: VirtualClock, what: str
) -> None:
    soul = Soul(thought=says("I will say it aloud.", calls=[("post", {"text": "Too late."})]))
    async with awake(data_dir, soul, clock) as being:
        await being.books.inbox.hear("Are you there?")
        soul.gate.clear()
        thinking = asyncio.create_task(being.brain.live())
        await asked(soul, 2)  # the first was its birth
        lifecycle = being.books.lifecycle
        await (lifecycle.die("a test") if what == "kill" else lifecycle.pause("a test"))
        soul.gate.set()
        await thinking
        assert await remembered(being) == ["I will say it aloud."]
        assert set(await hold_states(being.books.store)) == {"settled"}
        for kind in ("action", "result", "reply"):
            assert await told(being, kind) == []
        assert await posts(being, "thought") == []
        assert len(soul.asked) == 2, "nothing more is asked, so nothing more is spent"


async def test_between_two_deeds_too_an_end_is_an_end(data_dir: Path, clock: VirtualClock) -> None:
    calls: list[tuple[str, dict[str, object]]] = [("check_budget", {}), ("remember", {"text": "Never kept."})]
    async with awake(data_dir, Soul(thought=says("Let me see.", calls=calls)), clock) as being:
        report = being.brain.recollection.report

        async def end_after_the_first(thought: Thought, deed: Deed, *, outside: bool = False) -> None:
            await report(thought, deed, outside=outside)
            await being.books.lifecycle.die("a test")

        being.brain.recollection.report = end_after_the_first  # type: ignore[method-assign]  # the end comes between two deeds
        await being.brain.live()
        assert [action["name"] for action in await told(being, "action")] == ["check_budget"]
        assert await told(being, "memory") == []


@pytest.mark.parametrize(("what", "state"), [("kill", "dead"), ("pause", "paused")])
async def test_last_words_are_not_lost_when_it_is_ended_or_paused_while_it_says_them(
    data_dir: Path, clock: VirtualClock, what: str, state: str
) -> None:
    soul = Soul()
    async with awake(data_dir, soul, clock) as being:
        await spend_all(being)
        soul.gate.clear()
        before = len(soul.asked)
        thinking = asyncio.create_task(being.brain.live())
        await asked(soul, before + 1)
        lifecycle = being.books.lifecycle
        await (lifecycle.die("a test") if what == "kill" else lifecycle.pause("a test"))
        soul.gate.set()
        await thinking
        assert [thought["moment"] for thought in await told(being, "thought")] == [LAST_WORDS]
        assert (await life_of(being)).state == state


async def test_while_it_is_paused_nothing_is_asked_and_nothing_spent(data_dir: Path, clock: VirtualClock) -> None:
    soul = Soul()
    async with awake(data_dir, soul, clock) as being, running(being, clock):
        await until(lambda: remembered(being))
        await being.books.lifecycle.pause("a test")
        so_far, spent = len(soul.asked), await entries(being.books.store, "charge")
        await being.books.inbox.hear("Hello?")
        await passes(clock, 5)
        assert (len(soul.asked), await entries(being.books.store, "charge")) == (so_far, spent)
        await being.books.lifecycle.resume("a test")
        await passes(clock, 1)
        await until(lambda: told(being, "reply"))
        assert any("awake again: a test" in asked for asked in soul.asked_for("thought"))


async def test_a_hibernating_being_may_die_while_money_arrives(data_dir: Path, clock: VirtualClock) -> None:
    """The doorbell that would wake it finds it dead, and goes on ringing for others."""
    async with awake(data_dir, Soul(), clock, LIFESPAN_DAYS="1", REBIRTH_SECONDS="0") as being:
        await spend_all(being)
        await being.brain.live()
        assert (await life_of(being)).state == "hibernating"
        async with running(being, clock):
            await until(lambda: remembered_more(being, 1))
            clock.advance(2 * DAY_S)
            await being.books.tracker.topup(10**9, external_id="late")
            await passes(clock, 2)
            await until(lambda: second_life(being))
        assert (await posts(being, "birth"))[0] == (1, WREN["first_words"])


async def remembered_more(being: Being, than: int) -> bool:
    return len(await remembered(being)) > than


async def second_life(being: Being) -> bool:
    return (await life_of(being)).number == 2
