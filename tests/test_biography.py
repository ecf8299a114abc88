"""`alive status` is a small biography: alive, paused, dead, and what came before."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai.app import Being
from ai.clock import VirtualClock
from ai.commands.biography import biography, read_facts
from tests.lives import END, MORNING, WREN, Soul, awake, next_life, spend_all
from tests.parts import BEING


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MORNING)


async def told(being: Being, clock: VirtualClock) -> str:
    facts = await being.books.store.read(lambda t: read_facts(t, BEING, clock.now()))
    return "\n".join(biography(facts))


async def test_it_tells_who_lives_what_on_and_who_waits(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(thought="I count\x1b[31m the rain."), clock) as being:
        await being.brain.live()
        await being.books.inbox.hear("How are you?")
        text = await told(being, clock)
        for part in ("Wren", "(she)", "Life 1", "1 thought.", "comfortable", "0 notes", "How are you?", "the rain."):
            assert part in text
        assert str(WREN["first_words"]) in text
        assert "\x1b[31m" not in text, "nothing a model says speaks to the terminal"


async def test_it_tells_the_way_out_of_a_pause(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        await being.books.lifecycle.pause("a test")
        assert "paused: it thinks no more until `alive resume`." in await told(being, clock)


async def test_it_tells_the_end_and_what_comes_after(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        await being.books.lifecycle.die("its keeper ended it")
        await being.afterlife.pass_on()
        text = await told(being, clock)
        assert str(END["obituary"]) in text
        assert str(END["last_words"]) in text
        assert "dead. The next life begins at" in text


async def test_the_poor_wait_for_money(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock, ON_BANKRUPTCY="die") as being:
        await spend_all(being)
        await being.brain.live()
        assert "waits for money: `alive topup 5`" in await told(being, clock)


async def test_former_lives_stand_below(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        clock.advance(7200)
        await next_life(being, clock)
        assert "Life 1, Wren: 2 hours, 0 thoughts. Its keeper ended it." in await told(being, clock)


async def test_a_new_life_is_not_told_with_the_thoughts_of_the_last_one(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(thought="The light is warm today."), clock) as being:
        await being.brain.live()
        await next_life(being, clock)
        text = await told(being, clock)
        assert "Life 2" in text
        assert "The light is warm" not in text
        assert "thought last with" not in text
        await being.brain.live()
        assert "The light is warm today." in await told(being, clock)
