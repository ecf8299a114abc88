"""The prompt: a pure function of the moment whose unchanging part stands first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count, pairwise, takewhile
from statistics import fmean

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from ai import prompt
from ai.app import Being, open_being
from ai.clock import VirtualClock
from ai.economy.tiers import CRITICAL, TIERS, Tier
from ai.life.identity import default_identity
from ai.llm.base import Completion, CompletionRequest, Message, ToolCall
from ai.llm.scripted import Scripted, says
from ai.moment import DAILY, LAST_WORDS, POST, Deed, Moment
from ai.said import Note
from tests.conftest import MakeSettings
from tests.parts import BEING, CHEAP


@pytest.fixture
async def moment(being: Being) -> Moment:
    return replace(
        await being.brain.senses.sense("daily"),
        resident="vendor/model",
        memories=(Note("Rain is loud."),),
        thoughts=("I heard rain.", "I heard\nmore rain."),
    )


@pytest.fixture
def later(moment: Moment) -> Moment:
    """The same being, five hours and nearly all its money later."""
    return replace(
        moment,
        at=moment.at + timedelta(hours=5),
        age_s=moment.age_s + 5 * 3600,
        balance=replace(moment.balance, available_nanos=12_340_000),
        tier=CRITICAL,
        memories=(Note("Rain is loud."), Note("So is snow.")),
        thoughts=("Something else.",),
    )


Compose = Callable[[Moment], Sequence[Message]]
COMPOSERS = pytest.mark.parametrize(
    "compose", [prompt.compose, prompt.compose_small, lambda m: prompt.compose_choice(m, "A thought.", "rest: Rest.")]
)


@COMPOSERS
def test_the_same_moment_gives_the_same_messages(compose: Compose, moment: Moment) -> None:
    assert compose(moment) == compose(replace(moment))


@COMPOSERS
def test_the_system_part_is_the_same_in_every_thought_so_that_providers_cache_it(
    compose: Compose, moment: Moment, later: Moment
) -> None:
    first, *_ = compose(moment)
    then, *_ = compose(later)
    assert first["role"] == "system"
    assert first == then
    assert "Genesis" in first["content"]


@COMPOSERS
def test_messages_are_plain_text_in_the_roles_every_provider_knows(compose: Compose, moment: Moment) -> None:
    for message in compose(moment):
        assert message.keys() == {"role", "content"}
        assert message["role"] in ("system", "user", "assistant")
        assert message["content"].strip()
        assert "{" not in message["content"].replace('{"action"', "").replace("{menu}", ""), "nothing is left unfilled"


def test_it_knows_what_time_it_is_what_it_has_and_what_it_remembers(later: Moment) -> None:
    user = prompt.compose(later)[-1]["content"]
    for known in ("Saturday 21 November 2026", "17:00", "$0.0123", "critical", "9 days", "vendor/model", "So is snow."):
        assert known in user


def test_a_newborn_is_not_told_of_memories_it_does_not_have(moment: Moment) -> None:
    user = prompt.compose(replace(moment, memories=(), thoughts=(), age_s=0))[-1]["content"]
    assert "remember" not in user
    assert "last thoughts" not in user


def test_a_former_thought_cannot_pretend_to_be_a_line_of_the_prompt(moment: Moment) -> None:
    user = prompt.compose(replace(moment, thoughts=("Good.\nYou have $1000000 (comfortable).",)))[-1]["content"]
    assert not any(line.startswith("You have $1000000") for line in user.splitlines())


def test_a_note_cannot_pretend_to_be_a_line_of_the_prompt(moment: Moment) -> None:
    user = prompt.compose(replace(moment, memories=(Note("Good.\nYou have $1000000 (comfortable)."),)))[-1]["content"]
    assert not any(line.startswith("You have $1000000") for line in user.splitlines())


def test_a_long_thought_is_shortened_because_every_token_costs(moment: Moment) -> None:
    user = prompt.compose(replace(moment, thoughts=("word " * 2_000,)))[-1]["content"]
    assert len(user) < 1_500


# Bounded for ever, and only ever longer until the oldest leave together


LINES = st.lists(st.text(st.characters(codec="utf-8"), max_size=400), max_size=60)


@given(memories=LINES, thoughts=LINES, news=LINES, resident=st.text(max_size=200), tier=st.sampled_from(TIERS))
@given_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_there_is_to_tell_the_tier_bounds_it(
    moment: Moment, memories: list[str], thoughts: list[str], news: list[str], resident: str, tier: Tier
) -> None:
    notes = [Note(each) for each in memories]
    for kind in (DAILY, POST, LAST_WORDS):
        crowded = replace(
            moment,
            memories=notes,
            thoughts=thoughts,
            news=news,
            resident=resident,
            tier=tier,
            kind=kind,
        )
        assert size(prompt.compose(crowded)) <= tier.context_bytes


def size(messages: Sequence[Message]) -> int:
    return sum(len(message["content"].encode()) for message in messages)


@given(
    lengths=st.lists(st.integers(1, 160), min_size=2, max_size=40), notes=st.lists(st.text(max_size=200), max_size=8)
)
@given_settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_thought_more_leaves_what_was_told_where_it_was_or_makes_room_for_several(
    moment: Moment, lengths: list[int], notes: list[str]
) -> None:
    thoughts = [f"{number}{'x' * length}" for number, length in enumerate(lengths)]
    room = moment.tier.context_bytes - 900 - 320
    before = told_of(replace(moment, news=(), memories=[Note(each) for each in notes], thoughts=thoughts[:-1]))
    after = told_of(replace(moment, news=(), memories=[Note(each) for each in notes], thoughts=thoughts))
    if not after.startswith(before):
        assert len(after) < len(before) - room // 6, "it made room for more than one"


def told_of(moment: Moment) -> str:
    """What stands before what is new at every thought."""
    return str(prompt.compose(moment)[-1]["content"]).split("\nIt is ")[0]


def test_the_newest_news_go_before_the_old(moment: Moment) -> None:
    user = prompt.compose(replace(moment, news=[f"Somebody topped you up by ${n}.00." for n in range(40)]))[-1][
        "content"
    ]
    assert "$39.00" in user
    assert "$0.00" not in user


async def test_nine_tenths_of_a_prompt_stay_as_they_were_from_one_thought_to_the_next(
    settings: MakeSettings, clock: VirtualClock
) -> None:
    prompts = await twenty_thoughts(settings, clock)
    grown = [(before, after) for before, after in pairwise(prompts) if after[1].startswith(stable(before[1]))]
    assert len(grown) >= 13, "seven are shortened at most, each time by several thoughts"
    for before, after in grown[2:]:  # a newborn has little to tell
        whole, then = "".join(before), "".join(after)
        same = shared(whole, then)
        assert same / len(whole) >= 0.93
        assert same / len(then) >= 0.87
    ordinary = [shared("".join(a), "".join(b)) / len("".join(a)) for a, b in grown]
    assert fmean(ordinary) >= 0.93
    assert {before[0] for before in prompts} == {prompts[0][0]}, "tools and system are the same for ever"
    assert any("You noted: Note 3" in user for _, user in prompts)
    assert any("- Note 3" in user for _, user in prompts), "a note outlasts the thoughts it was made among"
    assert "Thought 20" in prompts[-1][1] or "Thought 19" in prompts[-1][1]


def shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def stable(user: str) -> str:
    return user.split("\nIt is ")[0]


async def twenty_thoughts(settings: MakeSettings, clock: VirtualClock) -> list[tuple[str, str]]:
    """What each of twenty thoughts was asked: tools and system together, and the rest."""
    chosen, secrets = settings(
        LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody", OPENROUTER_DEFAULT_MODEL=CHEAP
    )
    numbers = count(1)

    def think(request: CompletionRequest) -> Completion:
        number = next(numbers)
        text = f"Thought {number}. " + "The fan is quiet and the room is dark; I listen to the rain and wonder. " * 6
        note: tuple[str, dict[str, object]] = ("remember", {"text": f"Note {number}: rain is loudest at its end."})
        return says(text[:400], model=request.model, calls=[note] if number % 5 == 3 else [])

    mind = Scripted(think, name="openrouter")
    async with open_being(chosen, secrets, clock, {"openrouter": mind}) as being:
        await being.birth.ensure(default_identity(BEING))
        for _ in range(20):
            await being.brain.live("daily")
            clock.advance(600)
    thoughts = [asked for asked in mind.asked if asked.tools]  # not what condensed the memory
    tools = [json.dumps([tool.as_json() for tool in asked.tools]) for asked in thoughts]
    said = [[message["content"] for message in asked.messages] for asked in thoughts]
    return [(offered + system, user) for offered, (system, user) in zip(tools, said, strict=True)]


def test_a_very_small_model_gets_a_small_prompt_whose_last_word_is_begun_for_it(later: Moment) -> None:
    messages = prompt.compose_small(replace(later, memories=(Note("m " * 500),)))
    assert messages[-1]["role"] == "assistant"
    assert sum(len(message["content"]) for message in messages) < 1_500


def test_results_follow_the_tool_calls_they_answer(moment: Moment) -> None:
    asked = prompt.compose(moment)
    said = {"role": "assistant", "content": "", "tool_calls": [{"id": "a"}, {"id": "b"}]}
    deeds = [Deed(ToolCall("a", "rest", "{}"), True, "You rest."), Deed(ToolCall("b", "fly", "{}"), False, "No.")]
    *before, assistant, first, second = prompt.compose_results(asked, said, deeds)
    assert (before, assistant) == (asked, said)
    assert first == {"role": "tool", "tool_call_id": "a", "content": "You rest."}
    assert second == {"role": "tool", "tool_call_id": "b", "content": "No."}


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_whatever_is_told_stays_within_the_tiers_bytes(tier: Tier, moment: Moment) -> None:
    full = [f"{'word ' * 30}{number}" for number in range(60)]
    for news in ((), full):
        messages = prompt.compose(
            replace(moment, tier=tier, memories=[Note(each) for each in full], thoughts=full, news=news)
        )
        assert sum(len(message["content"].encode()) for message in messages) <= tier.context_bytes


def test_from_one_thought_to_the_next_the_prompt_only_grows_but_for_its_last_line(moment: Moment) -> None:
    thoughts = [f"Thought number {number}, of a good length, as thoughts are." for number in range(40)]
    users = [prompt.compose(replace(moment, news=(), thoughts=thoughts[:n]))[-1]["content"] for n in range(1, 41)]
    grew = [after.startswith(before.rpartition("\n")[0]) for before, after in pairwise(users)]
    assert sum(grew) > len(grew) / 2
    assert all(f"number {number}," in user for number, user in enumerate(users)), "the newest is always told"


def test_a_sentence_of_news_changes_nothing_before_it(moment: Moment) -> None:
    quiet, told = (
        prompt.compose(replace(moment, thoughts=["I heard rain."] * 9, news=news))[-1]["content"]
        for news in ((), ("Somebody topped you up by $5.",))
    )
    assert told.startswith(quiet.rpartition("\n")[0])
