"""Finds every dialect in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from ai.llm import dialects as folder
from ai.llm.dialects.base import Dialect


@cache
def dialects() -> Mapping[str, Dialect]:
    """The providers there are, by name, in alphabetical order."""
    modules = (importlib.import_module(f"{folder.__name__}.{m.name}") for m in pkgutil.iter_modules(folder.__path__))
    found = [thing for module in modules for thing in vars(module).values() if isinstance(thing, Dialect)]
    return {dialect.name: dialect for dialect in sorted(found, key=lambda dialect: dialect.name)}
