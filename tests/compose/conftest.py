"""Containers take minutes and an engine, so these tests run only when they are asked for by name."""

from __future__ import annotations

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    asked = any("compose" in str(argument) for argument in config.invocation_params.args)
    return None if asked else True
