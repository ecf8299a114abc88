"""`alive doctor`: finds what is wrong, says how to mend it, and looking costs nothing and changes nothing."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from ai.clock import VirtualClock
from ai.doctor import Finding, examine
from ai.economy.credit_tracker import CreditTracker
from ai.economy.money import exact, parse_usd
from ai.store.backup import back_up
from ai.store.engine import Store
from ai.store.journal import Journal
from ai.store.lease import hold_lock
from ai.store.versions import FILE_NAME
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING, CHEAP, NOON, entries, fresh_store, parrot
from tests.test_cli import Alive, one_sentence

QUIET = {"LLM_PROVIDER": "local", "LOCAL_MODEL_PATH": "none"}


def write_dotenv(chosen: dict[str, str]) -> None:
    Path(".env").write_text("".join(f"{name}='{value}'\n" for name, value in chosen.items()))


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def found(**settings: str) -> list[Finding]:
    """What the doctor finds with exactly these settings, which it reads from `.env` where the test stands."""
    chosen = QUIET | {"DATA_DIR": str(Path.cwd() / "data"), "OBSERVER_PORT": "0"} | settings
    write_dotenv(chosen)
    return await examine(VirtualClock(NOON), paid=False)


async def wrong(name: str, **settings: str) -> str:
    """What the doctor says is wrong under that name: one line, with what to do."""
    failed = [finding for finding in await found(**settings) if not finding.ok and finding.name == name]
    assert failed, f"nothing is said about {name}"
    assert "\n" not in failed[0].says + failed[0].hint
    assert failed[0].hint, "how to mend it"
    return f"{failed[0].says} {failed[0].hint}"


def about(word: str, findings: list[Finding]) -> list[Finding]:
    """What is wrong and has to do with that word."""
    return [finding for finding in findings if not finding.ok and word in finding.says]


def with_key(server: OpenRouterServer, **more: str) -> dict[str, str]:
    return {
        "LLM_PROVIDER": "openrouter",
        "OPENROUTER_API_KEY": server.api_key,
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_DEFAULT_MODEL": CHEAP,
        "LOCAL_MODEL_PATH": "packaged",
    } | more


def test_with_all_well_it_exits_0_and_otherwise_1_saying_how_to_mend_it(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    fresh_store(tmp_path / "data")
    alive = Alive(tmp_path, with_key(openrouter), on_one_core=True)
    well = alive("doctor")
    assert (well.code, well.err) == (0, ""), well.out
    assert "FAIL" not in well.out
    ill = alive.with_(OPENROUTER_API_KEY="sk-or-v1-" + "dead" * 16, LOCAL_MODEL_PATH="none")("doctor", "--json")
    assert (ill.code, ill.err) == (1, "")
    assert ill.json["ok"] is False
    assert {"name", "ok", "says", "hint"} == ill.json["findings"][0].keys()
    assert {"key", "local model"} <= {finding["name"] for finding in ill.json["findings"] if not finding["ok"]}


async def test_looking_costs_nothing_changes_nothing_and_asks_no_model(
    openrouter: OpenRouterServer, data_dir: Path
) -> None:
    before = files(data_dir)
    await found(**with_key(openrouter, LOCAL_MODEL_PATH="none"))
    assert openrouter.calls_to(None) == []
    assert files(data_dir) == before


async def test_where_nobody_has_lived_nothing_is_made(tmp_path: Path) -> None:
    assert "`alive up` begins one" in " ".join(finding.hint for finding in await found())
    assert not (tmp_path / "data").exists()


async def test_paid_asks_for_one_word_which_stands_in_the_books(
    openrouter: OpenRouterServer, store: Store, tracker: CreditTracker
) -> None:
    openrouter.reply_with("Yes.", times="forever")
    await tracker.topup(parse_usd("1.00"), external_id="x")
    await found(**with_key(openrouter, LOCAL_MODEL_PATH="none"))
    (thought,) = [finding for finding in await examine(VirtualClock(NOON), paid=True) if finding.name == "thought"]
    assert thought.ok, thought.says
    assert len(openrouter.calls_to(None)) == 1
    assert [entry["amount"] for entry in await entries(store, "charge")] == [f"-{exact(openrouter.billed_nanos)}"]


# What it finds


async def test_a_wrong_key_is_found(openrouter: OpenRouterServer) -> None:
    assert "401" in await wrong("key", **with_key(openrouter, OPENROUTER_API_KEY="sk-or-v1-" + "dead" * 16))


async def test_a_missing_key_is_found() -> None:
    assert "openrouter" in await wrong("key", LLM_PROVIDER="openrouter")


async def test_a_provider_out_of_reach_is_found(openrouter: OpenRouterServer) -> None:
    await wrong("reach", **with_key(openrouter, OPENROUTER_BASE_URL="http://127.0.0.1:1/api/v1"))


@pytest.mark.parametrize("name", ["gemini", "groq", "openai"])
async def test_a_missing_key_of_any_provider_is_found(name: str) -> None:
    said = await wrong("key", LLM_PROVIDER=name)
    assert name in said
    assert f"{name.upper()}_API_KEY" in said


async def test_a_server_that_needs_no_key_is_asked_without_one() -> None:
    with parrot(200, b'{"data": [{"id": "llama3.2"}]}') as bird:
        findings = await found(LLM_PROVIDER="ollama", OLLAMA_BASE_URL=bird.url)
    assert {finding.name: finding.ok for finding in findings if finding.name in ("key", "reach")} == {"reach": True}


async def test_a_key_is_checked_by_the_list_of_models_where_there_is_no_other_way() -> None:
    body = b'{"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}}'
    with parrot(401, body) as bird:
        said = await wrong("key", LLM_PROVIDER="openai", OPENAI_API_KEY="sk-" + "dead" * 8, OPENAI_BASE_URL=bird.url)
    assert "401" in said
    assert bird.bodies == [], "nothing is asked that could cost money"


async def test_where_the_credits_are_spent_no_other_key_is_asked_for_and_no_network_suspected() -> None:
    body = b'{"error": {"message": "You exceeded your current quota.", "type": "insufficient_quota"}}'
    with parrot(429, body) as bird:
        findings = await found(LLM_PROVIDER="openai", OPENAI_API_KEY="sk-" + "dead" * 8, OPENAI_BASE_URL=bird.url)
    ways = {finding.name: finding.hint for finding in findings if finding.name in ("key", "reach")}
    assert all(way.startswith("Pay in at openai") for way in ways.values())


async def test_a_default_model_that_the_provider_does_not_have_is_found_and_near_ones_are_named() -> None:
    with parrot(200, b'{"data": [{"id": "models/gemini-2.5-flash"}]}') as bird:
        reach = {"LLM_PROVIDER": "gemini", "GEMINI_API_KEY": "AIza" + "x" * 30, "GEMINI_BASE_URL": bird.url}
        said = await wrong("model", GEMINI_DEFAULT_MODEL="gemini-2.5-flas", **reach)
    assert "lists no model “gemini-2.5-flas”" in said
    assert "GEMINI_DEFAULT_MODEL" in said
    assert said.endswith("gemini-2.5-flash.")


async def test_a_default_model_whose_price_nobody_knows_is_found() -> None:
    with parrot(200, b'{"data": [{"id": "my-model"}]}') as bird:
        reach = {"LLM_PROVIDER": "openai", "OPENAI_API_KEY": "sk-" + "x" * 30, "OPENAI_BASE_URL": bird.url}
        said = await wrong("model", OPENAI_DEFAULT_MODEL="my-model", **reach)
    assert "unknown is not free" in said
    assert "MODEL_PRICES=my-model=" in said


async def test_a_default_model_with_a_price_is_well(openrouter: OpenRouterServer, data_dir: Path) -> None:
    (model,) = [finding for finding in await found(**with_key(openrouter)) if finding.name == "model"]
    assert (model.ok, model.says) == (True, f"{CHEAP} is there (cheap).")


async def test_an_unreadable_vault_is_found(tmp_path: Path) -> None:
    failed = [finding for finding in await found(OPENROUTER_API_KEY_FILE=str(tmp_path)) if not finding.ok]
    assert f"{tmp_path} is a directory" in failed[0].says


async def test_a_bad_setting_is_found() -> None:
    assert "MONTHLY_BUDGET" in await wrong("settings", MONTHLY_BUDGET="plenty")


async def test_a_port_in_use_is_found_and_one_that_the_being_itself_uses_is_well(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with hold_lock(data_dir, BEING):
            assert not [
                finding for finding in await found(OBSERVER_PORT=port) if not finding.ok and port in finding.says
            ]
        failed = about(port, await found(OBSERVER_PORT=port))
    assert failed, "nothing is said about the port"
    assert "OBSERVER_PORT" in failed[0].hint


async def test_a_full_disk_is_found() -> None:
    assert "0 MiB are free" in await wrong("disk", DATA_DIR="/proc/nowhere")  # no file system is smaller


async def test_a_folder_that_cannot_be_written_even_by_root_is_found() -> None:
    assert "/proc" in await wrong("permissions", DATA_DIR="/proc/nowhere")


async def test_a_file_in_place_of_the_data_dir_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("somebody's own")
    assert str(tmp_path / "file") in await wrong("permissions", DATA_DIR=str(tmp_path / "file"))


async def test_a_token_that_others_can_read_is_found(data_dir: Path) -> None:
    token = data_dir / "observer-token"
    token.write_text("secret")
    token.chmod(0o644)
    assert f"chmod 600 {token}" in await wrong("permissions")


async def test_a_store_of_a_newer_version_is_found(data_dir: Path) -> None:
    with closing(sqlite3.connect(data_dir / FILE_NAME)) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
        store.commit()
    assert "newer version (revision 9999" in await wrong("store")


async def test_a_corrupt_store_is_found_left_alone_and_the_newest_backup_offered(data_dir: Path) -> None:
    newest = back_up(data_dir, NOON)
    (data_dir / FILE_NAME).write_bytes(b"no database " * 1000)
    said = await wrong("store")
    assert "damaged" in said
    assert f"`alive restore {newest}`" in said
    assert (data_dir / FILE_NAME).read_bytes() == b"no database " * 1000


@pytest.mark.parametrize("content", [None, b"GGUF" + bytes(4096)])
async def test_a_missing_or_broken_model_file_is_found(tmp_path: Path, content: bytes | None) -> None:
    model = tmp_path / "model.gguf"
    if content:
        model.write_bytes(content)
    said = await wrong("local model", LOCAL_MODEL_PATH=str(model))
    assert str(model) in said
    assert "LOCAL_MODEL_PATH" in said


async def test_a_local_model_that_is_turned_off_is_found() -> None:
    assert "silence" in await wrong("local model")


async def test_a_clock_before_the_last_entry_is_found(store: Store) -> None:
    late = VirtualClock(NOON + timedelta(days=1))
    await Journal(store, late, BEING, lambda data: data).write("note", {"text": "."})
    assert "2026-11-22T12:00" in await wrong("clock")


async def test_books_that_do_not_add_up_are_found(data_dir: Path, tracker: CreditTracker) -> None:
    await tracker.topup(parse_usd("1.00"), external_id="x")
    with closing(sqlite3.connect(data_dir / FILE_NAME)) as store:
        store.execute("UPDATE accounts SET topup_nanos = topup_nanos + 5")
        store.commit()
    assert "differ by 0.000000005 dollars" in await wrong("books")


async def test_who_runs_it_is_told(data_dir: Path) -> None:
    with hold_lock(data_dir, BEING):
        assert any("is run by" in finding.says for finding in await found())
    assert any("Nobody is running it" in finding.says for finding in await found())


async def test_no_secret_stands_in_what_it_says() -> None:
    key = "a-key-without-any-telltale-shape"
    with parrot(401, b'{"error": {"message": "Incorrect API key: {key}"}}', echo_authorization=True) as bird:
        said = await found(LLM_PROVIDER="openrouter", OPENROUTER_API_KEY=key, OPENROUTER_BASE_URL=bird.url)
    assert any(finding.name == "key" and not finding.ok for finding in said)
    assert key not in str(said)


def test_a_doctor_that_cannot_read_the_settings_is_no_traceback(tmp_path: Path) -> None:
    done = Alive(tmp_path, {**QUIET, "BEING": "No Being"})("doctor")
    assert done.code == 1
    assert "BEING" in done.out
    assert done.err == ""
    assert one_sentence(Alive(tmp_path, {**QUIET, "BEING": "No Being"})("status"))
