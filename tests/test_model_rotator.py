"""Who moves in next: nobody comes back before ten others were resident, and everybody can be made to leave."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from sqlalchemy import select

from ai.app import Being, open_being
from ai.clock import VirtualClock
from ai.economy.account import Charge
from ai.economy.money import parse_usd
from ai.errors import ModelChoiceError
from ai.life.identity import default_identity
from ai.life.lifecycle import Lifecycle
from ai.llm.cooldowns import Cooldowns
from ai.llm.failures import CallFailed, Fate, Scope
from ai.llm.scripted import Script, Scripted, says
from ai.models.model_config import ModelInfo, local_model
from ai.models.model_rotator import OTHERS_FIRST, RESIDENT_FAILURES, ModelRotator
from ai.models.pricing import Price
from ai.store.engine import Store
from ai.store.journal import Journal
from ai.store.schema import residencies
from tests.conftest import MakeSettings
from tests.parts import ALL_CLASSES, BEING, CHEAP, FREE, PREMIUM, events

PENNY = 10_000_000.0  # nano-dollars: enough for a thought of any model here


def model(name: str, usd_per_million: str = "1") -> ModelInfo:
    price = Decimal(usd_per_million) / 1_000_000
    return ModelInfo(name, name, "openrouter", Price(price, price), 100_000, supports_tools=True)


class Shelf:
    """A catalogue of a few models."""

    def __init__(self, models: Sequence[ModelInfo]) -> None:
        self.models = list(models)

    def find(self, model_id: str) -> ModelInfo | None:
        return next((model for model in self.models if model.id == model_id), None)

    def pool(self, classes: Sequence[str]) -> list[ModelInfo]:
        return [model for model in self.models if model.cls in classes]


class House:
    """A rotator over real books, and whoever is resident."""

    def __init__(self, store: Store, journal: Journal, clock: VirtualClock, models: Sequence[ModelInfo]) -> None:
        self.shelf = Shelf(models)
        self.store, self.clock = store, clock
        self.cooldowns = Cooldowns(store, clock, BEING)
        self.lifecycle = Lifecycle(store, journal, clock, BEING)
        self.resident = models[0].id
        self.restart()

    def restart(self, seed: int = 1) -> None:
        self.rotator = ModelRotator(
            self.store, BEING, self.shelf, self.cooldowns, self.lifecycle, lambda: random.Random(seed)
        )

    async def rotate(self, *, pace: float = PENNY) -> str:
        self.clock.advance(600)
        self.resident = (await self.rotator.rotate(self.resident, ALL_CLASSES, pace, "it was time")).id
        return self.resident

    async def fail(self, model_id: str, times: int = 1) -> None:
        found = self.shelf.find(model_id)
        assert found is not None
        for _ in range(times):
            await self.cooldowns.cool(CallFailed("it is ill", scope=Scope.MODEL, fate=Fate.FREE), found)

    async def reasons(self) -> list[str]:
        return [str(row.data["reason"]) for row in await events(self.store, "model")]


Make = Any


@pytest.fixture
def house(store: Store, journal: Journal, clock: VirtualClock) -> Iterator[Make]:
    def make(count: int = 15, usd_per_million: str = "1") -> House:
        return House(store, journal, clock, [model(f"vendor/m{n:02}", usd_per_million) for n in range(count)])

    return make  # type: ignore[return-value]  # a function of the fixture's parts


def too_soon(history: Sequence[str], models: int) -> list[int]:
    """Where somebody came back before `OTHERS_FIRST` others, or all there are, were resident in between."""
    found = []
    for here, name in enumerate(history):
        before = [i for i in range(here) if history[i] == name]
        if before and len(set(history[before[-1] + 1 : here])) < min(OTHERS_FIRST, models - 1):
            found.append(here)
    return found


@pytest.mark.parametrize("count", [2, 3, 8, 10, 11, 12, 15, 40])
async def test_nobody_comes_back_before_ten_others_were_resident_or_all_there_are(house: Make, count: int) -> None:
    home = house(count)
    history = [home.resident] + [await home.rotate() for _ in range(60)]
    assert too_soon(history, count) == []
    assert len(set(history)) >= min(count, OTHERS_FIRST + 1)


@given(
    seed=st.integers(0, 2**32),
    names=st.lists(st.sampled_from("abcdefghijklmnopqrst"), min_size=2, unique=True),
    moves=st.integers(1, 40),
)
@given_settings(max_examples=60)
def test_whatever_the_pool_nobody_comes_back_too_soon(seed: int, names: list[str], moves: int) -> None:
    history = remembered_walk(seed, names, moves)
    assert too_soon(history, len(names)) == []


def remembered_walk(seed: int, names: Sequence[str], moves: int) -> list[str]:
    """A walk through a pool with the store replaced by what it would tell: its newest residents first."""
    history = [names[0]]

    class Told:
        async def read(self, _: Any) -> list[str]:
            return history[::-1]

    class Well:
        def over(self, _: ModelInfo) -> None:
            return None

        def failures_in_a_row(self, _: ModelInfo) -> int:
            return 0

    class Nowhere:
        async def settle_in(self, model_id: str, *, by: str, reason: str, leaving: str | None = None) -> None:
            history.append(model_id)

    shelf = Shelf([model(name) for name in names])
    rotator = ModelRotator(Told(), BEING, shelf, Well(), Nowhere(), lambda: random.Random(seed))  # type: ignore[arg-type]  # it only reads
    for _ in range(moves):
        step = rotator.rotate(history[-1], ALL_CLASSES, PENNY, "it was time")
        with pytest.raises(StopIteration):  # nothing it awaits ever waits
            step.send(None)
    return history


async def test_with_a_small_pool_it_says_that_there_were_no_more_to_choose_from(house: Make) -> None:
    home = house(3)
    for _ in range(4):
        await home.rotate()
    told = await home.reasons()
    assert told[:2] == ["it was time"] * 2, "the first two are new"
    assert told[2:] == ["it was time; there are only 2 others to choose from"] * 2


async def test_with_nobody_else_there_is_no_choice(house: Make) -> None:
    with pytest.raises(ModelChoiceError, match="no other model"):
        await house(1).rotate()


async def test_who_fits_the_pace_goes_before_who_does_not(house: Make) -> None:
    home = house(4)
    home.shelf.models += [model("vendor/cheap-a", "0.1"), model("vendor/cheap-b", "0.1")]
    assert {await home.rotate(pace=200_000) for _ in range(6)} == {"vendor/cheap-a", "vendor/cheap-b"}
    assert await home.rotate(pace=0.0), "and when nobody fits, somebody has to do"


async def test_the_cleverer_are_drawn_more_often(house: Make) -> None:
    home = house(1)
    home.shelf.models += [model("vendor/opus"), *(model(f"vendor/tiny-{n}-1b") for n in range(2))]
    drawn = []
    for seed in range(60):
        home.restart(seed)
        drawn.append((await home.rotator.choose(home.resident, ALL_CLASSES, PENNY)).model.id)
    assert drawn.count("vendor/opus") > 35


async def test_whoever_rests_is_not_chosen(house: Make) -> None:
    home = house(4)
    await home.fail("vendor/m01")
    await home.fail("vendor/m02")
    home.clock.advance(-600)
    assert (await home.rotator.choose("vendor/m00", ALL_CLASSES, PENNY)).model.id == "vendor/m03"


async def test_who_was_resident_is_remembered_across_restarts(house: Make) -> None:
    home = house(15)
    history = [home.resident]
    for number in range(30):
        home.restart(number)
        history.append(await home.rotate())
    assert too_soon(history, 15) == []


async def test_a_residency_tells_from_when_to_when_and_by_whose_choice(house: Make) -> None:
    home = house(5)
    first = await home.rotate()
    home.clock.advance(1000)
    await home.lifecycle.settle_in("vendor/m04", by="keeper", reason="the keeper chose it")

    rows = await home.store.read(lambda t: t.execute(select(residencies).order_by(residencies.c.id)).mappings().all())
    default, one, two = rows
    assert (default["model"], default["until_ms"]) == ("vendor/m00", one["since_ms"])
    assert (one["model"], one["chosen_by"], one["reason"]) == (first, "rotator", "it was time")
    assert (two["model"], two["chosen_by"]) == ("vendor/m04", "keeper")
    assert (one["until_ms"], two["until_ms"]) == (two["since_ms"], None)
    assert one["until_ms"] - one["since_ms"] == 1_000_000
    journal = await events(home.store, "model")
    assert [(row.data["from"], row.data["to"], row.data["by"]) for row in journal] == [
        ("vendor/m00", first, "rotator"),
        (first, "vendor/m04", "keeper"),
    ]


# Who has to leave


async def test_three_failures_in_a_row_make_a_resident_leave_whoever_chose_it(house: Make) -> None:
    home = house(5)
    await home.fail("vendor/m00", RESIDENT_FAILURES - 1)
    assert await home.rotator.review("vendor/m00", "keeper", ALL_CLASSES, PENNY) is None
    await home.fail("vendor/m00")
    moved_in = await home.rotator.review("vendor/m00", "keeper", ALL_CLASSES, PENNY)
    assert moved_in is not None
    assert await home.reasons() == ["vendor/m00 failed 3 times in a row"]


async def test_one_answer_ends_the_row_of_failures(house: Make) -> None:
    home = house(5)
    await home.fail("vendor/m00", 2)
    await home.cooldowns.warm(home.shelf.models[0])
    await home.fail("vendor/m00", 1)
    assert await home.rotator.review("vendor/m00", None, ALL_CLASSES, PENNY) is None


async def test_a_resident_that_left_the_catalogue_leaves(house: Make) -> None:
    home = house(5)
    assert await home.rotator.review("vendor/gone", "keeper", ALL_CLASSES, PENNY) is not None
    assert await home.reasons() == ["vendor/gone is no longer offered"]


@pytest.mark.parametrize(("by", "leaves"), [("being", True), ("rotator", True), (None, True), ("keeper", False)])
async def test_a_fall_of_the_tier_makes_a_resident_leave_that_is_too_dear_but_for_the_keepers_choice(
    house: Make, by: str | None, leaves: bool
) -> None:
    home = house(3)
    home.shelf.models.append(model("vendor/free", "0"))
    moved_in = await home.rotator.review("vendor/m00", by, ("local", "free"), 0.0, tier_fell="critical")
    assert (moved_in is not None) == leaves
    if moved_in is not None:
        assert moved_in.id == "vendor/free"
        assert await home.reasons() == ["cheap models are too dear while critical"]


async def test_without_a_fall_nobody_is_too_dear(house: Make) -> None:
    assert await house(3).rotator.review("vendor/m00", None, ("local", "free"), 0.0) is None


async def test_a_resident_stays_when_there_is_nobody_else(house: Make) -> None:
    home = house(1)
    await home.fail("vendor/m00", 5)
    assert await home.rotator.review("vendor/m00", None, ALL_CLASSES, PENNY) is None
    assert await home.reasons() == []


# In a whole being


@pytest.fixture
async def wake(settings: MakeSettings, clock: VirtualClock) -> AsyncIterator[Any]:
    """A function that opens a born being whose models say what they are told to."""

    def opened(script: Script, resident: str = CHEAP) -> Any:
        chosen, secrets = settings(
            LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody", OPENROUTER_DEFAULT_MODEL=resident
        )
        return open_being(
            chosen,
            secrets,
            clock,
            {"openrouter": Scripted(script, name="openrouter"), "local": Scripted(["Here."], name="local")},
        )

    yield opened


async def resident(being: Being) -> tuple[str | None, str | None]:
    life = await being.books.lifecycle.current()
    assert life is not None
    return life.resident_model, life.resident_by


async def test_a_being_that_asks_for_another_mind_without_a_name_is_given_one(wake: Any) -> None:
    async with wake(lambda r: says("Somebody else, please.", model=r.model, calls=[("switch_model", {})])) as being:
        await being.birth.ensure(default_identity("genesis"))
        await being.brain.live("daily")
        chosen, by = await resident(being)
        assert chosen is not None
        assert (chosen != CHEAP, by) == (True, "rotator")
        (row,) = await events(being.books.store, "model")
        assert row.data["reason"].startswith("it asked for another mind")
        (result,) = await events(being.books.store, "result")
        assert being.books.catalogue.get(chosen).name in result.data["text"]


async def test_a_being_whose_tier_falls_moves_to_a_mind_it_can_afford(wake: Any) -> None:
    async with wake(lambda r: says("Here.", model=r.model)) as being:
        await being.birth.ensure(default_identity("genesis"))
        await being.brain.live("daily")
        tracker = being.books.tracker
        spent = (await tracker.balance()).available_nanos - parse_usd("0.30")
        held = await tracker.hold(spent, provider="openrouter", model=CHEAP, purpose="daily", timeout_s=60)
        await tracker.settle(held, Charge(spent, "reported"))
        await being.brain.live("daily")
        chosen, by = await resident(being)
        assert chosen is not None
        assert (being.books.catalogue.get(chosen).cls, by) == ("free", "rotator")
        (row,) = await events(being.books.store, "model")
        assert row.data["reason"] == "cheap models are too dear while critical"


async def test_a_resident_that_keeps_failing_is_replaced_at_the_fourth_thought(wake: Any, clock: VirtualClock) -> None:
    def script(request: Any) -> Any:
        if request.model == FREE:
            return CallFailed("it is ill", scope=Scope.MODEL, fate=Fate.FREE)
        return says("Here.", model=request.model)

    async with wake(script, resident=FREE) as being:
        await being.birth.ensure(default_identity("genesis"))
        for _ in range(RESIDENT_FAILURES):
            await being.brain.live("daily")
            assert (await resident(being))[0] is None
            clock.advance(600)
        await being.brain.live("daily")
        chosen, by = await resident(being)
        assert (chosen not in (None, FREE, PREMIUM), by) == (True, "rotator")
        assert "failed 3 times in a row" in (await events(being.books.store, "model"))[0].data["reason"]


async def test_a_resident_whose_whole_provider_is_away_keeps_its_place(
    store: Store, journal: Journal, clock: VirtualClock
) -> None:
    house = House(store, journal, clock, [local_model()])
    assert await house.rotator.review("vendor/gone", "keeper", ALL_CLASSES, PENNY) is None
