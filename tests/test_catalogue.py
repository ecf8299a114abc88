"""The catalogue: what is free, what is unknown, which class a price is, and which names are near."""

from __future__ import annotations

from typing import Any

import pytest

from ai.clock import VirtualClock
from ai.errors import ModelChoiceError
from ai.models.catalogue import Catalogue
from ai.models.model_config import local_model
from ai.store.engine import Store
from tests.openrouter_server import CATALOGUE
from tests.parts import BEING, CHEAP, FREE, LOCAL, PREMIUM

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
    with pytest.raises(ModelChoiceError, match=r"is premium, too dear at this balance\. Affordable: ") as refused:
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
