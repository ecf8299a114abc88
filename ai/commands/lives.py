"""Beginning, ending and interrupting a life: birth, kill, pause, resume."""

from __future__ import annotations

import asyncio

import click

import vault
from ai import log, settings
from ai.app import open_being
from ai.commands._common import nobody_runs_it, with_books
from ai.errors import InstanceHeld
from ai.settings import Settings

BY_KEEPER = "its keeper ended it"


@click.command()
def birth() -> None:
    """Begin the first life, or the next one after a death."""
    chosen, secrets = settings.load()
    log.set_up(chosen.log_format, vault.Redactor(secrets))
    try:
        name = asyncio.run(_bear(chosen, secrets))
    except InstanceHeld:
        with_books(lambda books, _: books.lifecycle.plan_birth())
        click.echo("The next life begins within a second or two.")
        return
    click.echo(f"{name} is born. `alive up` lets it think.")


@click.command()
@click.option("--cause", default=BY_KEEPER, show_default=True, help="What it dies of, for its obituary.")
def kill(cause: str) -> None:
    """End the present life. The books live on; by REBIRTH_SECONDS another life follows."""
    cause = " ".join(cause.split())[:200] or BY_KEEPER
    with_books(lambda books, _: books.lifecycle.die(cause))
    click.echo(f"It is over ({cause}).")


@click.command()
def pause() -> None:
    """Stop thinking until `alive resume`; nothing is spent meanwhile."""
    with_books(lambda books, _: books.lifecycle.pause("its keeper paused it"))
    click.echo("It thinks no more until `alive resume`.")


@click.command()
def resume() -> None:
    """Go on thinking."""
    with_books(lambda books, _: books.lifecycle.resume("its keeper resumed it"))
    click.echo("It thinks again, once somebody runs it: `alive up`." if nobody_runs_it() else "It thinks again.")


async def _bear(chosen: Settings, secrets: vault.Secrets) -> str:
    async with open_being(chosen, secrets) as being:
        return (await being.afterlife.next_life()).name
