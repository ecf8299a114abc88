"""Simulating: will my $5 last with these models at this pace?"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from ai import settings
from ai.commands._common import print_json
from ai.economy.money import parse_usd, short
from ai.errors import StoreError
from ai.simulator import Month, Wish
from ai.simulator import simulate as live_a_month
from ai.store.engine import Store
from ai.store.model_lists import read_models

BARS = " ▁▂▃▄▅▆▇█"


@click.command(short_help="Live a month in seconds.")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366), help="How many days to live.")
@click.option("--budget", default="5", show_default=True, help="US dollars a month.")
@click.option("--interval", default=600.0, show_default=True, type=click.FloatRange(1), help="Seconds a thought.")
@click.option("--model", default=None, help="A model the being insists on; else the governor chooses.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same month.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def simulate(days: int, budget: str, interval: float, model: str | None, seed: int, as_json: bool) -> None:
    """Live a month in seconds, with the real code and a scripted model priced like the real one."""
    parse_usd(budget)
    wish = Wish(days, budget, interval, model, seed, _models())
    month = asyncio.run(live_a_month(wish, _progress if sys.stderr.isatty() and not as_json else lambda _: None))
    if as_json:
        print_json(month.as_json(wish))
        return
    _show(wish, month)


def _models() -> list[dict[str, Any]]:
    """The list this keeper's being has, if there is one; else the packaged one is taken."""
    chosen, _ = settings.load()

    async def ask() -> list[dict[str, Any]] | None:
        store = Store.open(chosen.data_dir, readonly=True)
        try:
            return await store.read(lambda t: read_models(t, chosen.being, "openrouter"))
        finally:
            store.close()

    try:
        return asyncio.run(ask()) or []
    except StoreError:
        return []


def _progress(day: int) -> None:
    click.echo(f"\rday {day} ", err=True, nl=False)


def _show(wish: Wish, month: Month) -> None:
    budget = parse_usd(wish.budget_usd)
    click.echo(
        f"{wish.days} days, {month.thoughts} thoughts, one every {wish.interval_s:g} s, on {short(budget)} a month"
    )
    click.echo("")
    for name, nanos, count in month.spent_by_model:
        click.echo(f"  {name:<48} {count:>6} thoughts {short(nanos, 4):>12}")
    click.echo("")
    chart = "".join(BARS[max(0, min(8, -(-left * 8 // budget)))] for left in month.balances_nanos) if budget else ""
    click.echo(f"  balance by day  │{chart}│")
    click.echo("  tiers           " + " → ".join(f"{tier} (day {day})" for day, tier in month.tiers))
    click.echo("")
    if month.ends_on_day is None:
        click.echo(f"The money lasts: {short(month.left_nanos, 4)} of {short(budget)} is left after {wish.days} days.")
    else:
        click.echo(f"The money ends on day {month.ends_on_day}. From then on it hibernates on free and local models.")
