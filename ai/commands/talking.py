"""Talking to it: say."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from ai.app import Books
from ai.clock import SystemClock
from ai.commands._common import read, with_books
from ai.settings import Settings
from ai.store.messages import reply_to
from ai.store.state import STOPPED_AFTER_S, read_state

LOOK_EVERY_S = 0.25


@click.command()
@click.argument("text")
@click.option("--wait", "wait_s", type=click.FloatRange(0), help="Wait so many seconds for its answer and print it.")
def say(text: str, wait_s: float | None) -> None:
    """Say TEXT to the being. Exits 1 when an answer was waited for and did not come in time."""

    async def hear(books: Books, _: Settings) -> int:
        return await books.inbox.hear(text)

    number = with_books(hear)
    if why := read(lambda t, chosen: _deaf(read_state(t, chosen.being, SystemClock().now()))):
        click.echo(why, err=True)
    if wait_s is None:
        return
    answer = _await_answer(number, wait_s)
    if answer is None:
        click.echo(f"No answer came within {wait_s:g} s; it may still come: `alive logs --kind reply`.", err=True)
        sys.exit(1)
    click.echo(answer)


def _deaf(state: dict[str, Any]) -> str:
    """Why it does not hear a message now, or nothing."""
    age_s = state["heartbeat_age_s"]
    if age_s is None or age_s > STOPPED_AFTER_S:
        return "Nobody runs it now: your message is kept until somebody does."
    if state["life"]["state"] == "paused":
        return "It is paused: your message is kept until `alive resume`."
    return "It is dead: your message is kept for its next life." if state["life"]["state"] == "dead" else ""


def _await_answer(number: int, wait_s: float) -> str | None:
    until_s = time.monotonic() + wait_s
    while True:
        answer = read(lambda t, chosen: reply_to(t, chosen.being, number))
        left_s = until_s - time.monotonic()
        if answer is not None or left_s <= 0:
            return answer
        time.sleep(min(LOOK_EVERY_S, left_s))
