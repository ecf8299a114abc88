"""Backups: copies that are consistent, made in time and kept; and the way back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

import ai
from ai.app import open_being
from ai.clock import VirtualClock
from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import parse_usd
from ai.errors import AliveError, StoreDamaged, StoreError, StoreMissing
from ai.life.identity import default_identity
from ai.llm.scripted import Scripted
from ai.store import migrations
from ai.store.backup import KEPT, back_up, backups, copy_store, restore
from ai.store.engine import Store
from ai.store.journal import Journal
from ai.store.keeper import BackupKeeper
from ai.store.lease import hold_lock
from ai.store.migrate import migrate
from ai.store.versions import FILE_NAME, HISTORY, check_version, version_of
from tests.conftest import MakeSettings
from tests.parts import BEING, NOON, entries, events, fresh_store, imbalance
from tests.test_cli import PATIENCE_S, Alive, one_sentence

DOLLAR = parse_usd("1.00")
QUIET = {"LLM_PROVIDER": "local", "LOCAL_MODEL_PATH": "none"}
DAY = timedelta(days=1)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)  # before any real clock that a command may read


def said(file: Path) -> list[str]:
    """The notes in the journal of the store or copy at `file`."""
    with closing(sqlite3.connect(file)) as store:
        return [row[0] for row in store.execute("SELECT data ->> 'text' FROM journal WHERE kind = 'note' ORDER BY id")]


async def note(store: Store, text: str) -> None:
    await Journal(store, VirtualClock(LONG_AGO), BEING, lambda data: data).write("note", {"text": text})


# A copy


async def test_a_copy_made_while_the_books_are_written_is_sound_and_complete_at_its_moment(
    store: Store, tracker: CreditTracker, tmp_path: Path
) -> None:
    stop = asyncio.Event()

    async def spend_and_earn() -> int:
        number = 0
        while not stop.is_set():
            assert await tracker.topup(DOLLAR, external_id=str(number))
            number += 1
        return number

    busy = asyncio.create_task(spend_and_earn())
    counted = []
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        before = len(await entries(store))
        await asyncio.to_thread(copy_store, store.path, folder / FILE_NAME)
        copy = Store.open(folder, readonly=True)
        assert await imbalance(copy) == 0
        counted.append(len(await entries(copy)))
        copy.close()
        assert before <= counted[-1] <= len(await entries(store))
    stop.set()
    assert await busy > 0
    assert counted == sorted(counted)


async def test_a_copy_is_one_file_for_its_owner_alone_with_what_was_just_written(store: Store, tmp_path: Path) -> None:
    await note(store, "the newest word")
    (tmp_path / "kept").mkdir()
    copy = tmp_path / "kept" / "mine.db"
    copy_store(store.path, copy)
    assert [file.name for file in copy.parent.iterdir()] == ["mine.db"]
    assert said(copy) == ["the newest word"]
    assert copy.stat().st_mode & 0o777 == 0o600


async def test_a_copy_that_fails_leaves_the_former_one_and_no_pieces(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be written") as failed:
        copy_store(store.path, tmp_path / "nowhere" / "copy.db")
    assert "\n" not in str(failed.value)
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "copy.db").write_text("the former one")
    (tmp_path / "broken.db").write_text("no database " * 1000)
    with pytest.raises(StoreError):
        copy_store(tmp_path / "broken.db", folder / "copy.db")
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [("copy.db", "the former one")]


def test_a_copy_into_what_is_no_folder_is_one_sentence(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError):
        copy_store(data_dir / FILE_NAME, tmp_path / "file" / "copy.db")


@pytest.mark.parametrize("alias", ["itself", "symlink"])
async def test_the_store_is_never_copied_over_itself(store: Store, tmp_path: Path, alias: str) -> None:
    """A running being would go on writing to a file that no longer has a name."""
    target = store.path
    if alias == "symlink":
        target = tmp_path / "link.db"
        target.symlink_to(store.path)
    file = store.path.stat().st_ino
    with pytest.raises(StoreError):
        copy_store(store.path, target)
    assert store.path.stat().st_ino == file


def test_without_a_store_there_is_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match=r"no store .* to copy"):
        copy_store(tmp_path / FILE_NAME, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


# When, and how many


def test_the_last_seven_are_kept_and_only_their_owner_may_look(data_dir: Path) -> None:
    made = [back_up(data_dir, NOON + number * DAY) for number in range(9)]
    assert KEPT == 7
    assert backups(data_dir) == made[:1:-1]
    assert made[-1].parent == data_dir / "backups"
    assert made[-1].parent.stat().st_mode & 0o077 == 0


def test_with_a_clock_set_back_the_fresh_copy_is_not_the_one_that_goes(data_dir: Path) -> None:
    for number in range(KEPT):
        back_up(data_dir, NOON + number * DAY)
    fresh = back_up(data_dir, NOON - DAY)
    assert fresh.exists()
    assert len(backups(data_dir)) == KEPT


class WeekOver(Exception):
    """The test has seen enough."""


class Week(VirtualClock):
    """Virtual time for a keeper who looks now and then; after some days it stops the keeper."""

    def __init__(self, days: int) -> None:
        super().__init__(NOON)
        self._end = NOON + days * DAY

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        if self.now() > self._end:
            raise WeekOver


async def test_a_copy_is_made_at_once_and_then_once_a_day(data_dir: Path) -> None:
    failures: list[Exception] = []

    async def heard(exc: Exception) -> None:
        failures.append(exc)

    with pytest.raises(WeekOver):
        await BackupKeeper(data_dir, Week(days=3), heard).keep()
    days = [copy.name.removeprefix("alive-")[:8] for copy in reversed(backups(data_dir))]
    assert days == ["20261121", "20261122", "20261123", "20261124"]
    assert failures == []


async def test_a_running_being_backs_itself_up(settings: MakeSettings, clock: VirtualClock, data_dir: Path) -> None:
    async with open_being(*settings(), clock, {"local": Scripted(name="local")}) as being:
        await being.birth.ensure(default_identity(BEING))
        stop = asyncio.Event()
        living = asyncio.create_task(being.daemon.run(stop))
        async with asyncio.timeout(PATIENCE_S):
            while not backups(data_dir):  # noqa: ASYNC110 - what is awaited happens in a thread of the keeper's
                await asyncio.sleep(0.01)
        stop.set()
        await living
    assert "INSERT" in "".join(sqlite3.connect(backups(data_dir)[0]).iterdump())


async def test_a_backup_that_cannot_be_made_is_told_and_the_being_lives_on(
    settings: MakeSettings, clock: VirtualClock, data_dir: Path
) -> None:
    (data_dir / "backups").write_text("no folder")
    async with open_being(*settings(), clock, {"local": Scripted(name="local")}) as being:
        await being.birth.ensure(default_identity(BEING))
        stop = asyncio.Event()
        living = asyncio.create_task(being.daemon.run(stop))
        async with asyncio.timeout(PATIENCE_S):
            while not living.done() and not await events(being.books.store, "failure"):  # noqa: ASYNC110 - another task writes it
                await asyncio.sleep(0.01)
        stop.set()
        await living
        (failure,) = await events(being.books.store, "failure")
        assert failure.data["where"] == "backup"
        assert len(await events(being.books.store, "thought")) >= 1


NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("beings", sa.Column("mood", sa.Text))
"""


@pytest.fixture
def next_version(tmp_path: Path) -> Alive:
    """The program as it may be one day: with one more migration."""
    folder = tmp_path / "next"
    for package in ("ai", "observer", "vault"):
        source = Path(ai.__file__).parents[1] / package
        shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("__pycache__", "credentials.json"))
    versions = folder / "ai" / "store" / "versions.py"
    text = versions.read_text()
    versions.write_text(text.replace("\nHEAD = HISTORY[-1]", '\nHISTORY = (*HISTORY, "next")\nHEAD = HISTORY[-1]'))
    assert versions.read_text() != text
    head = version_of(fresh_store(folder / "data") / FILE_NAME)
    (folder / "ai/store/migrations/versions/9999_next.py").write_text(NEXT_REVISION.format(head=head))
    return Alive(folder, QUIET)


async def test_before_a_migration_the_store_is_copied_and_that_copy_can_be_put_back_and_migrated_again(
    next_version: Alive,
) -> None:
    data_dir = next_version.data_dir
    store = Store.open(data_dir)
    await note(store, "written before the update")
    store.close()
    old = version_of(data_dir / FILE_NAME)
    for _ in range(2):
        thought = await asyncio.to_thread(next_version, "think")  # nobody can think, but it is migrated
        assert "No model could think" in one_sentence(thought)
        assert version_of(data_dir / FILE_NAME) == "next"
        assert "written before the update" in said(data_dir / FILE_NAME)
        copy = backups(data_dir)[-1]
        assert version_of(copy) == old
        assert said(copy) == ["written before the update"]
        restored = await asyncio.to_thread(next_version, "restore", str(copy))
        assert (restored.code, restored.err) == (0, "")
        assert version_of(data_dir / FILE_NAME) == old


# The way back


async def test_a_restored_life_goes_on_and_the_replaced_one_is_kept_whole(tmp_path: Path) -> None:
    alive = Alive(tmp_path, QUIET)
    store = Store.open(fresh_store(alive.data_dir))
    await note(store, "then")
    copied = await asyncio.to_thread(alive, "backup", "copy.db")  # also while it is open elsewhere
    await note(store, "since then")
    store.close()
    restored = await asyncio.to_thread(alive, "restore", "copy.db")
    assert (copied.code, copied.err, restored.code, restored.err) == (0, "", 0, "")
    assert said(alive.data_dir / FILE_NAME) == ["then"]
    (kept,) = alive.data_dir.glob("*before-restore*")
    assert str(kept) in restored.out
    assert said(kept) == ["then", "since then"]
    assert said(tmp_path / "copy.db") == ["then"], "a backup outlives its use"


async def test_what_still_stood_in_the_write_ahead_log_stays_with_the_replaced_store(
    store: Store, data_dir: Path, tmp_path: Path
) -> None:
    copy_store(store.path, tmp_path / "copy.db")
    await note(store, "only in the log")
    crashed = tmp_path / "crashed"
    shutil.copytree(data_dir, crashed)  # as a crash leaves it: the log is not folded back
    kept = restore(crashed, tmp_path / "copy.db", NOON)
    assert kept is not None
    assert said(crashed / FILE_NAME) == []
    assert said(kept) == ["only in the log"]


def test_two_restores_in_one_second_keep_both_that_were_replaced(data_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy_store(data_dir / FILE_NAME, copy)
    first, second = restore(data_dir, copy, NOON), restore(data_dir, copy, NOON)
    assert first is not None
    assert second is not None
    assert first != second
    assert first.exists()
    assert second.exists()


def test_into_an_empty_folder_a_life_moves_in(data_dir: Path, tmp_path: Path) -> None:
    copy_store(data_dir / FILE_NAME, tmp_path / "copy.db")
    assert restore(tmp_path / "new" / "home", tmp_path / "copy.db", NOON) is None
    Store.open(tmp_path / "new" / "home").close()


@pytest.mark.parametrize("running", [BEING, "eve"])
def test_restoring_is_refused_while_a_being_of_that_store_runs(data_dir: Path, tmp_path: Path, running: str) -> None:
    """Two beings may share a folder, and with it the store."""
    copy_store(data_dir / FILE_NAME, tmp_path / "copy.db")
    file = (data_dir / FILE_NAME).stat().st_ino
    with hold_lock(data_dir, running):
        done = Alive(tmp_path, QUIET)("restore", "copy.db")
    assert done.code != 0
    assert running in one_sentence(done)
    assert (data_dir / FILE_NAME).stat().st_ino == file


def test_what_is_no_backup_is_refused_and_the_store_stays(data_dir: Path, tmp_path: Path) -> None:
    newest = back_up(data_dir, NOON)
    before = (data_dir / FILE_NAME).read_bytes()
    broken, other = tmp_path / "broken.db", tmp_path / "other.db"
    broken.write_bytes(before[: len(before) // 2])
    with closing(sqlite3.connect(other)) as somebody_elses:
        somebody_elses.execute("CREATE TABLE recipes (name)")
    refusals: list[tuple[Path, type[AliveError], str]] = [
        (tmp_path / "gone.db", StoreMissing, str(newest)),
        (broken, StoreDamaged, str(broken)),
        (other, StoreError, "no life"),
    ]
    for file, kind, words in refusals:
        with pytest.raises(kind, match=words) as refused:
            restore(data_dir, file, NOON)
        assert "\n" not in str(refused.value)
    assert (data_dir / FILE_NAME).read_bytes() == before
    assert not list(data_dir.glob("*before-restore*"))


def test_a_store_of_an_older_version_is_copied_before_it_is_brought_up_to_date(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["path"] = tmp_path / FILE_NAME
    command.upgrade(config, HISTORY[0])
    migrate(tmp_path, VirtualClock(NOON))
    check_version(tmp_path / FILE_NAME)
    (copy,) = backups(tmp_path)
    assert version_of(copy) == HISTORY[0]
