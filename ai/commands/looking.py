"""Looking: status, budget, ledger, logs, token."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from ai import settings, voice
from ai.clock import SystemClock
from ai.commands._common import print_json, read, when
from ai.commands.biography import biography, read_facts
from ai.economy.money import parse_usd, short
from ai.economy.statement import entry_json, read_budget
from ai.economy.statement import ledger as read_ledger
from ai.errors import StoreMissing
from ai.store.journal import KINDS, Event, last_events, newest_number, read_events

FOLLOW_EVERY_S = 0.3
AS_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.command()
@AS_JSON
def status(as_json: bool) -> None:
    """How it is: a small biography."""
    facts = read(lambda t, chosen: read_facts(t, chosen.being, SystemClock().now()))
    if as_json:
        print_json(facts.state)
        return
    for line in biography(facts):
        click.echo(line)


@click.command()
@AS_JSON
def budget(as_json: bool) -> None:
    """The balance."""
    account = read(lambda t, chosen: read_budget(t, chosen.being))
    if as_json:
        print_json(account)
        return
    fraction = account["fraction"]
    share = "" if fraction is None else f" ({fraction:.0%}, {account['tier'] or 'not judged yet'})"
    click.echo(f"{click.style(_usd(account['available'], 4), bold=True)} available{share}")
    for name, meaning in (
        ("allowance", "granted this month"),
        ("topups", "topped up"),
        ("spent", "spent"),
        ("held", "held for a thought under way"),
        ("unknown", "held for a call whose cost nobody knows yet"),
        ("reserve", "set aside for the last words"),
    ):
        click.echo(f"{_usd(account[name], 4):>12}  {meaning}")
    click.echo(f"The month turns {when(account['resets_at'])}.")
    for row in account["by_model"]:
        click.echo(f"{_usd(row['spent'], 6):>12}  {row['model']} ({row['calls']} calls)")


@click.command()
@AS_JSON
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="How many entries.")
def ledger(as_json: bool, limit: int) -> None:
    """The newest entries of the ledger, newest first."""
    entries = read(lambda t, chosen: [entry_json(row) for row in read_ledger(t, chosen.being, limit)])
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        what = entry["model"] or entry["note"] or ""
        click.echo(f"{entry['id']:>6}  {when(entry['at'])}  {entry['kind']:<7} {entry['amount']:>15}  {what}".rstrip())


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on as things happen, until interrupted.")
@AS_JSON
@click.option("--kind", type=click.Choice(KINDS), help="Only events of this kind.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(0, 100_000), help="How many to begin with.")
def logs(follow: bool, as_json: bool, kind: str | None, limit: int) -> None:
    """The journal as lines, keeper's rows too."""
    events, newest = read(
        lambda t, chosen: (
            last_events(t, chosen.being, kind=kind, keeper=True, limit=limit),
            newest_number(t, chosen.being),
        )
    )
    while True:
        for event in events:
            newest = max(newest, event.id)
            _print_event(event.as_json(), [] if as_json else voice.lines(event), as_json)
        if not follow:
            return
        time.sleep(FOLLOW_EVERY_S)
        events = _events_after(newest, kind)


@click.command(short_help="Print OBSERVER_TOKEN.")
def token() -> None:
    """Print OBSERVER_TOKEN, which everything that writes through the page asks for."""
    from observer.token import observer_token

    chosen, secrets = settings.load()
    if not chosen.data_dir.is_dir():
        raise StoreMissing(f"There is no life in {chosen.data_dir} yet.", hint="Begin one with `alive up`.")
    click.echo(observer_token(chosen.data_dir, secrets.get("OBSERVER_TOKEN")).get_secret_value())


def _events_after(number: int, kind: str | None) -> list[Event]:
    return read(lambda t, chosen: read_events(t, chosen.being, after=number, kind=kind, keeper=True))


def _print_event(event: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(event, ensure_ascii=False))
    for line in lines:
        click.echo(f"{click.style(when(event['at']), dim=True)} {line}")


def _usd(amount: str, decimals: int) -> str:
    return short(parse_usd(amount), decimals)
