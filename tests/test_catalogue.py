"""The catalogue: what is free, what is unknown, which class a price is, and which names are near."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ai.clock import VirtualClock
from ai.errors import ModelChoiceError, ModelFailure
from ai.models.catalogue import Catalogue, packaged
from ai.models.model_config import local_model
from ai.models.pricing import parse_prices
from ai.models.refresher import EVERY_S, RETRY_S, Refresher
from ai.store.engine import Store
from tests.openrouter_server import CATALOGUE
from tests.parts import BEING, CHEAP, FREE, LOCAL, PREMIUM, until

PAID = {"prompt": "0.000001", "completion": "0.000002"}

# What each pricing means: a class, or None where nobody knows.
PRICES: list[tuple[str, dict[str, Any], str | None]] = [
    ("v/m:free", {"prompt": "0", "completion": "0"}, "free"),
    ("v/m:free", PAID, "free"),
    ("V/M:FREE", {}, "free"),
    ("v/m", {"prompt": "0", "completion": "0"}, "free"),
    ("v/m", {"prompt": "0.0", "completion": "0e-9", "request": "0"}, "free"),
    ("v/m", {"prompt": "0", "completion": "0", "request": "0.005"}, "ultra_cheap"),
    ("v/m:freedom", PAID, "cheap"),
    ("v/free", PAID, "cheap"),
    ("v/m:free:beta", PAID, "cheap"),
    ("v/m", {}, None),
    ("v/m", {"prompt": "0"}, None),
    ("v/m", {"completion": "0"}, None),
    ("v/m", {"prompt": None, "completion": "0"}, None),
    ("v/m", {"prompt": "", "completion": "0"}, None),
    ("v/m", {"prompt": "-1", "completion": "-1"}, None),
    ("v/m", {"prompt": "0", "completion": "-0.000001"}, None),
    ("v/m", {"prompt": "NaN", "completion": "0"}, None),
    ("v/m", {"prompt": "Infinity", "completion": "0"}, None),
    ("v/m", {"prompt": "cheap", "completion": "0"}, None),
    ("v/m", PAID | {"request": "-1"}, None),
    ("v/m", {"prompt": "0.00000015", "completion": "0.00000015"}, "ultra_cheap"),
    ("v/m", {"prompt": "0.00000016", "completion": "0.00000016"}, "cheap"),
    ("v/m", {"prompt": "0.000002", "completion": "0.000002"}, "cheap"),
    ("v/m", {"prompt": "0.0000021", "completion": "0.0000021"}, "premium"),
]


def entry(model_id: str, pricing: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": model_id, "name": model_id, "context_length": 8192, "pricing": pricing} | more


@pytest.fixture
async def catalogue(store: Store, clock: VirtualClock) -> Catalogue:
    catalogue = Catalogue(store, clock, BEING, "openrouter", local_model())
    await catalogue.load()
    return catalogue


@pytest.mark.parametrize(("model_id", "pricing", "cls"), PRICES)
async def test_a_model_is_free_only_by_its_suffix_or_by_two_explicit_zeros_and_unknown_is_not_free(
    catalogue: Catalogue, model_id: str, pricing: dict[str, Any], cls: str | None
) -> None:
    await catalogue.update([entry(model_id, pricing)])
    model = catalogue.get(model_id)
    assert model.cls == cls
    assert (model.price is None) == (cls is None)
    if cls is None:
        with pytest.raises(ModelChoiceError, match="unknown is not free"):
            catalogue.choose(model_id, ("local", "free", "ultra_cheap", "cheap", "premium"))


async def test_every_kind_of_real_entry_is_understood(catalogue: Catalogue) -> None:
    models = {model.id: model for model in CATALOGUE}
    await catalogue.update([model.to_json(models) for model in CATALOGUE])
    classes = {model.id: model.cls for model in catalogue.all()}
    assert classes.keys() == {*models, LOCAL}
    assert (classes[FREE], classes[CHEAP], classes[PREMIUM], classes[LOCAL]) == ("free", "cheap", "premium", "local")
    assert classes["openrouter/pony-alpha"] == "free"
    assert classes["acme/atlas:freedom"] == "ultra_cheap"
    assert classes["openrouter/auto"] is None
    assert catalogue.get("openai/gpt-oss-20b").reasons
    assert not catalogue.get("google/gemma-3-4b-it:free").supports_tools


async def test_the_packaged_models_are_there_without_any_network(catalogue: Catalogue) -> None:
    assert {model.cls for model in catalogue.all()} >= {"local", "free", "ultra_cheap", "cheap", "premium"}


async def test_the_last_good_list_is_kept_for_the_next_start(
    catalogue: Catalogue, store: Store, clock: VirtualClock
) -> None:
    await catalogue.update([entry("v/only", PAID)])
    again = Catalogue(store, clock, BEING, "openrouter", local_model())
    await again.load()
    assert [model.id for model in again.all()] == [LOCAL, "v/only"]


async def test_entries_that_make_no_sense_are_left_out_and_the_others_are_kept(catalogue: Catalogue) -> None:
    nonsense: list[Any] = [{}, {"id": None}, {"id": 7}, "model", None, entry("v/odd", {}) | {"pricing": "free"}]
    await catalogue.update([*nonsense, entry("v/good", PAID)])
    assert catalogue.find("v/good") is not None
    odd = catalogue.find("v/odd")
    assert odd is None or odd.cls is None


async def test_with_the_local_provider_there_is_only_the_local_model(store: Store, clock: VirtualClock) -> None:
    catalogue = Catalogue(store, clock, BEING, "local", local_model())
    await catalogue.load()
    assert [model.id for model in catalogue.all()] == [LOCAL]
    catalogue = Catalogue(store, clock, BEING, "local", None)
    await catalogue.load()
    assert catalogue.all() == []


async def test_models_are_listed_from_the_cheapest_to_those_nobody_can_price(catalogue: Catalogue) -> None:
    await catalogue.update([entry("v/b", PAID), entry("v/?", {}), entry("v/a:free", {}), entry("v/c", PAID)])
    assert [model.id for model in catalogue.all()] == [LOCAL, "v/a:free", "v/b", "v/c", "v/?"]


async def test_an_unknown_name_is_answered_with_the_nearest_ones(catalogue: Catalogue) -> None:
    with pytest.raises(
        ModelChoiceError, match=r"no model “anthropic/claude-3-haikku”.*Nearest: anthropic/claude-3-haiku"
    ):
        catalogue.choose("anthropic/claude-3-haikku", ("cheap",))
    with pytest.raises(ModelChoiceError, match="alive models"):
        catalogue.get("?????")


async def test_a_model_too_dear_is_answered_with_those_that_are_not(catalogue: Catalogue) -> None:
    with pytest.raises(
        ModelChoiceError, match=r"premium models are too dear at this balance\. Affordable: "
    ) as refused:
        catalogue.choose(PREMIUM, ("local", "free"))
    assert all(model.id in str(refused.value) for model in catalogue.affordable(("local", "free"), 3))
    assert catalogue.choose(FREE, ("local", "free")).id == FREE


async def test_the_most_intelligent_affordable_models_come_first(catalogue: Catalogue) -> None:
    ratings = [model.intelligence for model in catalogue.affordable(("local", "free"), 3)]
    assert len(ratings) == 3
    assert ratings == sorted(ratings, reverse=True)
    assert all(1 <= rating <= 10 for rating in ratings)


async def test_the_first_systems_resident_is_called_as_its_log_lines_call_it(catalogue: Catalogue) -> None:
    model = catalogue.get(FREE)
    assert (model.name, model.intelligence) == ("Qwen3 Coder", 6)


async def test_the_cheapest_paid_call_is_found_among_paid_models_only(catalogue: Catalogue) -> None:
    await catalogue.update(
        [
            entry("v/free:free", {}),
            entry("v/unknown", {}),
            entry("v/flat", {"prompt": "0", "completion": "0", "request": "0.001"}),
            entry("v/dear", {"prompt": "0.00001", "completion": "0.00001"}),
        ]
    )
    assert catalogue.cheapest_call_nanos(1_000, 100) == 1_000_000
    await catalogue.update([entry("v/free:free", {}), entry("v/unknown", {})])
    assert catalogue.cheapest_call_nanos(1_000, 100) == 0


ALL = ("local", "free", "ultra_cheap", "cheap", "premium")
UNFIT: list[tuple[str, dict[str, Any], str]] = [
    ("v/old", {"expiration_date": "2026-11-20"}, "expired on 2026-11-20"),
    ("v/picture", {"architecture": {"output_modalities": ["image"]}}, "does not answer in text"),
    ("v/alias", {"alias_target": {"slug": "v/m", "name": "M"}}, "only a name for other models"),
    ("~v/m-latest", {}, "only a name for other models"),
    ("openrouter/free", {"pricing": {"prompt": "0", "completion": "0"}}, "only a name for other models"),
    ("openrouter/auto", {}, "only a name for other models"),
    ("v/text-embedding-3", {}, "does not answer in text"),
]


@pytest.mark.parametrize(("model_id", "more", "reason"), UNFIT)
async def test_what_cannot_think_is_listed_but_never_picked(
    catalogue: Catalogue, model_id: str, more: dict[str, Any], reason: str
) -> None:
    await catalogue.update([entry(model_id, PAID) | more, entry("v/dear", {"prompt": "0.00001", "completion": "0"})])
    picked = [*catalogue.affordable(ALL, 9), *catalogue.pool(ALL), *catalogue.free(ALL)]
    picked += catalogue.cheaper(catalogue.get("v/dear"), ALL)
    assert model_id in [model.id for model in catalogue.all()]
    assert model_id not in [model.id for model in picked]
    assert catalogue.cheapest_call_nanos(1_000, 0) == 10_000_000
    with pytest.raises(ModelChoiceError, match=rf"cannot be chosen: .*{reason}.*Affordable: v/dear"):
        catalogue.choose(model_id, ("premium",))


async def test_a_model_may_think_until_its_last_day_is_over(catalogue: Catalogue, clock: VirtualClock) -> None:
    await catalogue.update([entry("v/old", PAID) | {"expiration_date": "2026-11-21T00:00:00Z"}])
    assert catalogue.choose("v/old", ALL).id == "v/old"
    clock.advance(12 * 3600)
    assert catalogue.best(("cheap",)) is None


async def test_what_an_entry_says_a_model_can_do_is_understood(catalogue: Catalogue) -> None:
    said = {
        "supported_parameters": ["tools", "response_format", "reasoning"],
        "reasoning": {"mandatory": True, "supported_efforts": ["high", "low", "none", "later"]},
        "top_provider": {"context_length": 4_000, "max_completion_tokens": 512},
    }
    await catalogue.update([entry("v/able", PAID) | said, entry("v/bare", PAID)])
    able, bare = catalogue.get("v/able"), catalogue.get("v/bare")
    assert (able.supports_tools, able.supports_schema, able.reasons) == (True, True, True)
    assert (able.efforts, able.context_tokens, able.max_completion_tokens) == (("low", "high"), 4_000, 512)
    assert (bare.supports_tools, bare.supports_schema, bare.reasons, bare.efforts) == (False, False, False, ())
    assert bare.max_completion_tokens is None
    assert catalogue.get(LOCAL).supports_schema


async def test_no_list_of_efforts_means_that_all_are_accepted(catalogue: Catalogue) -> None:
    said = {"supported_parameters": ["reasoning"], "reasoning": {"mandatory": False, "supported_efforts": None}}
    await catalogue.update([entry("v/able", PAID) | said])
    assert catalogue.get("v/able").efforts == ("minimal", "low", "medium", "high", "xhigh", "max")


async def test_cheaper_models_come_best_first_and_none_is_free_or_as_dear(catalogue: Catalogue) -> None:
    than = catalogue.get(CHEAP)
    found = catalogue.cheaper(than, ALL)
    assert found
    assert {model.cls for model in found} <= {"ultra_cheap", "cheap"}
    assert all(model.price and model.price.blended_per_million < Decimal("0.5") for model in found)
    assert [model.intelligence for model in found] == sorted((model.intelligence for model in found), reverse=True)
    assert catalogue.cheaper(found[-1], ()) == []
    assert catalogue.cheaper(catalogue.get(FREE), ALL) == []
    assert catalogue.cheaper(catalogue.get("openrouter/auto"), ALL) == []


async def test_of_equals_the_cheapest_is_cheaper_best(catalogue: Catalogue) -> None:
    half = {"prompt": "0.0000005", "completion": "0.000001"}
    await catalogue.update([entry("v/dear", PAID), entry("v/b", half), entry("v/a", half), entry("v/opus", half)])
    assert [model.id for model in catalogue.cheaper(catalogue.get("v/dear"), ALL)] == ["v/opus", "v/a", "v/b"]


async def test_free_models_are_the_remote_ones_the_most_intelligent_first(catalogue: Catalogue) -> None:
    free = catalogue.free(ALL)
    assert {model.cls for model in free} == {"free"}
    assert free[0].intelligence == max(model.intelligence for model in free)
    assert catalogue.free(("local", "premium")) == []
    local = catalogue.local()
    assert local is not None
    assert local.id == LOCAL


async def test_the_fast_model_is_the_best_of_the_quick_ones(catalogue: Catalogue) -> None:
    fast = catalogue.fast(("ultra_cheap",))
    assert fast is not None
    assert fast.fast
    assert fast.cls == "ultra_cheap"
    await catalogue.update([entry("v/gemini-pro", PAID), entry("v/minimax", PAID), entry("v/llama-70b", PAID)])
    assert catalogue.fast(ALL) is None
    quick = ("a-flash", "b-8b", "claude-haiku-9", "gpt-4o-mini")
    await catalogue.update([entry(f"v/{name}", PAID, supported_parameters=["structured_outputs"]) for name in quick])
    assert catalogue.fast(ALL) == catalogue.get("v/claude-haiku-9")


async def test_the_pool_of_residents_is_by_id_and_local_only_when_there_is_nothing_else(catalogue: Catalogue) -> None:
    pool = [model.id for model in catalogue.pool(("local", "free"))]
    assert pool == sorted(pool)
    assert FREE in pool
    assert LOCAL not in pool
    await catalogue.update([entry("v/unknown", {})])
    assert [model.id for model in catalogue.pool(ALL)] == [LOCAL]


@pytest.mark.parametrize(
    ("provider", "wanted", "cls"),
    [
        ("openai", "gpt-4o-mini", "cheap"),
        ("gemini", "gemini-2.5-flash", "cheap"),
        ("groq", "llama-3.3-70b-versatile", "cheap"),
    ],
)
async def test_a_provider_without_prices_is_priced_by_what_it_publishes(
    store: Store, clock: VirtualClock, provider: str, wanted: str, cls: str
) -> None:
    catalogue = Catalogue(store, clock, BEING, provider, None)
    await catalogue.load()
    before = catalogue.get(wanted)
    assert (before.cls, before.supports_tools, before.provider) == (cls, True, provider)
    assert before.context_tokens >= 128_000
    prefix = "models/" if provider == "gemini" else ""
    listed = [{"id": f"{prefix}{wanted}", "object": "model"}, {"id": f"{prefix}brand-new"}, {"id": "whisper-large-v3"}]
    await catalogue.update(listed)
    assert catalogue.get(wanted) == before
    assert catalogue.get("brand-new").cls is None, "an unknown price is not free"
    assert catalogue.get("whisper-large-v3").unfit
    assert {model.id for model in catalogue.all()} == {wanted, "brand-new", "whisper-large-v3"}


async def test_the_keepers_own_prices_go_before_all_others(store: Store, clock: VirtualClock) -> None:
    prices = parse_prices("gpt-4o-mini=1/2, brand-new=0/0")
    catalogue = Catalogue(store, clock, BEING, "openai", None, prices=prices)
    await catalogue.update([{"id": "gpt-4o-mini"}, {"id": "brand-new"}, {"id": "gpt-4o"}])
    assert catalogue.get("gpt-4o-mini").price == prices["gpt-4o-mini"]
    assert [catalogue.get(name).cls for name in ("brand-new", "gpt-4o")] == ["free", "premium"]


async def test_on_the_keepers_own_machine_every_model_is_free(store: Store, clock: VirtualClock) -> None:
    catalogue = Catalogue(store, clock, BEING, "ollama", local_model(), everything_free=True)
    await catalogue.load()
    assert [model.id for model in catalogue.all()] == [LOCAL]
    await catalogue.update([{"id": "llama3.2:latest"}, {"id": "nomic-embed-text:latest"}])
    llama = catalogue.get("llama3.2:latest")
    assert (llama.cls, llama.supports_schema) == ("free", True)
    assert catalogue.best(("local", "free")) == llama
    assert catalogue.get("nomic-embed-text:latest").unfit


async def test_exact_decimals_of_a_list_are_kept_for_the_next_start(
    catalogue: Catalogue, store: Store, clock: VirtualClock
) -> None:
    await catalogue.update([entry("v/m", PAID | {"discount": Decimal("0.1"), "prompt": Decimal("0.0000012")})])
    again = Catalogue(store, clock, BEING, "openrouter", None)
    await again.load()
    assert again.get("v/m").price == catalogue.get("v/m").price


def test_the_packaged_list_is_of_the_providers_own_shape() -> None:
    listed = packaged("openrouter")
    assert len({each["id"] for each in listed}) == len(listed) >= 25
    for each in listed:
        priced = {key for key in each["pricing"] if key != "overrides"}
        assert all(isinstance(each["pricing"][key], str) for key in priced)
        assert {"id", "name", "context_length", "pricing", "supported_parameters"} <= each.keys()


class Listing:
    """A source whose list is whatever it was given last; an exception is raised."""

    def __init__(self) -> None:
        self.answer: list[Any] | Exception = [entry("v/first", PAID)]

    async def list_models(self) -> list[dict[str, Any]]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [None, {}, "model"],
        [entry("v/unknown", {})],
        [entry("openrouter/free", {"prompt": "0", "completion": "0"})],
        ModelFailure("The provider is down."),
    ],
    ids=["empty", "nonsense", "unpriced", "a router", "down"],
)
async def test_a_list_that_makes_no_sense_never_replaces_a_good_one(
    catalogue: Catalogue, clock: VirtualClock, answer: list[Any] | Exception
) -> None:
    source, heard, refreshed = Listing(), list[str](), list[str]()

    async def on_failure(exc: Exception) -> None:
        heard.append(str(exc))

    async def on_refresh() -> None:
        refreshed.append(",".join(model.id for model in catalogue.all()))

    refresher = Refresher(catalogue, source, clock, on_failure, on_refresh)
    await refresher.ensure("v/first")
    assert (refreshed, heard) == ([f"{LOCAL},v/first"], [])
    await refresher.ensure("v/first")
    source.answer = answer
    await refresher.ensure("v/second")
    assert len(refreshed) == len(heard) == 1
    assert catalogue.find("v/first") is not None
    source.answer = [entry("v/second", PAID)]
    await refresher.ensure("v/second")
    assert refreshed[1:] == [f"{LOCAL},v/second"]


async def test_the_list_is_read_at_the_start_then_daily_and_sooner_after_a_failure(
    catalogue: Catalogue, clock: VirtualClock
) -> None:
    source, events = Listing(), list[str]()

    async def on_failure(exc: Exception) -> None:
        events.append("failed")

    async def on_refresh() -> None:
        events.append("read")

    keeping = asyncio.create_task(Refresher(catalogue, source, clock, on_failure, on_refresh).keep())
    await until(lambda: events == ["read"])
    source.answer = []
    for seconds, expected in ((EVERY_S - 1, 1), (1, 2), (RETRY_S - 1, 2), (1, 3)):
        await settled()
        clock.advance(seconds)
        await settled()
        assert len(events) == expected
    assert events == ["read", "failed", "failed"]
    keeping.cancel()


async def settled() -> None:
    """Let everything that can go on without time passing do so."""
    for _ in range(50):
        await asyncio.sleep(0.001)
