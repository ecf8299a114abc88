"""Choosing: models, switch."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ai.app import Books, default_model
from ai.clock import from_ms
from ai.commands._common import print_json, with_books
from ai.commands.model_table import Looking, as_json, page, table
from ai.economy.tiers import BY_NAME, COMFORTABLE, Tier
from ai.errors import FundsError
from ai.llm.failures import without_details
from ai.models.model_config import ModelInfo
from ai.settings import Settings


@click.command(short_help="The models there are, and why not each.")
@click.option("--json", "json_wanted", is_flag=True, help="As JSON, for programs.")
@click.option("--markdown", is_flag=True, help="The packaged models of OpenRouter, as docs/OPENROUTER_MODELS.md.")
def models(json_wanted: bool, markdown: bool) -> None:
    """The models there are, which of them this balance allows, and why not the others."""
    if markdown:
        click.echo(page(), nl=False)
        return

    async def look(books: Books, chosen: Settings) -> tuple[list[ModelInfo], Looking]:
        tier, resident = await _tier_and_resident(books, chosen)
        listed = books.catalogue.all()
        spare, today = await _spare_nanos(books), books.catalogue.today
        return listed, Looking(tier, spare, today, resident, _resting(books, listed))

    listed, looking = with_books(look)
    if json_wanted:
        print_json([as_json(model, looking) for model in listed])
        return
    click.echo(table(listed, looking))


@click.command(short_help="Change the resident model.")
@click.argument("model")
def switch(model: str) -> None:
    """Make MODEL, a full id, the resident model: it thinks the daily thoughts from the next one on."""

    async def change(books: Books, chosen: Settings) -> ModelInfo:
        tier, _ = await _tier_and_resident(books, chosen)
        wanted = books.catalogue.choose(model, tier.classes, await _spare_nanos(books))
        await books.lifecycle.settle_in(wanted.id, by="keeper", reason="the keeper chose so")
        return wanted

    click.echo(f"From the next thought on, {with_books(change).name} thinks.")


def _resting(books: Books, listed: Sequence[ModelInfo]) -> dict[str, str]:
    """By id, until when a model is left alone after a failure, and why."""
    over = {model.id: books.cooldowns.over(model) for model in listed}
    return {
        name: f"{from_ms(c.until_ms):%d %b %H:%M} UTC ({without_details(c.reason)})" for name, c in over.items() if c
    }


async def _spare_nanos(books: Books) -> int | None:
    """What there is to spend, or None when no account was ever opened: then the first thought opens it."""
    try:
        return (await books.tracker.balance()).available_nanos
    except FundsError:
        return None


async def _tier_and_resident(books: Books, chosen: Settings) -> tuple[Tier, str]:
    life = await books.lifecycle.current()
    tier = BY_NAME[life.tier] if life and life.tier else COMFORTABLE
    return tier, await books.lifecycle.resident() or default_model(chosen)
