"""Choosing: models, switch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import click

from ai.app import Books, default_model
from ai.commands._common import print_json, with_books
from ai.commands.model_table import as_json, page, table
from ai.economy.tiers import BY_NAME, COMFORTABLE, Tier
from ai.models.model_config import ModelInfo
from ai.settings import Settings

RESTING: Mapping[str, str] = {}  # model id → until when and why it is not asked


@click.command()
@click.option("--json", "json_wanted", is_flag=True, help="As JSON, for programs.")
@click.option("--markdown", is_flag=True, help="The packaged models of OpenRouter, as docs/OPENROUTER_MODELS.md.")
def models(json_wanted: bool, markdown: bool) -> None:
    """The models there are, which of them this balance allows, and why not the others."""
    if markdown:
        click.echo(page(), nl=False)
        return

    async def look(books: Books, chosen: Settings) -> tuple[list[ModelInfo], Tier, str, date]:
        tier, resident = await _tier_and_resident(books, chosen)
        return books.catalogue.all(), tier, resident, books.catalogue.today

    listed, tier, resident, today = with_books(look)
    if json_wanted:
        print_json([as_json(model, tier, resident, today, RESTING) for model in listed])
        return
    click.echo(table(listed, tier, resident, today, RESTING))


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
