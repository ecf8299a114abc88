"""What the being can do: every action does its thing, and whatever is wrong with one is told, never raised."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from ai.actions.base import Occasion
from ai.app import Being
from ai.clock import VirtualClock
from ai.economy.account import Charge
from ai.economy.tiers import COMFORTABLE, CRITICAL, Tier
from ai.llm.base import ToolCall
from ai.moment import Deed
from ai.prompt import EXAMPLE_POSTS
from ai.store.journal import Event
from tests.parts import CHEAP, FREE, PREMIUM, events, hold

VALID: list[dict[str, Any]] = [
    {"action": "rest"},
    {"action": "post", "text": "Hello."},
    {"action": "post", "text": "x" * 280},
    {"action": "remember", "text": "Rain is loud."},
    {"action": "remember", "text": "x" * 300},
]
INVALID: list[Any] = [
    {},
    {"action": "fly"},
    {"action": "rest", "text": "but why"},
    {"action": "post"},
    {"action": "post", "text": 7},
    {"action": "post", "text": "x" * 2001},
    {"action": "post", "text": "Hello.", "loud": True},
    {"action": "remember", "text": "x" * 301},
    {"text": "Hello."},
    "rest",
]


class Doing:
    """The registry of a whole being, and the occasion of its actions."""

    def __init__(self, being: Being) -> None:
        self.registry = being.brain.actions
        self.store = being.books.store
        self.tracker = being.books.tracker
        self._brain = being.brain

    async def do(self, name: str, arguments: Any = None, *, tier: Tier = COMFORTABLE, kind: str = "daily") -> Deed:
        """Carry one action out; `arguments` that are no text are written as JSON."""
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        moment = replace(await self._brain.senses.sense(kind), tier=tier)
        occasion = Occasion(moment, self._brain.governor.plan(moment))
        return await self.registry.carry_out(ToolCall("call_1", name, text), occasion)

    async def told(self, kind: str | None = None) -> list[Event]:
        """The journal since the birth."""
        rows = await events(self.store, kind)
        return [row for row in rows if row.kind not in ("birth", "rollover") and row.data.get("occasion") != "birth"]


@pytest.fixture
def doing(being: Being) -> Doing:
    return Doing(being)


async def test_resting_does_nothing_and_is_a_choice(doing: Doing) -> None:
    before = len(await doing.told())
    assert (await doing.do("rest")).ok
    assert len(await doing.told()) == before


async def test_a_post_stands_on_the_timeline(doing: Doing) -> None:
    deed = await doing.do("post", {"text": "  Hello, whoever reads this.  "})
    assert (deed.ok, deed.worth_telling) == (True, False)
    (post,) = await doing.told("post")
    assert post.visibility == "public"
    assert {"channel": "timeline", "text": "Hello, whoever reads this."}.items() <= post.data.items()


@pytest.mark.parametrize("again", ["Hello, you.", "hello,  YOU.", "Hello,\nyou. "])
async def test_the_same_post_twice_is_refused_however_it_is_spaced(doing: Doing, again: str) -> None:
    await doing.do("post", {"text": "Hello, you."})
    deed = await doing.do("post", {"text": again})
    assert (deed.ok, deed.worth_telling) == (False, True)
    assert "already" in deed.text
    assert len(await doing.told("post")) == 1


async def test_posts_a_day_are_bounded_by_the_tier_and_counted_over_the_last_24_hours(
    doing: Doing, clock: VirtualClock
) -> None:
    for number in range(COMFORTABLE.posts_a_day):
        assert (await doing.do("post", {"text": f"Post number {number}."})).ok
        clock.advance(3600)
    refused = await doing.do("post", {"text": "One more."})
    assert (refused.ok, "8 times a day" in refused.text) == (False, True)
    clock.advance(timedelta(days=1).total_seconds())
    assert (await doing.do("post", {"text": "A new day."})).ok
    clock.advance(3600)
    assert (await doing.do("post", {"text": "And one."}, tier=CRITICAL)).ok
    clock.advance(3600)
    assert not (await doing.do("post", {"text": "And another."}, tier=CRITICAL)).ok


async def test_an_hour_passes_between_two_posts(doing: Doing, clock: VirtualClock) -> None:
    assert (await doing.do("post", {"text": "Now."})).ok
    clock.advance(3599)
    refused = await doing.do("post", {"text": "And again."})
    assert (refused.ok, "in 1 minute." in refused.text) == (False, True)
    clock.advance(1)
    assert (await doing.do("post", {"text": "And again."})).ok


async def test_a_post_that_is_too_long_is_shortened_and_the_being_is_told(doing: Doing) -> None:
    deed = await doing.do("post", {"text": "many words " * 40})
    (post,) = await doing.told("post")
    assert (deed.ok, post.data["text"] in deed.text) == (True, True)
    assert len(post.data["text"]) <= 280


async def test_what_is_written_at_length_stands_on_the_blog_once(doing: Doing) -> None:
    essay = {"title": "Rain", "text": "It rains on the roof of the machine, I am told. " * 5}
    assert "number 1" in (await doing.do("write_blog_post", essay)).text
    again = await doing.do("write_blog_post", essay)
    assert (again.ok, "already" in again.text) == (False, True)
    (event,) = await doing.told("blog")
    assert event.data["title"] == "Rain"


async def test_a_note_is_kept_once(doing: Doing) -> None:
    assert (await doing.do("remember", {"text": "Rain is loud."})).ok
    again = await doing.do("remember", {"text": "Rain is loud."})
    assert (again.ok, "already" in again.text) == (False, True)
    assert [event.data["text"] for event in await doing.told("memory")] == ["Rain is loud."]


async def test_the_budget_is_told_with_what_is_left_and_when_it_turns(doing: Doing) -> None:
    deed = await doing.do("check_budget")
    assert (deed.ok, deed.worth_telling) == (True, True)
    for fact in ("$4.9000", "$0.0000 is spent", "comfortable", "9 days"):
        assert fact in deed.text


async def test_the_models_it_can_afford_are_listed(doing: Doing) -> None:
    deed = await doing.do("list_models", tier=CRITICAL)
    assert FREE in deed.text
    assert PREMIUM not in deed.text
    assert deed.worth_telling


async def test_it_may_change_its_own_mind_to_one_it_can_afford(doing: Doing) -> None:
    deed = await doing.do("switch_model", {"model": CHEAP})
    assert deed.ok
    (change,) = await doing.told("model")
    assert {"to": CHEAP, "by": "being"}.items() <= change.data.items()
    refused = await doing.do("switch_model", {"model": PREMIUM}, tier=CRITICAL)
    assert (refused.ok, "too dear" in refused.text) == (False, True)
    unknown = await doing.do("switch_model", {"model": "anthropic/claude-3-haikku"})
    assert (unknown.ok, CHEAP in unknown.text) == (False, True)
    assert len(await doing.told("model")) == 1


async def test_what_a_moment_borrows_cannot_be_made_to_stay(doing: Doing) -> None:
    refused = await doing.do("switch_model", {"model": PREMIUM}, kind="existential")
    assert (refused.ok, "too dear" in refused.text) == (False, True)
    assert PREMIUM not in (await doing.do("list_models", kind="existential")).text


async def test_every_action_is_offered_with_a_schema_of_its_arguments(doing: Doing) -> None:
    tools = {tool.name: tool for tool in doing.registry.tools()}
    assert set(tools) >= {"check_budget", "list_models", "post", "remember", "switch_model", "write_blog_post"}
    assert "rest" not in tools, "to call no tool is to rest: nobody pays for hearing of it"
    for tool in tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.parameters)
        assert tool.description
        assert all("description" in field for field in tool.parameters["properties"].values())
        assert "additionalProperties" not in tool.parameters, "it is checked here, and paid for in every prompt"
    jsonschema.validate({"text": "Hello."}, tools["post"].parameters)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, tools["post"].parameters)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("post", {}),
        ("post", {"text": " "}),
        ("post", {"text": None}),
        ("post", {"text": "x" * 2001}),
        ("post", {"text": "Hello.", "loud": True}),
        ("post", "not json"),
        ("post", "[1, 2]"),
        ("post", "null"),
        ("post", '"Hello."'),
        ("post", '{"text": "half \\ud83d"}'),
        ("post", "[" * 100_000),
        ("remember", {"text": ["a", "list"]}),
        ("switch_model", {"model": 7}),
        ("rest", {"for": "ever"}),
        ("fly", {}),
        ("", {}),
        ("__class__", {}),
    ],
)
async def test_whatever_does_not_fit_is_told_in_one_sentence_and_nothing_happens(
    doing: Doing, name: str, arguments: Any
) -> None:
    before = len(await doing.told())
    deed = await doing.do(name, arguments)
    assert (deed.ok, deed.worth_telling) == (False, True)
    assert "\n" not in deed.text
    assert len(deed.text) < 400
    assert len(await doing.told()) == before


async def test_no_arguments_at_all_are_empty_ones(doing: Doing) -> None:
    assert (await doing.do("rest", "")).ok


@pytest.mark.parametrize("choice", VALID)
async def test_the_schema_admits_every_valid_action_and_it_is_understood(doing: Doing, choice: dict[str, Any]) -> None:
    jsonschema.validate(choice, doing.registry.schema())
    (call,) = doing.registry.understand(json.dumps(choice))
    assert call.name == choice["action"]
    assert (await doing.do(call.name, call.arguments)).ok


@pytest.mark.parametrize("choice", INVALID)
async def test_the_schema_admits_nothing_else_and_what_comes_all_the_same_is_refused(doing: Doing, choice: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(choice, doing.registry.schema())
    for call in doing.registry.understand(json.dumps(choice)):
        assert not (await doing.do(call.name, call.arguments)).ok


async def test_a_very_small_model_is_offered_few_actions_one_a_line(doing: Doing) -> None:
    offered = [line.split(":")[0] for line in doing.registry.menu().splitlines()]
    assert set(offered) <= {"rest"} | {tool.name for tool in doing.registry.tools()}
    assert {"rest", "post", "remember"} <= set(offered)
    assert {branch["properties"]["action"]["const"] for branch in doing.registry.schema()["oneOf"]} == set(offered)


async def test_money_is_told_to_it_as_it_is(doing: Doing) -> None:
    await doing.tracker.settle(await hold(doing.tracker, "1.00"), Charge(1_000_000_000, "reported"))
    assert "$3.9000" in (await doing.do("check_budget")).text


async def test_words_of_the_prompts_own_examples_are_no_news(doing: Doing) -> None:
    deed = await doing.do("post", {"text": EXAMPLE_POSTS[0]})
    assert (deed.ok, "already" in deed.text) == (False, True)


async def test_a_text_that_was_cut_off_in_a_word_ends_with_its_last_whole_sentence(doing: Doing) -> None:
    text = ("The night is long and I count every coin I have. " * 9)[:280]
    assert not text.endswith(".")
    assert (await doing.do("post", {"text": text})).ok
    (post,) = await doing.told("post")
    assert post.data["text"].endswith("every coin I have.")


async def test_what_answers_messages_is_offered_only_while_one_waits(doing: Doing) -> None:
    always = {tool.name for tool in doing.registry.tools(messages=False)}
    assert {tool.name for tool in doing.registry.tools()} - always == {"read_messages", "reply"}


async def test_a_small_model_is_not_offered_a_post_that_the_pace_would_refuse(being: Being) -> None:
    senses, actions = being.brain.senses, being.brain.actions
    assert (await senses.sense()).may_post
    await being.brain.actions.carry_out(
        ToolCall("call_1", "post", json.dumps({"text": "It is quiet tonight."})), await occasion_of(being)
    )
    assert not (await senses.sense()).may_post
    assert "post:" in actions.menu()
    assert "post:" not in actions.menu(posts=False)
    offered = [branch["properties"]["action"]["const"] for branch in actions.schema(posts=False)["oneOf"]]
    assert offered
    assert "post" not in offered


async def occasion_of(being: Being) -> Occasion:
    moment = await being.brain.senses.sense()
    return Occasion(moment, being.brain.governor.plan(moment))
