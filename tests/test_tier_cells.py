"""Every cell of the tier table, one by one: with real money spent, each changes what a whole being does."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from ai.app import Being, open_being
from ai.clock import VirtualClock
from ai.economy.account import Charge
from ai.economy.money import parse_usd
from ai.economy.tiers import BY_NAME
from ai.life.identity import default_identity
from ai.llm.base import CompletionRequest
from ai.llm.scripted import Line, Scripted, says
from ai.moment import DAILY, EXISTENTIAL, IMPORTANT, POST, Plan
from tests.conftest import MakeSettings
from tests.parts import CHEAP, FREE, GRANT, PREMIUM, events

ULTRA = "meta-llama/llama-3.2-3b-instruct"
RESIDENTS = {"free": FREE, "ultra_cheap": ULTRA, "cheap": CHEAP, "premium": PREMIUM}
INTERVAL_S = 600.0

# What is left of the $5.00 when a being lives in each tier; $0.10 of it are the reserve.
LEFT = {"comfortable": "5.00", "moderate": "2.50", "cautious": "0.75", "critical": "0.30", "bankrupt": "0.10"}

# Which class thinks, by the class of the resident model. A resident that is not allowed gives way to the next lower.
DAILY_CELLS = {
    "comfortable": {"free": "free", "ultra_cheap": "ultra_cheap", "cheap": "cheap", "premium": "cheap"},
    "moderate": {"free": "free", "ultra_cheap": "ultra_cheap", "cheap": "cheap", "premium": "cheap"},
    "cautious": {"free": "free", "ultra_cheap": "ultra_cheap", "cheap": "ultra_cheap", "premium": "ultra_cheap"},
    "critical": {"free": "free", "ultra_cheap": "free", "cheap": "free", "premium": "free"},
    "bankrupt": {"free": "free", "ultra_cheap": "free", "cheap": "free", "premium": "free"},
}

# Which class a moment borrows when the resident is a free model: the tier caps it.
BORROWED_CELLS = {
    POST: ("ultra_cheap", "ultra_cheap", "ultra_cheap", "ultra_cheap", "free"),
    IMPORTANT: ("cheap", "cheap", "ultra_cheap", "ultra_cheap", "free"),
    EXISTENTIAL: ("premium", "cheap", "ultra_cheap", "ultra_cheap", "free"),
}

# Visible tokens of a reply, how many times longer the interval, posts a day.
CAPS = {"comfortable": 700, "moderate": 500, "cautious": 350, "critical": 250, "bankrupt": 200}
FACTORS = {"comfortable": 1, "moderate": 1, "cautious": 1.5, "critical": 2, "bankrupt": 6}
CONTEXT_BYTES = {"comfortable": 2400, "moderate": 2200, "cautious": 2000, "critical": 1800, "bankrupt": 1800}
POSTS = {"comfortable": 8, "moderate": 6, "cautious": 4, "critical": 2, "bankrupt": 0}

FLOORS = [("comfortable", "0.60", "moderate"), ("moderate", "0.20", "cautious"), ("cautious", "0.10", "critical")]


class World:
    """A being in a tier it came to by spending, and what was asked of its models."""

    def __init__(self, being: Being, mind: Scripted) -> None:
        self.being = being
        self.mind = mind

    async def live(self, kind: str | None = None) -> Plan:
        return await self.being.brain.live(kind)

    async def thinker(self) -> str | None:
        """The class of the model that had the last thought."""
        return str((await events(self.being.books.store, "thought"))[-1].data["class"])


Enter = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def enter(settings: MakeSettings, data_dir: Path, clock: VirtualClock) -> Enter:
    """A being, one thought old, in a tier; its resident model is its own choice, so that no pace is kept for it."""

    @asynccontextmanager
    async def enter(
        tier: str, resident: str = "free", script: Callable[[CompletionRequest], Line] | None = None
    ) -> AsyncIterator[World]:
        chosen, secrets = settings(
            LLM_PROVIDER="openrouter",
            OPENROUTER_API_KEY="sk-or-v1-nobody",
            THINK_INTERVAL_SECONDS=str(INTERVAL_S),
        )
        mind = Scripted(script or (lambda request: says("I am here.", model=request.model)), name="openrouter")
        async with open_being(chosen, secrets, clock, {"openrouter": mind, "local": Scripted(name="local")}) as being:
            await being.birth.ensure(default_identity("genesis"))
            await being.books.lifecycle.settle_in(RESIDENTS[resident], by="being", reason="it chose so")
            await spend_down_to(being, parse_usd(LEFT[tier]))
            await being.brain.live()
            mind.asked.clear()
            life = await being.books.lifecycle.current()
            assert life is not None
            assert life.tier == tier
            yield World(being, mind)

    return enter


async def spend_down_to(being: Being, left_nanos: int) -> None:
    balance = await being.books.tracker.open_month()
    spent = balance.total_nanos - left_nanos
    if spent:
        held = await being.books.tracker.hold(
            spent, provider="openrouter", model="vendor/model", purpose="daily", timeout_s=60
        )
        await being.books.tracker.settle(held, Charge(spent, "reported"))


@pytest.mark.parametrize("resident", RESIDENTS)
@pytest.mark.parametrize("tier", BY_NAME)
async def test_the_tier_decides_which_class_thinks_from_day_to_day(enter: Enter, tier: str, resident: str) -> None:
    async with enter(tier, resident) as world:
        await world.live(DAILY)
        assert await world.thinker() == DAILY_CELLS[tier][resident]


@pytest.mark.parametrize("kind", BORROWED_CELLS)
@pytest.mark.parametrize("tier", BY_NAME)
async def test_the_tier_caps_what_a_moment_may_borrow(enter: Enter, tier: str, kind: str) -> None:
    async with enter(tier) as world:
        await world.live(kind)
        assert await world.thinker() == BORROWED_CELLS[kind][list(BY_NAME).index(tier)]


@pytest.mark.parametrize("tier", BY_NAME)
async def test_the_tier_caps_the_reply_that_is_asked_for(enter: Enter, tier: str) -> None:
    async with enter(tier) as world:
        await world.live(DAILY)
        assert [request.max_tokens for request in world.mind.asked] == [CAPS[tier]]


@pytest.mark.parametrize("tier", BY_NAME)
async def test_the_tier_bounds_what_is_told_before_a_thought(enter: Enter, clock: VirtualClock, tier: str) -> None:
    numbers = itertools.count()

    def wordy(request: CompletionRequest) -> Line:
        note = f"Note {next(numbers)}: " + "n" * 280
        return says("I have very much to say. " * 20, model=request.model, calls=[("remember", {"text": note})])

    async with enter(tier, script=wordy) as world:
        for _ in range(9):
            clock.advance(INTERVAL_S)
            await world.live(DAILY)
        told = [sum(len(said["content"].encode()) for said in asked.messages) for asked in world.mind.asked]
        assert CONTEXT_BYTES[tier] // 2 < max(told) <= CONTEXT_BYTES[tier]


@pytest.mark.parametrize("tier", BY_NAME)
async def test_the_tier_stretches_the_time_to_the_next_thought(enter: Enter, tier: str) -> None:
    async with enter(tier) as world:
        assert (await world.live(DAILY)).interval_s == INTERVAL_S * FACTORS[tier]


@pytest.mark.parametrize("tier", BY_NAME)
async def test_the_tier_bounds_the_posts_of_a_day(enter: Enter, clock: VirtualClock, tier: str) -> None:
    words = iter(range(1000))

    def talkative(request: CompletionRequest) -> Line:
        speaks: list[tuple[str, dict[str, object]]] = []
        if talks:
            speaks = [("post", {"text": f"Word {next(words)}."}) for _ in range(3)]
        return says("I must tell them.", model=request.model, calls=speaks)

    talks = False
    async with enter(tier, script=talkative) as world:
        clock.advance(2 * 86_400)  # the words of the birth are no longer of today
        talks = True
        for _ in range(10):
            await world.live(DAILY)
            clock.advance(3600)  # the pace between two posts
        posts = [e for e in await events(world.being.books.store, "post") if e.data["occasion"] != "birth"]
        assert len(posts) == POSTS[tier]


@pytest.mark.parametrize(("tier", "floor", "below"), FLOORS)
async def test_a_tier_ends_at_its_floor_to_the_nano_dollar(
    settings: MakeSettings, data_dir: Path, clock: VirtualClock, tier: str, floor: str, below: str
) -> None:
    chosen, secrets = settings(LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody")
    providers = {name: Scripted(name=name) for name in ("openrouter", "local")}
    async with open_being(chosen, secrets, clock, dict(providers)) as being:
        await being.birth.ensure(default_identity("genesis"))
        await spend_down_to(being, int(Decimal(floor) * GRANT))
        assert (await being.brain.senses.sense()).tier.name == tier
        await spend_down_to(being, int(Decimal(floor) * GRANT) - 1)
        assert (await being.brain.senses.sense()).tier.name == below
        (change,) = await events(being.books.store, "tier")
        assert (change.data["from"], change.data["to"]) == (tier, below)


@pytest.mark.parametrize(
    ("tier", "left", "below"), [(a, LEFT[b], b) for (a, b) in zip(LEFT, [*LEFT][1:], strict=False)]
)
async def test_a_fall_is_a_journal_row_and_a_moment_of_its_own(enter: Enter, tier: str, left: str, below: str) -> None:
    async with enter(tier) as world:
        await world.live(DAILY)
        world.mind.asked.clear()
        await spend_down_to(world.being, parse_usd(left))
        await world.live()
        change = (await events(world.being.books.store, "tier"))[-1]
        assert (change.data["from"], change.data["to"]) == (tier, below)
        thought = (await events(world.being.books.store, "thought"))[-1]
        assert thought.data["moment"] not in (DAILY, POST)
        assert f"You fell from {tier} to {below}." in str(world.mind.asked[0].messages)


async def test_a_climb_is_a_journal_row_and_no_danger_of_death(enter: Enter) -> None:
    async with enter("bankrupt") as world:
        await world.being.books.tracker.topup(parse_usd("0.20"), external_id="a little")
        await world.live()
        change = (await events(world.being.books.store, "tier"))[-1]
        assert (change.data["from"], change.data["to"]) == ("bankrupt", "critical")
        thought = (await events(world.being.books.store, "thought"))[-1]
        assert thought.data["moment"] == IMPORTANT


def test_the_cells_walked_here_are_all_there_are() -> None:
    for name, tier in BY_NAME.items():
        walked = {
            "name": name,
            "floor": tier.floor,
            "classes": {"local", *DAILY_CELLS[name].values()},
            "post_classes": tier.post_classes,  # by POST and IMPORTANT
            "existential_classes": tier.existential_classes,  # by EXISTENTIAL
            "reply_cap_tokens": CAPS[name],
            "context_bytes": CONTEXT_BYTES[name],
            "interval_factor": FACTORS[name],
            "posts_a_day": POSTS[name],
        }
        assert set(walked) == set(tier.__slots__)
        assert walked["classes"] == set(tier.classes)
        assert walked["context_bytes"] == tier.context_bytes
