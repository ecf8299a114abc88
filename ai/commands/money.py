"""Money: topup, adjust."""

from __future__ import annotations

import uuid

import click

from ai.app import Books
from ai.commands._common import with_books
from ai.economy.money import parse_usd, short
from ai.settings import Settings


@click.command(short_help="Credit the account.")
@click.argument("amount")
@click.option("--note", default="", help="A word about it, shown in the journal.")
@click.option("--id", "external_id", default=None, help="The same id twice credits once.")
def topup(amount: str, note: str, external_id: str | None) -> None:
    """Credit the account with AMOUNT US dollars, for example 5 or 2.50."""
    nanos = parse_usd(amount)

    async def credit(books: Books, _: Settings) -> tuple[bool, int]:
        credited = await books.tracker.topup(nanos, note=note, external_id=external_id or uuid.uuid4().hex)
        return credited, (await books.tracker.balance()).available_nanos

    credited, available_nanos = with_books(credit)
    did = f"Credited {short(nanos)}." if credited else f"“{external_id}” was credited before; nothing was added."
    click.echo(f"{did} {short(available_nanos, 4)} is available now.")


@click.command(
    short_help="Correct the books, either way.", context_settings={"ignore_unknown_options": True}
)  # so that -2.50 is an amount, not an option
@click.argument("amount")
@click.option("--note", required=True, help="Why; it stands in the ledger.")
def adjust(amount: str, note: str) -> None:
    """Correct the books by AMOUNT US dollars, either way, for example -0.25."""
    nanos = parse_usd(amount)

    async def correct(books: Books, _: Settings) -> int:
        await books.tracker.adjust(nanos, note=note)
        return (await books.tracker.balance()).available_nanos

    click.echo(f"Corrected by {short(nanos, 4)}. {short(with_books(correct), 4)} is available now.")
