"""The log: whole lines in text, one object a line in JSON, and no secret in either."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

import vault
from ai import log
from ai.store.journal import Event

SECRET = "tell-nobody-this"
EVENT = Event(7, 1, 1_795_262_400_000, "note", "public", {"text": "It rains; 100% sure."})


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Logging is the process's own: what a test set up is taken down again."""
    root, level = logging.getLogger(), log.logger.level
    handlers, root_level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(root_level)
    log.logger.setLevel(level)


@pytest.fixture
def out(request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    log.set_up(request.param, vault.Redactor({"KEY": SecretStr(SECRET)}), stream)
    return stream


TEXT = pytest.mark.parametrize("out", ["text"], indirect=True)
JSON = pytest.mark.parametrize("out", ["json"], indirect=True)
BOTH = pytest.mark.parametrize("out", ["text", "json"], indirect=True)


@TEXT
def test_an_event_is_told_in_plain_lines_when_piped(out: io.StringIO) -> None:
    log.speak([EVENT])
    assert out.getvalue() == "[NOTE] It rains; 100% sure.\n"


@JSON
def test_an_event_is_one_json_object_a_line_with_the_row_itself(out: io.StringIO) -> None:
    log.speak([EVENT])
    (line,) = out.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"], told["event"]) == ("info", "[NOTE] It rains; 100% sure.", EVENT.as_json())
    assert told["at"].endswith("Z")


@BOTH
def test_no_secret_is_told_in_a_message_or_a_traceback(out: io.StringIO) -> None:
    log.logger.info("the key is %s", SECRET)
    try:
        raise ValueError(f"refused {SECRET}")
    except ValueError:
        log.logger.exception("it failed")
    assert "it failed" in out.getvalue()
    assert "ValueError" in out.getvalue()
    assert SECRET not in out.getvalue()


@JSON
def test_a_traceback_stays_within_its_json_line(out: io.StringIO) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        log.logger.exception("it failed")
    (line,) = out.getvalue().splitlines()
    assert "ValueError: no" in json.loads(line)["traceback"]


@BOTH
def test_the_chatter_of_libraries_is_not_told_but_their_warnings_are(out: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: POST ...")
    logging.getLogger("apscheduler").warning("a job was missed")
    assert "HTTP Request" not in out.getvalue()
    assert "a job was missed" in out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_lines_are_coloured_and_markup_in_them_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    log.set_up("text", vault.Redactor({"KEY": SecretStr(SECRET)}), terminal)
    log.logger.info("[BRAIN] 💭 [red]not red[/red] %s %s", SECRET, "word " * 60 + "end.")
    shown = terminal.getvalue()
    assert "\x1b[" in shown
    assert "[red]not red[/red]" in shown
    assert SECRET not in shown
    assert shown.count("\n") == 1, "a line is never wrapped"


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    log.set_up("text", vault.Redactor({}), terminal)
    log.logger.info("[BRAIN] plain")
    shown = re.sub(r"\x1b\[[01]?m", "", terminal.getvalue())  # bold is no colour
    assert shown == "[BRAIN] plain\n"
