"""The slow proofs run only when they are asked for by name: `make soak`, and SIZE=small for a shorter one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ai.settings import VARIABLES


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    asked = any("soak" in str(argument) for argument in config.invocation_params.args)
    return None if asked else True


@pytest.fixture
def small() -> bool:
    """Whether a short run is enough."""
    return os.environ.get("SIZE", "full") == "small"


@pytest.fixture
def child_environ() -> Iterator[dict[str, str]]:
    """What a child may see of the environment: its settings are handed to it one by one."""
    yield {name: value for name, value in os.environ.items() if name not in VARIABLES}
