"""The command line as its keeper meets it: real processes, real signals, a real model, real money on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ai.clock import SystemClock
from ai.economy.money import exact, parse_usd
from ai.economy.statement import read_budget
from ai.store.engine import Store, Transaction
from ai.store.journal import last_events
from ai.store.state import read_state
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING, CHEAP, LOCAL, PREMIUM, fresh_store, parrot

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]

PATIENCE_S = 120.0  # a busy machine may take long to load a model
ENDS_WITHIN_S = 10.0

STATE = {"being", "life", "mind", "memory", "tier", "thinking", "last_thought", "next_thought_at", "heartbeat_age_s"}
BUDGET = {
    "month",
    "currency",
    "allowance",
    "topups",
    "spent",
    "held",
    "unknown",
    "reserve",
    "available",
    "fraction",
    "tier",
    "resets_at",
    "runway",
    "providers",
    "by_model",
    "by_day",
    "recent",
}
AMOUNTS = ("allowance", "topups", "spent", "held", "unknown", "reserve", "available")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Alive:
    """`python -m ai` with exactly this environment, in a folder of its own."""

    folder: Path
    env: Mapping[str, str]
    on_one_core: bool = False

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def with_(self, **more: str) -> Alive:
        return Alive(self.folder, {**self.env, **more})

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ai", *args],
            cwd=self.folder,
            env={**bare(), "DATA_DIR": str(self.data_dir), "OBSERVER_PORT": "0", **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            preexec_fn=on_one_core if self.on_one_core else None,
        )

    def look(self, question: Callable[[Transaction], T]) -> T:
        """Ask the store itself, where the command that shows it is not what is tried."""

        async def ask() -> T:
            store = Store.open(self.data_dir, readonly=True)
            try:
                return await store.read(question)
            finally:
                store.close()

        return asyncio.run(ask())

    @property
    def state(self) -> dict[str, Any]:
        return self.look(lambda t: read_state(t, BEING, SystemClock().now()))

    @property
    def account(self) -> dict[str, Any]:
        return self.look(lambda t: read_budget(t, BEING))

    def __call__(self, *args: str) -> Done:
        process = self.start(*args)
        out, err = process.communicate(timeout=PATIENCE_S)
        return Done(process.returncode, out, err)


def bare() -> dict[str, str]:
    """What any process needs, and nothing of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT)}


def on_one_core() -> None:
    """Keep the local model to one thread: two that wait for each other on busy cores take ten times as long."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def one_sentence(done: Done) -> str:
    """What stands on stderr: one line, no traceback."""
    assert "Traceback" not in done.err + done.out
    (line,) = done.err.strip().splitlines()
    return line


@pytest.fixture
def alive(tmp_path: Path) -> Alive:
    """The local provider with its model turned off, over an empty store: quick, and nobody thinks."""
    fresh_store(tmp_path / "data")
    return Alive(tmp_path, {"LLM_PROVIDER": "local", "LOCAL_MODEL_PATH": "none"})


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Alive, Done]:
    """A being without key or network that had two thoughts, and what it said meanwhile."""
    alive = Alive(tmp_path_factory.mktemp("lived"), {"LLM_PROVIDER": "local"}, on_one_core=True)
    done = alive("think", "--count", "2")
    assert done.code == 0, done.err
    return alive, done


def keyed(folder: Path, server: OpenRouterServer) -> Alive:
    """A being with a key for the loopback OpenRouter and no local model."""
    env = {
        "OPENROUTER_API_KEY": server.api_key,
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_DEFAULT_MODEL": CHEAP,
        "LOCAL_MODEL_PATH": "none",
    }
    return Alive(folder, env)


def test_without_key_or_network_it_is_born_and_thinks_with_a_real_model(lived: tuple[Alive, Done]) -> None:
    lines = lived[1].out.splitlines()
    assert lines[:3] == ["=" * 80, "🧠 AM I ALIVE? - Genesis Brain", "=" * 80]
    assert [line for line in lines[3:] if not line.startswith("[BUDGET]")][:4] == [
        "[BRAIN] ♻️  Life #1 beginning...",
        "[BRAIN] 💭 Loaded 0 memory fragments",
        "[BRAIN] 👶 Beginning birth sequence...",
        "[BRAIN] 🎭 Identity: Genesis (it)",
    ]
    responses = [line for line in lines if line.startswith("[BRAIN] 💬 Response: ")]
    assert len(responses) == 2
    assert all(line.endswith("| Cost: $0.000000 | Balance: $5.00 (comfortable)") for line in responses)
    assert sum(line.startswith("[BRAIN] 🧠 Model: SmolLM2 135M (Intelligence: 1/10)") for line in lines) == 2
    assert "\x1b" not in lived[1].out, "piped output is plain"


def test_status_tells_the_state_in_the_promised_shape(lived: tuple[Alive, Done]) -> None:
    state = lived[0]("status", "--json").json
    assert state.keys() == STATE
    assert state["being"] == {"id": "genesis", "name": "Genesis", "pronoun": "it", "icon": state["being"]["icon"]}
    assert state["life"].keys() == {"number", "state", "born_at", "thoughts", "cause_of_death", "reborn_at"}
    assert (state["life"]["number"], state["life"]["state"], state["life"]["thoughts"]) == (1, "alive", 2)
    assert state["mind"].keys() == {"model", "provider", "class", "why"}
    assert (state["mind"]["model"], state["mind"]["class"], state["tier"]) == (LOCAL, "local", "comfortable")
    assert state["last_thought"].keys() == {"id", "at", "text"}
    assert (state["thinking"], state["next_thought_at"]) == (False, None)


def test_budget_tells_the_balance_in_the_promised_shape(lived: tuple[Alive, Done]) -> None:
    account = lived[0]("budget", "--json").json
    assert account.keys() == BUDGET
    assert all(exact(parse_usd(account[name])) == account[name] for name in AMOUNTS), "exact decimal strings"
    assert (account["currency"], account["allowance"], account["spent"], account["available"]) == (
        "USD",
        "5.00",
        "0.00",
        "4.90",
    )
    assert account["fraction"] == 1
    assert [row["kind"] for row in account["recent"]][-1] == "grant"


def test_logs_are_the_journal_one_row_a_line(lived: tuple[Alive, Done]) -> None:
    rows = [json.loads(line) for line in lived[0]("logs", "--json").out.splitlines()]
    assert all(row.keys() == {"id", "at", "life", "kind", "visibility", "data"} for row in rows)
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    assert {"birth", "thought", "post", "rollover"} <= {row["kind"] for row in rows}
    thoughts = [json.loads(line) for line in lived[0]("logs", "--json", "--kind", "thought").out.splitlines()]
    assert thoughts == [row for row in rows if row["kind"] == "thought"]
    assert len(thoughts) == 2


def test_people_read_the_same_without_json(lived: tuple[Alive, Done]) -> None:
    alive, _ = lived
    status = alive("status")
    assert (status.code, status.err) == (0, "")
    assert "Genesis" in status.out
    assert "2 thoughts" in status.out
    assert "$4.9000 available" in alive("budget").out


def test_help_names_every_command(alive: Alive) -> None:
    done = alive("--help")
    assert done.code == 0
    for command in ("up", "run", "think", "status", "budget", "ledger", "topup", "models", "switch", "logs", "token"):
        assert f"\n  {command}" in done.out
    unknown = alive("fly")
    assert (unknown.code, "Traceback" in unknown.err) == (2, False)
    assert "fly" in unknown.err


def test_the_same_top_up_twice_credits_once_and_the_ledger_shows_it(alive: Alive) -> None:
    first, second = (alive("topup", "5", "--id", "kofi-7", "--note", "for tea") for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert "Credited $5.00" in first.out
    assert "credited before" in second.out
    entries = alive("ledger", "--json").json
    assert [(entry["kind"], entry["amount"]) for entry in entries] == [("topup", "5.00"), ("grant", "5.00")]
    assert entries[0]["note"] == "for tea"


@pytest.mark.parametrize("amount", ["five", "1e999999999"])
def test_a_bad_amount_is_one_sentence_and_exit_2(alive: Alive, amount: str) -> None:
    done = alive("topup", amount)
    assert done.code == 2
    assert one_sentence(done)


def test_an_unknown_model_is_refused_with_the_nearest_names(alive: Alive) -> None:
    rich = alive.with_(LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody")
    done = rich("switch", "anthropic/claude-3-haikku")
    assert done.code == 2
    assert CHEAP in one_sentence(done)


def test_a_model_the_balance_cannot_afford_is_refused_and_one_it_can_is_kept(alive: Alive) -> None:
    rich = alive.with_(LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody")
    refused = rich("switch", PREMIUM)
    assert refused.code == 2
    assert "too dear" in one_sentence(refused)
    assert rich("switch", CHEAP).code == 0
    listed = rich("models", "--json").json
    (haiku,) = [model for model in listed if model["id"] == CHEAP]
    assert (haiku["class"], haiku["prompt_per_million"], haiku["allowed"]) == ("cheap", "0.25", True)
    assert [model["id"] for model in listed if model["resident"]] == [CHEAP]


def test_what_is_not_there_yet_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = Alive(tmp_path, {"LLM_PROVIDER": "local"})("status")
    assert done.code == 1
    assert "alive up" in one_sentence(done)
    assert not (tmp_path / "data").exists(), "looking makes nothing"


def test_a_bad_setting_is_one_sentence_naming_it(alive: Alive) -> None:
    done = alive.with_(MONTHLY_BUDGET="a lot")("think")
    assert done.code == 2
    assert "MONTHLY_BUDGET" in one_sentence(done)


def test_without_any_model_it_says_so_and_exits_1(alive: Alive) -> None:
    done = alive("think")
    assert done.code == 1
    assert "No model could think" in one_sentence(done)
    (failure,) = alive.look(lambda t: last_events(t, BEING, kind="failure"))
    assert "No model could think" in failure.data["error"]


def test_with_a_key_a_thought_is_streamed_and_charged_what_the_provider_says(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("I think with somebody else's mind, and I pay for it.", times="forever")
    alive = keyed(tmp_path, openrouter)
    done = alive("think", "--count", "2")
    assert done.code == 0, done.err
    calls = openrouter.calls_to(CHEAP)
    assert len(calls) >= 2
    assert all(call.body["stream"] for call in calls)
    account = alive.account
    assert account["spent"] == exact(openrouter.billed_nanos) != "0.00"
    assert [(row["model"], row["calls"]) for row in account["by_model"]] == [(CHEAP, len(calls))]
    assert (account["held"], account["unknown"]) == ("0.00", "0.00")
    assert openrouter.violations == []
    assert openrouter.api_key not in done.out + done.err
    assert no_file_holds(alive.data_dir, openrouter.api_key)


def test_with_a_dead_key_it_thinks_with_the_local_model_and_says_why(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    dead = {"OPENROUTER_API_KEY": "sk-or-v1-" + "dead" * 16, "LOCAL_MODEL_PATH": "packaged"}
    alive = Alive(tmp_path, {**keyed(tmp_path, openrouter).env, **dead}, on_one_core=True)
    done = alive("think")
    assert done.code == 0, done.err
    mind = alive.state["mind"]
    assert (mind["model"], mind["class"]) == (LOCAL, "local")
    assert CHEAP in mind["why"]
    assert "401" in mind["why"]
    assert "401" in done.out


def test_a_key_that_a_provider_says_back_is_printed_and_kept_nowhere(tmp_path: Path) -> None:
    key = "a-key-without-any-telltale-shape"
    with parrot(401, b'{"error": {"message": "Incorrect API key: {key}"}}', echo_authorization=True) as bird:
        alive = Alive(
            tmp_path, {"OPENROUTER_API_KEY": key, "OPENROUTER_BASE_URL": bird.url, "LOCAL_MODEL_PATH": "none"}
        )
        done = alive("think")
    assert done.code == 1
    assert key not in done.out + done.err
    assert no_file_holds(alive.data_dir, key)


def test_a_second_start_goes_on_with_the_same_life_memories_and_books(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    openrouter.reply_with("Again.", times="forever")
    alive = keyed(tmp_path, openrouter)
    assert alive("think").code == 0
    before, account = alive.state, alive.account
    again = alive("think")
    after = alive.state
    assert again.out.splitlines()[1] == "🧠 AM I ALIVE? - Genesis Brain"
    assert "beginning" not in again.out
    assert (after["life"]["number"], after["life"]["born_at"]) == (1, before["life"]["born_at"])
    assert after["life"]["thoughts"] == before["life"]["thoughts"] + 1
    assert alive.account["recent"][-len(account["recent"]) :] == account["recent"]
    assert alive.account["spent"] == exact(openrouter.billed_nanos)
    assert "Again." in json.dumps(openrouter.calls_to(CHEAP)[-1].body["messages"])


@contextmanager
def running(alive: Alive, *args: str) -> Iterator[subprocess.Popen[str]]:
    process = alive.start(*args)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_run_ends_cleanly_in_mid_thought_and_its_hold_is_unknown(
    tmp_path: Path, openrouter: OpenRouterServer, signum: signal.Signals
) -> None:
    openrouter.fault("hang", times="forever")
    alive = keyed(tmp_path, openrouter)
    with running(alive, "run") as process:
        openrouter.wait_until(lambda: bool(openrouter.calls_to(CHEAP)), PATIENCE_S)
        asked = time.monotonic()
        process.send_signal(signum)
        _, err = process.communicate(timeout=PATIENCE_S)
        took_s = time.monotonic() - asked
    assert (process.returncode, err) == (0, "")
    assert took_s < ENDS_WITHIN_S
    account = alive.account
    assert parse_usd(account["unknown"]) > 0
    assert account["held"] == "0.00"


def test_run_ends_at_once_between_thoughts_and_a_second_one_is_refused_meanwhile(
    tmp_path: Path, openrouter: OpenRouterServer
) -> None:
    alive = keyed(tmp_path, openrouter)
    with running(alive, "run") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[BRAIN] 💬 Response"):
                break
        second = alive("think")
        assert second.code == 75
        assert "genesis" in one_sentence(second)
        while alive.state["next_thought_at"] is None:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, err) == (0, "")


def no_file_holds(folder: Path, secret: str) -> bool:
    """Whether no file under `folder` contains the secret."""
    return not any(secret.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())
