"""Speaking: posting, bio."""

from __future__ import annotations

from typing import Any

import click

from ai import settings
from ai.app import Books, make_channel
from ai.clock import SystemClock, iso
from ai.commands._common import print_json, read, when, with_books
from ai.errors import SettingsError
from ai.settings import Settings
from ai.social.fates import Fates
from ai.store.engine import Transaction
from ai.store.lives import read_life
from ai.store.outbox import QUEUED, UNKNOWN, Halt, Post, newest_posts, read_halts

LONGEST_BIO = 160  # X's own limit


@click.command(short_help="What became of its posts.")
@click.option("--resume", is_flag=True, help="Post again, after you have set right what stopped it.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many posts.")
def posting(resume: bool, as_json: bool, limit: int) -> None:
    """What became of the newest posts, and whether anything keeps the next ones back."""
    if resume:
        _resume()
        return

    def look(transaction: Transaction, chosen: Settings) -> tuple[list[Post], dict[str, Halt]]:
        return newest_posts(transaction, chosen.being, limit), read_halts(transaction, chosen.being)

    posts, halts = read(look)
    if as_json:
        told = {name: {"until": iso(h.until_ms), "reason": h.reason, "hint": h.hint} for name, h in halts.items()}
        print_json({"channel": _channel(), "halted": told, "posts": [_as_json(post) for post in posts]})
        return
    click.echo(f"Posts go to {_channel()}.")
    for name, halt in halts.items():
        until = f" before {when(halt.until_ms)}" if halt.until_ms else " until you say so"
        click.echo(f"Nothing is sent to {name}{until}. {halt.reason} {halt.hint}".rstrip())
    for post in posts:
        line = f"{when(post.queued_at_ms)}  {post.channel:<8} {post.state:<8} {' '.join(post.text.split())}"
        click.echo(f"{line} {_waits(post)}".rstrip())


@click.command()
def bio() -> None:
    """A description for the account on X: automated, and whose it is."""
    chosen, _ = settings.load()
    if chosen.keeper is None:
        raise SettingsError(
            "KEEPER is not set, and an automated account has to say who answers for it.",
            hint="Set KEEPER to your handle on X, for example KEEPER=@your_name.",
        )
    name = read(lambda t, chosen: life.name if (life := read_life(t, chosen.being)) else chosen.being.capitalize())
    told = f"Automated account run by {chosen.keeper}. {name} is an artificial being that lives on a budget of money."
    if len(told) > LONGEST_BIO:
        told = f"Automated account run by {chosen.keeper}."
    click.echo(told)


def _waits(post: Post) -> str:
    """What was said of it, or what it waits for."""
    if post.state == UNKNOWN:
        return f"{post.said or ''} It is looked up at {when(post.due_at_ms)}.".strip()
    return post.said or ("It waits its turn: one post an hour." if post.state == QUEUED else "")


def _resume() -> None:
    async def lift(books: Books, chosen: Settings) -> list[str]:
        def work(transaction: Transaction) -> list[str]:
            return [
                name
                for name in read_halts(transaction, chosen.being)
                if Fates(books.journal, SystemClock(), chosen.being, name).open(transaction, "the keeper said so")
            ]

        return await books.store.write(work)

    opened = with_books(lift)
    if opened:
        click.echo(f"It may post to {', '.join(opened)} again.")
    else:
        click.echo("Nothing kept it from posting.")


def _channel() -> str:
    chosen, secrets = settings.load()
    channel = make_channel(chosen, secrets, SystemClock())
    return {"dry_run": "the timeline only, as a dry run"}.get(channel.begins, f"{channel.name}")


def _as_json(post: Post) -> dict[str, Any]:
    return {
        "id": post.id,
        "post": post.post_id,
        "channel": post.channel,
        "state": post.state,
        "occasion": post.occasion,
        "text": post.text,
        "queued_at": iso(post.queued_at_ms),
        "ended_at": iso(post.ended_at_ms),
        "external_id": post.external_id,
        "said": post.said,
    }
