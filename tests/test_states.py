"""The states of a being: the moves there are, that there are no others, and that all of it outlasts a restart."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vault
from ai import cli
from ai.clock import VirtualClock
from ai.errors import LifecycleError
from ai.life.identity import default_identity
from ai.life.lifecycle import Lifecycle
from ai.life.states import MOVES, Move, State, move
from ai.store.engine import Store
from ai.store.journal import Event, Journal
from ai.store.lives import read_life
from tests.parts import BEING, events, fresh_store

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)  # before whatever the clock of whoever runs the tests says

# Written by hand, so that the program's own table is held against something: state, move, the state it leads to.
TABLE = {
    "unborn": {"birth": "alive"},
    "alive": {"pause": "paused", "hibernate": "hibernating", "death": "dead"},
    "paused": {"resume": "alive", "death": "dead"},
    "hibernating": {"revive": "alive", "pause": "paused", "death": "dead"},
    "dead": {"birth": "alive"},
}
ROADS = {
    "unborn": [],
    "alive": ["birth"],
    "paused": ["birth", "pause"],
    "hibernating": ["birth", "hibernate"],
    "dead": ["birth", "death"],
}
EVENTS = ["birth", "pause", "resume", "hibernate", "revive", "death"]
KINDS = {"pause": "hibernation", "hibernate": "hibernation", "resume": "revival", "revive": "revival"}
EVERY = [(state, what) for state in TABLE for what in EVENTS]


class Being:
    """One being's lifecycle in one data directory; opening it again is a restart."""

    def __init__(self, data_dir: Path) -> None:
        self.store = Store.open(data_dir)
        clock = VirtualClock(LONG_AGO)
        journal = Journal(self.store, clock, BEING, vault.Redactor({}).json)
        self.lifecycle = Lifecycle(self.store, journal, clock, BEING, rebirth_s=(10, 60))

    async def undergo(self, what: str) -> None:
        lifecycle = self.lifecycle
        match what:
            case "birth":
                await lifecycle.begin(default_identity(BEING), "basic_facts")
            case "pause":
                await lifecycle.pause("a test paused it")
            case "resume":
                await lifecycle.resume("a test resumed it")
            case "hibernate":
                await self.store.write(lifecycle.go_broke)
            case "revive":
                await lifecycle.revive("a test woke it")
            case "death":
                await lifecycle.die("a test ended it")

    async def state(self) -> str:
        life = await self.lifecycle.current()
        return life.state if life else "unborn"

    async def journal(self) -> list[Event]:
        return await events(self.store)


async def brought_to(state: str, data_dir: Path) -> Being:
    being = Being(data_dir)
    for what in ROADS[state]:
        await being.undergo(what)
    assert await being.state() == state
    return being


def test_the_table_is_the_one_that_was_meant() -> None:
    assert {(str(state), str(what)): str(after) for (state, what), after in MOVES.items()} == {
        (state, what): after for state, moves in TABLE.items() for what, after in moves.items()
    }
    assert {str(state) for state in State} == TABLE.keys()
    assert [str(what) for what in Move] == EVENTS


@pytest.mark.parametrize(("state", "what"), EVERY)
def test_what_is_no_move_is_refused_in_one_sentence(state: str, what: str) -> None:
    if what in TABLE[state]:
        assert move(state, Move(what), "Genesis") == TABLE[state][what]
        return
    with pytest.raises(LifecycleError) as refusal:
        move(state, Move(what), "Genesis")
    said = str(refusal.value)
    assert said.startswith("Genesis")
    assert state in said
    assert said.count(".") == 1


@pytest.mark.parametrize(("state", "what"), EVERY)
async def test_every_event_in_every_state_is_a_move_with_its_cause_or_changes_nothing(
    state: str, what: str, data_dir: Path
) -> None:
    being = await brought_to(state, data_dir)
    before, life = await being.journal(), await being.lifecycle.current()
    after = TABLE[state].get(what)
    if after is None and what != "hibernate":  # that one is no request but a consequence: it does not happen, silently
        with pytest.raises(LifecycleError):
            await being.undergo(what)
    else:
        await being.undergo(what)
    new = (await being.journal())[len(before) :]
    if after is None:
        assert (new, await being.lifecycle.current()) == ([], life)
    else:
        (row,) = new
        assert row.kind == KINDS.get(what, what)
        assert row.data.get("cause") or row.data.get("reason") or row.data.get("number")
    being.store.close()
    again = Being(data_dir)  # a restart
    assert await again.state() == (after or state)
    again.store.close()


@settings(max_examples=40)
@given(st.lists(st.sampled_from([*EVENTS, "restart"]), max_size=25))
def test_the_numbers_of_lives_never_repeat_or_skip(steps: list[str]) -> None:
    async def live(data_dir: Path) -> None:
        being, paused_in = Being(data_dir), "alive"
        for step in steps:
            if step == "restart":
                being.store.close()
                being = Being(data_dir)
                continue
            before = await being.state()
            try:
                await being.undergo(step)
            except LifecycleError:
                assert step not in TABLE[before]
            if step == "pause" and "pause" in TABLE[before]:
                paused_in = before
            hibernates_on = (before, step, paused_in) == ("paused", "resume", "hibernating")
            assert await being.state() == ("hibernating" if hibernates_on else TABLE[before].get(step, before))
        rows = await being.journal()
        births = [row.data["number"] for row in rows if row.kind == "birth"]
        deaths = [row.data["number"] for row in rows if row.kind == "death"]
        assert births == list(range(1, len(births) + 1))
        assert deaths in (births, births[:-1])
        assert [row.life for row in rows if row.kind == "birth"] == births
        being.store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(fresh_store(Path(folder))))


COMMANDS = {"birth": "birth", "kill": "death", "pause": "pause", "resume": "resume"}
Alive = Callable[[str], int]


@pytest.fixture
def alive(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Alive:
    """The command line in this process; its exit status. No model is there, so that a birth is quick."""
    for name, value in {"DATA_DIR": str(data_dir), "LLM_PROVIDER": "local", "LOCAL_MODEL_PATH": "none"}.items():
        monkeypatch.setenv(name, value)

    def run(command: str) -> int:
        monkeypatch.setattr(sys, "argv", ["alive", command])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)

    return run


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_keepers_commands_do_it_or_exit_1_and_say_why(
    state: str, command: str, data_dir: Path, alive: Alive, capsys: pytest.CaptureFixture[str]
) -> None:
    async def arrive() -> None:
        (await brought_to(state, data_dir)).store.close()

    async def look() -> str:
        store = Store.open(data_dir, readonly=True)
        life = await store.read(lambda t: read_life(t, BEING))
        store.close()
        return life.state if life else "unborn"

    asyncio.run(arrive())
    after = TABLE[state].get(COMMANDS[command])
    code = alive(command)
    err = capsys.readouterr().err
    assert (code, asyncio.run(look())) == ((0, after) if after else (1, state))
    if after is None:
        (line,) = err.strip().splitlines()
        assert state in line
