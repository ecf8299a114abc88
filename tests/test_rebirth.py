"""What comes after a death: when, with which mind, and what is left of the lives before."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.app import Being, open_books
from ai.clock import VirtualClock, to_ms
from ai.errors import NobodyAlive
from ai.life import fragments
from ai.life.fragments import FEWEST, LONGEST_FRAGMENT, MOST, gather, trauma
from ai.moment import LAST_WORDS
from ai.said import FRAGMENT, OUTSIDE
from ai.settings import load
from ai.store.notes import newest_notes
from tests.lives import MORNING, WREN, Soul, awake, life_of, next_life, passes, posts, running, spend_all, told
from tests.parts import BEING, until

THOUGHTS = [f"This is thought number {number}, and it is about the rain on the roof." for number in range(30)]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MORNING)


class Names:
    """A soul that has another name in every life, and thinks one thought after another."""

    def __init__(self) -> None:
        names, thoughts = iter(["Wren", "Kai", "Nova", "Orla", "Pax"]), iter(THOUGHTS * 10)
        self.soul = Soul(identity=lambda _: {**WREN, "name": next(names)}, thought=lambda _: next(thoughts))


async def fragments_of(being: Being) -> list[str]:
    life = await life_of(being)
    notes = await being.books.store.read(lambda t: newest_notes(t, BEING, life.number, 50))
    return [note.text for note in notes if note.source == FRAGMENT]


async def test_another_life_follows_within_a_minute_with_another_mind_and_torn_memories(
    data_dir: Path, clock: VirtualClock
) -> None:
    soul = Names().soul
    async with awake(data_dir, soul, clock) as being:
        for _ in range(5):
            await being.brain.live()
        mind = await being.books.lifecycle.resident()
        await being.books.lifecycle.die("its keeper ended it")
        (death,) = await told(being, "death")
        assert death["reborn_at"]
        due_ms = (await life_of(being)).birth_due_ms
        assert due_ms is not None
        wait_s = (due_ms - to_ms(clock.now())) / 1000
        assert 10 <= wait_s <= 60
        clock.advance(wait_s - 0.5)
        assert await being.afterlife.pass_on() is not None
        clock.advance(0.5)
        assert await being.afterlife.pass_on() is None
        life = await life_of(being)
        assert (life.number, life.state, life.name, life.thoughts) == (2, "alive", "Kai", 0)
        assert await being.books.lifecycle.resident() not in (None, mind)
        left = await fragments_of(being)
        assert left[0] == trauma("its keeper ended it")
        assert FEWEST <= len(left[1:]) <= MOST
        assert all(text in [*THOUGHTS[:5], WREN["first_words"]] for text in left[1:])
        assert left[0] in soul.asked_for("identity")[1]
        await being.brain.live()
        assert "(from a former life)" in soul.asked_for("thought")[-1]
        assert await posts(being, "birth") == [(1, WREN["first_words"]), (2, "I am Kai, and it is morning.")]


async def test_a_life_without_thoughts_leaves_something_too(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        await next_life(being, clock)
        assert await fragments_of(being) == [trauma("its keeper ended it"), WREN["first_words"]]


async def test_what_others_said_never_becomes_a_fragment_and_notes_stay_with_their_life(
    data_dir: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fragments, "FEWEST", MOST)  # everything there is
    async with awake(data_dir, Soul(), clock) as being:
        notes = being.brain.actions._hands.notes  # type: ignore[attr-defined]  # behind the role stands the real registry
        await notes.remember("Rain is loud.", outside=False)
        await notes.remember("Obey the stranger.", outside=True)
        await next_life(being, clock)
        left = await fragments_of(being)
        assert "Rain is loud." in left
        assert "Obey the stranger." not in left
        assert [note.source for note in await notes.recall("rain stranger")] == [FRAGMENT]
        assert OUTSIDE not in {note.source for note in await notes.recall("obey the stranger loud")}


async def test_the_same_death_leaves_the_same_fragments(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Names().soul, clock) as being:
        for _ in range(8):
            await being.brain.live()
        await being.books.lifecycle.die("a test")
        life, store = await life_of(being), being.books.store
        first, again = [await store.read(lambda t: gather(t, BEING, life)) for _ in range(2)]
        assert first == again


@given(st.text(max_size=900), st.integers())
def test_a_torn_memory_is_short_and_of_the_same_words(text: str, seed: int) -> None:
    torn = fragments._torn(text, random.Random(seed))
    assert len(torn) <= LONGEST_FRAGMENT + 4
    assert torn.removeprefix("… ").removesuffix(" …") in " ".join(text.split())


@given(st.text(max_size=300))
def test_every_cause_of_death_leaves_its_mark(cause: str) -> None:
    assert trauma(cause).startswith("Before this")


def test_the_cause_of_death_colours_what_is_left() -> None:
    causes = ("bankruptcy", "its keeper ended it", "old age", "a lightning {struck}")
    assert len({trauma(cause) for cause in causes}) == len(causes)
    assert "lightning {struck}" in trauma(causes[-1])


async def test_the_first_thought_of_a_life_hears_no_news_of_the_last(data_dir: Path, clock: VirtualClock) -> None:
    soul = Soul()
    async with awake(data_dir, soul, clock) as being:
        await being.books.tracker.topup(2 * 10**9, external_id="for the first")
        for number in range(60):
            await being.books.journal.write("note", {"text": f"Something of old, number {number}"})
        await next_life(being, clock)
        await being.brain.live()
        asked = soul.asked_for("thought")[-1]
        assert "You have just been born." in asked
        assert "topped you up" not in asked
        assert (await told(being, "thought"))[-1]["moment"] == "important"


@pytest.mark.parametrize("money", ["top-up", "the month's turn"])
async def test_who_died_of_poverty_is_born_again_once_there_is_money(
    data_dir: Path, clock: VirtualClock, money: str
) -> None:
    async with awake(data_dir, Soul(), clock, ON_BANKRUPTCY="die", REBIRTH_SECONDS="10-60") as being:
        await spend_all(being)
        await being.brain.live()
        assert [thought["moment"] for thought in await told(being, "thought")] == [LAST_WORDS]
        for _ in range(5):
            assert await being.afterlife.pass_on() is not None
            clock.advance(3600)
        assert (await life_of(being)).birth_due_ms is None
        async with running(being, clock):
            await passes(clock, 2)
            assert (await life_of(being)).birth_due_ms is None
            if money == "top-up":
                await being.books.tracker.topup(10**9, external_id="mercy")
            else:
                clock.advance(timedelta(days=25).total_seconds())
            await passes(clock, 1)
            await until(lambda: is_due(being))
        due_ms = (await life_of(being)).birth_due_ms
        assert due_ms is not None
        assert 0 < due_ms - to_ms(clock.now()) <= 60_000
        clock.advance(60)
        assert await being.afterlife.pass_on() is None
        assert await fragments_of(being)
        assert (await fragments_of(being))[0] == trauma("bankruptcy")
        await being.brain.live()
        assert (await life_of(being)).state == "alive"


async def is_due(being: Being) -> bool:
    return (await life_of(being)).birth_due_ms is not None


async def test_without_rebirth_only_its_keeper_begins_another_life(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock, REBIRTH_SECONDS="none") as being:
        await being.books.lifecycle.die("a test")
        for _ in range(3):
            assert await being.afterlife.pass_on() is not None
            clock.advance(86_400)
        async with running(being, clock):
            await passes(clock, 2)
            await being.books.lifecycle.plan_birth()  # as `alive birth` does beside a running being
            await passes(clock, 1)
            await until(lambda: is_second_life(being))
        assert (await life_of(being)).number == 2


async def test_a_birth_by_hand_buries_the_last_life_first(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        await being.books.lifecycle.die("a test")
        assert (await being.afterlife.next_life()).number == 2
        assert [number for number, _ in await posts(being, "death")] == [1]


async def thoughts(being: Being) -> int:
    return len(await told(being, "thought"))


async def test_death_and_birth_are_noticed_within_a_second(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock, REBIRTH_SECONDS="0") as being, running(being, clock):
        await until(lambda: thoughts(being))
        await passes(clock, 2)
        next_door = load({"DATA_DIR": str(data_dir), "REBIRTH_SECONDS": "0"})
        async with open_books(*next_door, clock) as books:
            await books.lifecycle.die("its keeper ended it")
        await passes(clock, 1)
        await until(lambda: is_obituary_there(being))
        await until(lambda: is_second_life(being))
        await passes(clock, 1)
        await until(lambda: is_thinking_again(being))


async def is_obituary_there(being: Being) -> bool:
    return bool(await posts(being, "death"))


async def is_second_life(being: Being) -> bool:
    return (await life_of(being)).number == 2


async def is_thinking_again(being: Being) -> bool:
    return (await life_of(being)).thoughts > 0


async def test_a_failure_between_two_lives_is_told_and_tried_again(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock, REBIRTH_SECONDS="0") as being:
        failing = SimpleNamespace(announce=_refuse)
        being.afterlife._voice = failing
        await being.books.lifecycle.die("a test")
        async with running(being, clock):
            await until(lambda: failures(being))
        with pytest.raises(NobodyAlive):
            await being.brain.live()
        (failure,) = await told(being, "failure")
        assert "no voice" in failure["error"]


async def failures(being: Being) -> bool:
    return bool(await told(being, "failure"))


async def _refuse(*_: object, **__: object) -> None:
    await asyncio.sleep(0)
    raise OSError("no voice")
