"""Choosing: models, switch."""

from __future__ import annotations

from decimal import Decimal

import click

from ai.app import Books, default_model
from ai.commands._common import print_json, with_books
from ai.economy.tiers import BY_NAME, COMFORTABLE, Tier
from ai.models.model_config import ModelInfo
from ai.models.pricing import PER_MILLION
from ai.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def models(as_json: bool) -> None:
    """The models there are, and which of them this balance allows."""

    async def look(books: Books, chosen: Settings) -> tuple[list[ModelInfo], Tier, str]:
        tier, resident = await _tier_and_resident(books, chosen)
        return books.catalogue.all(), tier, resident

    listed, tier, resident = with_books(look)
    if as_json:
        print_json([_as_json(model, tier, resident) for model in listed])
        return
    for model in listed:
        mark = "→" if model.id == resident else " "
        allowed = "" if model.cls in tier.classes else f"  (not while {tier.name})"
        price = _per_million(model)
        click.echo(
            f"{mark} {model.id:<48} {model.cls or 'unknown':<12} {model.intelligence:>2}/10 {price:>17}{allowed}"
        )


@click.command()
@click.argument("model")
def switch(model: str) -> None:
    """Make MODEL, a full id, the resident model: it thinks the daily thoughts from the next one on."""

    async def change(books: Books, chosen: Settings) -> ModelInfo:
        tier, _ = await _tier_and_resident(books, chosen)
        wanted = books.catalogue.choose(model, tier.classes)
        await books.lifecycle.settle_in(wanted.id, by="keeper", reason="the keeper chose so")
        return wanted

    click.echo(f"From the next thought on, {with_books(change).name} thinks.")


async def _tier_and_resident(books: Books, chosen: Settings) -> tuple[Tier, str]:
    life = await books.lifecycle.current()
    tier = BY_NAME[life.tier] if life and life.tier else COMFORTABLE
    return tier, await books.lifecycle.resident() or default_model(chosen)


def _as_json(model: ModelInfo, tier: Tier, resident: str) -> dict[str, object]:
    price = model.price
    return {
        "id": model.id,
        "name": model.name,
        "provider": model.provider,
        "class": model.cls,
        "intelligence": model.intelligence,
        "prompt_per_million": None if price is None else _decimal(price.prompt),
        "completion_per_million": None if price is None else _decimal(price.completion),
        "allowed": model.cls in tier.classes,
        "resident": model.id == resident,
    }


def _per_million(model: ModelInfo) -> str:
    if model.price is None:
        return "price unknown"
    return "free" if model.price.free else f"${_decimal(model.price.prompt)} / ${_decimal(model.price.completion)}"


def _decimal(price: Decimal) -> str:
    return f"{(price * PER_MILLION).normalize():f}"
