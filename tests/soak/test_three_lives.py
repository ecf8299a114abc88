"""Three lives with the real model on this machine, by the command line alone: nobody but the killer helps."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from ai.store.journal import Event, read_events
from tests.parts import BEING, LOCAL, fresh_store
from tests.test_cli import Alive

PATIENCE_S = 180.0  # a busy machine may take long to load a model
THOUGHTS = 2


def wait_until(happened: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until_s, "nothing happens"
        time.sleep(0.2)


def test_three_lives_unattended(tmp_path: Path) -> None:
    fresh_store(tmp_path / "data")
    env = {"LLM_PROVIDER": "local", "THINK_INTERVAL_SECONDS": "1", "REBIRTH_SECONDS": "0-1"}
    alive = Alive(tmp_path, env, on_one_core=True)

    def lived(number: int) -> bool:
        life = alive.state["life"]
        return bool(life["number"] == number and life["thoughts"] >= THOUGHTS)

    process = alive.start("run")
    try:
        for number in (1, 2, 3):
            wait_until(lambda number=number: lived(number))  # type: ignore[misc]  # mypy infers no lambda with a default
            if number < 3:
                assert alive("kill", "--cause", "a test").code == 0
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")

    def told(kind: str) -> list[Event]:
        return alive.look(lambda t: read_events(t, BEING, kind=kind, keeper=True, limit=10_000))

    births, deaths = told("birth"), told("death")
    assert [birth.data["number"] for birth in births] == [1, 2, 3]
    assert [death.data["number"] for death in deaths] == [1, 2]
    assert (births[0].data["name"], births[0].data["pronoun"]) == ("Genesis", "it")
    assert len({birth.data["name"] for birth in births}) == 3
    assert all(2 <= birth.data["fragments"] <= 11 for birth in births[1:])
    for birth in births:
        for name in re.findall(r"\bI am ([A-Z]\w{2,})", birth.data["first_words"]):
            assert name == birth.data["name"].split()[0]
    assert {thought.data["model"] for thought in told("thought")} == {LOCAL}
    assert [(post.life, post.data["occasion"]) for post in told("post") if post.data["occasion"] != "thought"] == [
        (1, "birth"),
        (1, "death"),
        (2, "birth"),
        (2, "death"),
        (3, "birth"),
    ]
    assert told("failure") == []
    assert "Life #3 beginning" in out
    status = alive("status").out
    assert "Life 3" in status
    assert "Life 1, Genesis:" in status
