"""Bad input and bad luck: each is one sentence that says what is wrong and what to do, and nothing is lost."""

from __future__ import annotations

import resource
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import vault
from ai.app import open_being
from ai.clock import VirtualClock
from ai.economy.money import parse_usd
from ai.errors import AliveError, ClockError, NobodyThought, StoreDamaged, StoreError
from ai.life.identity import default_identity
from ai.llm.scripted import Scripted
from ai.settings import Settings
from ai.store.backup import back_up, check_whole
from ai.store.engine import Store
from ai.store.journal import Journal
from ai.store.lease import read_lease
from ai.store.migrate import migrate
from ai.store.versions import FILE_NAME
from tests.conftest import MakeSettings
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING, NOON, entries, events, fresh_store, imbalance
from tests.test_cli import PATIENCE_S, Alive, Done, bare, keyed, one_sentence
from tests.test_vault import as_nobody

QUIET = {"LLM_PROVIDER": "local", "LOCAL_MODEL_PATH": "none"}
DUMPED = "alive, by no means: a page that some other program wrote here. " * 400


@pytest.fixture
def alive(tmp_path: Path) -> Alive:
    """The command line over an empty store, with nobody to think."""
    fresh_store(tmp_path / "data")
    return Alive(tmp_path, QUIET)


def with_disk_of(size: int, alive: Alive, *args: str) -> Done:
    """Run a command on a disk that is full as soon as any file has that many bytes."""

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = subprocess.run(
        [sys.executable, "-m", "ai", *args],
        cwd=alive.folder,
        env={**bare(), "DATA_DIR": str(alive.data_dir), "OBSERVER_PORT": "0", **alive.env},
        preexec_fn=fill,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def contents(data_dir: Path) -> list[str]:
    """Everything in the store but who runs it and its heartbeat."""
    with closing(sqlite3.connect(data_dir / FILE_NAME)) as store:
        return [row for row in store.iterdump() if not row.startswith(('INSERT INTO "lea', 'INSERT INTO "heartb'))]


def allow(path: Path, mode: int) -> None:
    path.chmod(mode)


def files(folder: Path) -> dict[str, bytes]:
    """Every file of the store's, by name; locks and shared memory are not the store's."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith((".lock", "-shm"))
    }


async def refusal(
    chosen: tuple[Settings, vault.Secrets], clock: VirtualClock, kind: type[AliveError] = AliveError
) -> str:
    """What the keeper is told instead of a being: one line. The command line prints it and exits with its status."""
    with pytest.raises(kind) as refused:
        async with open_being(*chosen, clock, {"local": Scripted(name="local")}):
            raise AssertionError("it started")
    said = str(refused.value)
    assert "\n" not in said
    assert refused.value.hint, "what to do"
    assert refused.value.exit_code != 0
    return said


# The settings, the port, the folder


async def test_a_port_in_use_is_one_sentence_and_nobody_is_born(alive: Alive) -> None:
    before = contents(alive.data_dir)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = alive.with_(OBSERVER_PORT=port)("up")
    assert done.code == 1
    said = one_sentence(done)
    assert f"Port {port} on 127.0.0.1 is in use" in said
    assert "OBSERVER_PORT" in said
    assert contents(alive.data_dir) == before


def test_an_unreadable_vault_is_one_sentence_naming_the_file(alive: Alive, tmp_path: Path) -> None:
    before = contents(alive.data_dir)
    done = alive.with_(OPENROUTER_API_KEY_FILE=str(tmp_path))("run")
    assert done.code == 2
    said = one_sentence(done)
    assert f"{tmp_path} is a directory" in said
    assert "Remove it" in said
    assert contents(alive.data_dir) == before


@pytest.mark.parametrize("command", ["run", "up"])
def test_a_data_dir_that_cannot_be_written_is_one_sentence(tmp_path: Path, command: str) -> None:
    done = Alive(tmp_path, {**QUIET, "DATA_DIR": "/proc/nowhere"})(command)
    assert done.code != 0
    said = one_sentence(done)
    assert "/proc/nowhere" in said
    assert "DATA_DIR" in said


async def test_a_file_in_place_of_the_data_dir_is_one_sentence_and_the_file_stays(
    settings: MakeSettings, clock: VirtualClock, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("somebody's own")
    assert "DATA_DIR" in await refusal(settings(), clock, StoreError)
    assert (tmp_path / "data").read_text() == "somebody's own"


@pytest.fixture
def others_data_dir() -> Iterator[Path]:
    """A store that belongs to another user, in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield fresh_store(Path(folder) / "data")


async def test_a_read_only_data_dir_is_one_sentence_and_its_store_stays(
    settings: MakeSettings, clock: VirtualClock, others_data_dir: Path
) -> None:
    before = files(others_data_dir)
    allow(others_data_dir, 0o555)
    chosen = settings(DATA_DIR=str(others_data_dir))
    with as_nobody():
        said = await refusal(chosen, clock, StoreError)
    assert "Permission denied" in said
    assert "DATA_DIR" in said
    assert files(others_data_dir) == before


def test_mounted_secrets_that_nobody_may_look_at_are_one_sentence(others_data_dir: Path) -> None:
    others_data_dir.chmod(0)
    with as_nobody(), pytest.raises(vault.VaultError) as refused:
        vault.load({}, (), others_data_dir)
    assert str(others_data_dir) in str(refused.value)


def test_a_folder_nobody_may_enter_is_one_sentence_for_those_who_look_too(others_data_dir: Path) -> None:
    others_data_dir.chmod(0)
    with as_nobody(), pytest.raises(StoreError) as refused:
        Store.open(others_data_dir, readonly=True)
    assert "\n" not in str(refused.value)


# A store that cannot be opened is not a damaged one


async def test_a_store_without_the_right_to_read_it_is_not_taken_for_damaged(
    settings: MakeSettings, clock: VirtualClock, others_data_dir: Path
) -> None:
    (others_data_dir / FILE_NAME).chmod(0)
    allow(others_data_dir, 0o777)
    chosen = settings(DATA_DIR=str(others_data_dir))
    with as_nobody():
        said = await refusal(chosen, clock, StoreError)
    assert str(others_data_dir / FILE_NAME) in said
    assert "damaged" not in said
    assert (others_data_dir / FILE_NAME).exists(), "it is still where it was"


async def test_a_directory_in_place_of_the_store_is_not_taken_for_a_damaged_one(
    settings: MakeSettings, clock: VirtualClock, tmp_path: Path
) -> None:
    (tmp_path / "data" / FILE_NAME).mkdir(parents=True)
    assert "damaged" not in await refusal(settings(), clock, StoreError)
    assert (tmp_path / "data" / FILE_NAME).is_dir()


def test_a_full_disk_after_a_crash_is_not_taken_for_damage_and_nothing_is_lost(alive: Alive) -> None:
    crash = (  # what a killed writer leaves: an entry that stands in the write-ahead log alone
        f"import os, sqlite3; s = sqlite3.connect({str(alive.data_dir / FILE_NAME)!r})\n"
        "s.execute('CREATE TABLE lastwords (said)'); s.execute('INSERT INTO lastwords VALUES (zeroblob(20000))')\n"
        "s.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", crash], check=True, timeout=PATIENCE_S)
    before = files(alive.data_dir)
    done = with_disk_of(16 * 1024, alive, "think")
    assert done.code == 1
    assert "damaged" not in one_sentence(done)
    assert files(alive.data_dir) == before
    migrate(alive.data_dir)
    assert "lastwords" in "".join(contents(alive.data_dir))


# A full disk


def test_a_full_disk_at_the_first_start_is_one_sentence_and_with_room_the_life_begins(tmp_path: Path) -> None:
    alive = Alive(tmp_path, QUIET)
    done = with_disk_of(16 * 1024, alive, "run")
    assert done.code == 1
    assert "full" in one_sentence(done)
    migrate(alive.data_dir)
    check_whole(alive.data_dir / FILE_NAME)


async def test_a_disk_that_fills_up_ends_it_with_one_sentence_and_every_charge_is_in_the_books(
    settings: MakeSettings, tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("I think until there is no room. " * 40, times="forever")
    alive = keyed(tmp_path, openrouter).with_(THINK_INTERVAL_SECONDS="0.001")
    done = with_disk_of(700_000, alive, "run")
    assert done.code == 1
    said = one_sentence(done)
    assert str(alive.data_dir / FILE_NAME) in said
    assert "full" in said or "doctor" in said
    check_whole(alive.data_dir / FILE_NAME)
    async with open_being(*settings(**alive.env), providers={}) as being:
        assert await imbalance(being.books.store) == 0
        balance = await being.books.tracker.balance()
        charged = [-parse_usd(entry["amount"]) for entry in await entries(being.books.store, "charge")]
    assert len(charged) > 1, "it lived before the disk was full"
    assert sum(charged) <= openrouter.billed_nanos <= sum(charged) + balance.unknown_nanos
    assert balance.held_nanos == 0


# A store of another version, a damaged one


async def test_a_store_of_a_newer_version_is_one_sentence_and_not_touched(
    settings: MakeSettings, clock: VirtualClock, data_dir: Path
) -> None:
    with closing(sqlite3.connect(data_dir / FILE_NAME)) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
        store.commit()
    before = files(data_dir)
    said = await refusal(settings(), clock, StoreError)
    assert "newer version (revision 9999" in said
    assert "Update the program" in said
    assert files(data_dir) == before


def garbage(_: bytes) -> bytes:
    return DUMPED.encode()


def pages_overwritten(whole: bytes) -> bytes:
    return whole[:8192] + b"\xff" * 24_576 + whole[32_768:]


def cut_short(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


@pytest.mark.parametrize("damage", [garbage, pages_overwritten, cut_short])
async def test_a_corrupt_store_is_set_aside_under_a_name_and_the_newest_backup_is_offered(
    settings: MakeSettings, clock: VirtualClock, data_dir: Path, damage: Callable[[bytes], bytes]
) -> None:
    back_up(data_dir, NOON - timedelta(days=2))
    newest = back_up(data_dir, NOON - timedelta(days=1))
    path = data_dir / FILE_NAME
    path.write_bytes(damage(path.read_bytes()))
    spoiled = path.read_bytes()
    said = await refusal(settings(), clock, StoreDamaged)
    (aside,) = [name for name in files(data_dir) if ".damaged-" in name]
    assert files(data_dir)[aside] == spoiled
    assert str(data_dir / aside) in said
    assert f"`alive restore {newest}`" in said


async def test_a_corrupt_store_without_a_backup_says_so(
    settings: MakeSettings, clock: VirtualClock, data_dir: Path
) -> None:
    (data_dir / FILE_NAME).write_text(DUMPED)
    assert "There is no backup" in await refusal(settings(), clock, StoreDamaged)


async def test_two_corrupt_stores_in_one_second_are_both_kept(
    settings: MakeSettings, clock: VirtualClock, data_dir: Path
) -> None:
    for which in ("first ", "second "):
        (data_dir / FILE_NAME).write_text(which + DUMPED)
        await refusal(settings(), clock, StoreDamaged)
    kept = b"".join(files(data_dir).values())
    assert b"first " in kept
    assert b"second " in kept


async def test_a_restart_after_damage_does_not_begin_another_life_before_its_keeper_has_decided(
    settings: MakeSettings, clock: VirtualClock, data_dir: Path
) -> None:
    """Containers start again by themselves: the offer must still stand, and no second allowance be granted."""
    newest = back_up(data_dir, NOON)
    (data_dir / FILE_NAME).write_text(DUMPED)
    await refusal(settings(), clock, StoreDamaged)
    assert f"`alive restore {newest}`" in await refusal(settings(), clock, StoreDamaged)
    assert not (data_dir / FILE_NAME).exists()


def test_a_corrupt_store_is_one_sentence_for_those_who_look_and_stays_where_it_is(alive: Alive) -> None:
    path = alive.data_dir / FILE_NAME
    path.write_text(DUMPED)
    before = files(alive.data_dir)
    done = alive("budget")
    assert done.code == 1
    assert "alive doctor" in one_sentence(done)
    assert files(alive.data_dir) == before


# The clock


async def tomorrow(store: Store) -> VirtualClock:
    """Write an entry a day after noon; a clock that stands at noon is now before the last entry."""
    await Journal(store, VirtualClock(NOON + timedelta(days=1)), BEING, lambda data: data).write("note", {"text": "."})
    return VirtualClock(NOON)


async def test_a_clock_before_the_last_entry_is_one_sentence_and_nothing_is_written(
    settings: MakeSettings, store: Store
) -> None:
    clock = await tomorrow(store)
    before = await events(store)
    said = await refusal(settings(), clock, ClockError)
    assert "2026-11-21T12:00" in said
    assert "2026-11-22T12:00" in said
    assert "--despite-clock" in said
    assert await events(store) == before
    assert await store.read(lambda t: read_lease(t, BEING)) is None


async def test_despite_the_clock_it_goes_on_when_its_keeper_says_so(settings: MakeSettings, store: Store) -> None:
    clock = await tomorrow(store)
    async with open_being(*settings(), clock, {"local": Scripted(name="local")}, despite_clock=True) as being:
        await being.birth.ensure(default_identity(BEING))
        await being.brain.live()
    assert len(await events(store, "thought")) == 1


async def test_a_clock_set_back_a_month_grants_no_second_allowance(settings: MakeSettings, clock: VirtualClock) -> None:
    providers = {"local": Scripted(name="local")}
    async with open_being(*settings(), clock, providers) as being:
        await being.birth.ensure(default_identity(BEING))
        await being.brain.live()
    back = VirtualClock(datetime(2026, 10, 5, tzinfo=UTC))
    async with open_being(*settings(), back, providers, despite_clock=True) as being:
        await being.brain.live()
        assert len(await entries(being.books.store, "grant")) == 1
        assert await imbalance(being.books.store) == 0


async def test_a_clock_a_few_minutes_off_stops_nobody(settings: MakeSettings, store: Store) -> None:
    await tomorrow(store)
    clock = VirtualClock(NOON + timedelta(days=1, minutes=-5))
    async with open_being(*settings(), clock, {"local": Scripted(name="local")}):
        pass


# The model file


def test_a_broken_model_file_is_one_sentence_naming_it_and_the_life_is_kept(alive: Alive, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(4096))
    done = alive.with_(LOCAL_MODEL_PATH=str(broken))("think")
    assert done.code == 1
    said = one_sentence(done)
    assert f"{broken} cannot be loaded" in said
    assert "LOCAL_MODEL_PATH" in said
    assert alive.state["life"]["state"] == "alive"


async def test_a_missing_model_file_is_one_sentence_naming_it(
    settings: MakeSettings, clock: VirtualClock, tmp_path: Path
) -> None:
    async with open_being(*settings(LOCAL_MODEL_PATH=str(tmp_path / "gone.gguf")), clock) as being:
        await being.birth.ensure(default_identity(BEING))
        with pytest.raises(NobodyThought, match=r"There is no model file .*gone\.gguf.*LOCAL_MODEL_PATH") as failed:
            await being.brain.live()
    assert "\n" not in str(failed.value)
