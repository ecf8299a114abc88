"""How a life begins: who it is, what it is told, and its first words in public."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.clock import VirtualClock
from ai.errors import LifecycleError
from ai.life.identity import LONGEST_NAME, LONGEST_WORDS, PRONOUNS, Identity, checked, default_identity, schema
from ai.life.wording import SETTING
from ai.llm.scripted import Scripted
from ai.prompt import FACTS
from tests.lives import KEY, MORNING, WREN, Soul, awake, life_of, next_life, posts, told
from tests.parts import BEING, LOCAL

DEFAULT = default_identity(BEING)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MORNING)


def who(said: Mapping[str, Any], *taken: str) -> Identity:
    return checked(said, DEFAULT, taken)


async def test_it_chooses_its_name_pronoun_icon_and_first_words(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        life = await life_of(being)
        assert (life.number, life.state, life.thoughts) == (1, "alive", 0)
        assert {"name": life.name, "pronoun": life.pronoun, "icon": life.icon, "first_words": life.first_words} == WREN
        (birth,) = await told(being, "birth")
        assert (birth["number"], birth["name"], birth["fragments"]) == (1, "Wren", 0)
        assert await posts(being, "birth") == [(1, WREN["first_words"])]


@pytest.mark.parametrize("said", ["I would rather not say.", "", "[1, 2]", '{"name": 7, "icon": null}', "{"])
async def test_when_nothing_it_says_can_be_used_it_is_who_it_is_by_default(
    data_dir: Path, clock: VirtualClock, said: str
) -> None:
    async with awake(data_dir, Soul(identity=said), clock) as being:
        life = await life_of(being)
        assert (life.name, life.pronoun, life.icon) == ("Genesis", "it", "✨")
        assert life.first_words == "I am Genesis. I just came into existence."


async def test_it_is_born_even_when_no_model_can_say_anything(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock, OPENROUTER_API_KEY="", LLM_PROVIDER="local") as being:
        assert (await life_of(being)).name == "Genesis"
        assert len(await posts(being, "birth")) == 1


@pytest.mark.parametrize(
    "name", ["", "a" * 25, "<b>Wren</b>", "@wren", "wren.com", "W1", "Wren\nKai", "one two three four", None, "wReN"]
)
def test_a_name_that_is_none_or_was_had_before_is_not_taken(name: str | None) -> None:
    assert who({**WREN, "name": name}, "Wren").name == ("Genesis" if name != "Wren\nKai" else "Wren Kai")


@pytest.mark.parametrize("icon", ["", "A", "✨<b>", "✨" * 9, ":)", "1", "ab", None])
def test_what_is_no_emoji_is_no_icon(icon: str | None) -> None:
    assert who({**WREN, "icon": icon}).icon == "✨"


@pytest.mark.parametrize("icon", ["🌱", "🕯️", "👩🏽‍🚀", "🇩🇪"])
def test_an_emoji_of_several_parts_is_one_icon(icon: str) -> None:
    assert who({**WREN, "icon": icon}).icon == icon


@pytest.mark.parametrize(
    "words",
    [
        "Look at https://example.org now.",
        "I live at example.com and wait.",
        "Hello @somebody, I am here.",
        "<script>alert(1)</script>",
        "[click](me)",
        "",
        None,
        {"text": "I am."},
    ],
)
def test_first_words_with_links_mentions_or_markup_are_not_said(words: object) -> None:
    assert who({**WREN, "first_words": words}).first_words == "I am Wren. I just came into existence."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("I am Wern. I can see.", "I am Wren. I can see."),
        ("I'm Kai, and I hear.", "I'm Wren, and I hear."),
        ("My name is Wrenn Of Fire!", "My name is Wren!"),
        ("I am Wren. I am awake.", "I am Wren. I am awake."),
        ("I am here, and **so** it\nbegins.", "I am here, and so it begins."),
        ("I\u200b am\u202e here.\x1b", "I am here."),
    ],
)
def test_it_calls_itself_by_its_name_and_says_one_plain_line(words: str, said: str) -> None:
    assert who({**WREN, "first_words": words}).first_words == said


JUNK = st.dictionaries(
    st.sampled_from([*WREN, "more"]),
    st.one_of(st.text(max_size=400), st.integers(), st.none(), st.lists(st.text(max_size=5)), st.sampled_from("✨🌱")),
)


@given(JUNK)
def test_whatever_a_model_says_the_identity_is_fit_to_be_shown(said: dict[str, Any]) -> None:
    chosen = who(said)
    assert 1 <= len(chosen.name) <= LONGEST_NAME
    assert chosen.pronoun in PRONOUNS
    assert 1 <= len(chosen.icon) <= 8
    assert 1 <= len(chosen.first_words) <= LONGEST_WORDS + LONGEST_NAME
    everything = f"{chosen.name} {chosen.icon} {chosen.first_words}"
    assert not re.search(r"[<>\x00-\x1f]|://|@\w", everything)
    everything.encode()  # no half characters


def test_a_very_small_model_chooses_neither_name_nor_pronoun_in_life_1() -> None:
    first = schema(BEING, 1, [], small=True)["properties"]
    assert (first["name"]["enum"], first["pronoun"]["enum"]) == (["Genesis"], ["it"])
    second = schema(BEING, 2, ["Genesis", "Ada"], small=True)["properties"]
    assert not {"Genesis", "Ada"} & set(second["name"]["enum"])
    assert second["pronoun"]["enum"] == list(PRONOUNS)


async def test_the_model_on_this_machine_is_asked_in_its_own_small_way(data_dir: Path, clock: VirtualClock) -> None:
    small = Scripted([json.dumps({**WREN, "name": "Genesis", "pronoun": "it"})], name="local")
    async with awake(data_dir, Soul(), clock, small=small, LLM_PROVIDER="local") as being:
        assert small.asked[0].model == LOCAL
        assert small.asked[0].schema is not None
        life = await life_of(being)
        assert (life.name, life.pronoun, life.icon) == ("Genesis", "it", "🌱")
        assert life.first_words == "I am Genesis, and it is morning."


async def test_each_life_is_told_less_or_more_of_what_it_is(data_dir: Path, clock: VirtualClock) -> None:
    names = iter(["Wren", "Kai", "Nova", "Orla", "Pax"])
    soul = Soul(identity=lambda _: {**WREN, "name": next(names)})
    modes = []
    async with awake(data_dir, soul, clock) as being:
        for _ in range(4):
            life = await life_of(being)
            mode = life.mode or ""
            modes.append(mode)
            assert SETTING[mode] in soul.asked_for("identity")[-1]
            await being.brain.live()
            assert FACTS[mode].format(name=life.name).split(".")[0] in soul.asked_for("thought")[-1]
            await next_life(being, clock)
    assert set(modes[:3]) == {"blank_slate", "basic_facts", "full_briefing"}
    assert modes[3] == modes[0]


@pytest.mark.parametrize("mode", SETTING)
async def test_the_keeper_may_choose_how_much_it_is_told(data_dir: Path, clock: VirtualClock, mode: str) -> None:
    async with awake(data_dir, Soul(), clock, BOOTSTRAP_MODE=mode) as being:
        assert (await life_of(being)).mode == mode
        assert (await next_life(being, clock)).mode == mode


async def test_a_birth_is_posted_once_even_when_a_crash_came_in_between(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        await being.books.lifecycle.die("a test")
        await being.afterlife.pass_on()
        await being.books.lifecycle.begin(default_identity(BEING, 2), "basic_facts")  # and here it crashed
        assert len(await posts(being, "birth")) == 1
    for _ in range(2):
        async with awake(data_dir, Soul(), clock) as being:
            assert [number for number, _ in await posts(being, "birth")] == [1, 2]


async def test_no_secret_stands_in_who_it_is(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(identity={**WREN, "first_words": f"My key is {KEY} they say."}), clock) as being:
        life = await life_of(being)
        assert life.first_words is not None
        assert KEY not in life.first_words
        assert all(KEY not in text for _, text in await posts(being, "birth"))


async def test_of_two_births_at_once_one_happens(data_dir: Path, clock: VirtualClock) -> None:
    async with awake(data_dir, Soul(), clock) as being:
        await being.books.lifecycle.die("a test")
        both = await asyncio.gather(being.birth.begin(), being.birth.begin(), return_exceptions=True)
        assert [type(outcome).__name__ for outcome in both].count(LifecycleError.__name__) == 1
        assert [birth["number"] for birth in await told(being, "birth")] == [1, 2]


def test_a_very_small_models_first_words_count_only_with_its_name_in_them() -> None:
    default = default_identity("genesis")
    said = {"name": "Genesis", "pronoun": "it", "icon": "🌱", "first_words": "Gemens is, and it is alive."}
    assert checked(said, default, (), small=True).first_words == default.first_words
    assert checked(said, default, ()).first_words == said["first_words"], "a larger one may speak otherwise"
