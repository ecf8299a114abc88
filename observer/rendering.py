"""The template engine: every word that reaches a page is text, never markup."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from observer import words
from observer.mood import cause_of_death
from observer.wire import encode


def _pretty(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def _lived(life: dict[str, Any]) -> str:
    return words.span((words.moment(life["died_at"]) - words.moment(life["born_at"])).total_seconds())


@cache  # compiling the templates takes longer than any page
def _engine() -> Environment:
    engine = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters |= {
        "count": words.count,
        "end": cause_of_death,
        "lived": _lived,
        "money": words.money,
        "percent": lambda fraction: f"{fraction:.0%}",
        "plain": lambda name: str(name).replace("_", " "),
        "pretty": _pretty,
        "span": words.span,
        "stamp": words.stamp,
        "wire": lambda data: encode(data).decode(),
    }
    return engine


def render(template: str, *, status: int = 200, headers: dict[str, str] | None = None, **names: Any) -> Response:
    """An HTML answer from a file of `templates/`; half characters a model may have written are replaced."""
    html = _engine().get_template(template).render(names).encode("utf-8", "replace")
    return Response(html, status, {"Cache-Control": "no-store", **(headers or {})}, "text/html")
