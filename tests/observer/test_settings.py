"""Settings, the token, and the program itself."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ai.errors import AliveError, SettingsError
from observer.server import listen, url_of
from observer.settings import load_settings
from observer.token import observer_token

NO_FILE = Path("/nonexistent/.env")


def test_defaults_hold_and_empty_is_absent() -> None:
    settings = load_settings({"OBSERVER_PORT": "", "BEING": ""}, NO_FILE)
    assert (settings.data_dir, settings.being, settings.host, settings.port) == (
        Path("data"),
        "genesis",
        "127.0.0.1",
        8085,
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("OBSERVER_PORT=9000\nOBSERVER_HOST=0.0.0.0\nOBSERVER_TOKEN=from-the-file\n")
    settings = load_settings({"OBSERVER_PORT": "9001"}, file)
    assert (settings.host, settings.port) == ("0.0.0.0", 9001)  # noqa: S104 - read, not bound to
    assert settings.token is not None
    assert settings.token.get_secret_value() == "from-the-file"


@pytest.mark.parametrize("environ", [{"OBSERVER_PORT": "99999"}, {"OBSERVER_PORT": "http"}, {"LOG_FORMAT": "xml"}])
def test_a_bad_value_is_named_in_one_sentence(environ: Mapping[str, str]) -> None:
    with pytest.raises(SettingsError, match="must be") as caught:
        load_settings(environ, NO_FILE)
    assert next(iter(environ)) in str(caught.value)


def test_a_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = observer_token(tmp_path / "data", None)
    assert observer_token(tmp_path / "data", None) == first
    assert stat.S_IMODE((tmp_path / "data" / "observer-token").stat().st_mode) == 0o600
    assert len(first.get_secret_value()) >= 40
    assert observer_token(tmp_path, SecretStr("mine")).get_secret_value() == "mine"


def test_programs_that_start_at_once_agree_on_the_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(lambda _: observer_token(tmp_path, None).get_secret_value(), range(64)))
    assert len(set(tokens)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["observer-token"]


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "observer-token").touch()
    with pytest.raises(SettingsError, match="is empty"):
        observer_token(tmp_path, None)


def test_a_port_in_use_is_one_plain_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AliveError) as caught:
            listen("127.0.0.1", port)
        assert str(caught.value) == f"Port {port} on 127.0.0.1 is in use. Set OBSERVER_PORT to another."
        assert url_of(taken) == f"http://127.0.0.1:{port}"


def test_a_host_that_is_not_ours_is_one_plain_sentence() -> None:
    with pytest.raises(AliveError, match=r"is no address of this machine. Set OBSERVER_HOST"):
        listen("192.0.2.1", 0)


async def test_the_program_shows_the_page_and_ends_cleanly_with_a_watcher_connected(tmp_path: Path) -> None:
    program, url = await start(tmp_path)
    try:
        async with (
            httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client,
            client.stream("GET", "/api/stream") as stream,
        ):
            assert stream.status_code == 200
            program.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                assert await program.wait() == 0
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.stderr is not None
    assert await program.stderr.read() == b""


def test_the_program_says_in_one_sentence_that_its_port_is_taken(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "observer"],
            env=environment(tmp_path, port),
            capture_output=True,
            timeout=20,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.decode() == f"Port {port} on 127.0.0.1 is in use. Set OBSERVER_PORT to another.\n"


def environment(data_dir: Path, port: int) -> dict[str, str]:
    return {**os.environ, "DATA_DIR": str(data_dir), "OBSERVER_PORT": str(port), "OBSERVER_HOST": "127.0.0.1"}


async def start(data_dir: Path) -> tuple[asyncio.subprocess.Process, str]:
    """The page as a program of its own, and its address."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "observer",
        env=environment(data_dir, 0),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    async with asyncio.timeout(20):
        said = (await program.stdout.readline()).decode()
    return program, said.split()[-1]


def test_a_listener_can_be_had_by_name() -> None:
    with listen("localhost", 0) as listener:
        assert listener.family in (socket.AF_INET, socket.AF_INET6)
