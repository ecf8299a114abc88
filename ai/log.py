"""What the terminal shows: whole lines, coloured on a terminal, plain when piped, JSON when asked for."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, TextIO

from ai import voice
from ai.clock import iso
from ai.store.journal import Event
from vault.redaction import RedactingFilter, Redactor

logger = logging.getLogger("alive")


def set_up(log_format: str, redactor: Redactor, stream: TextIO | None = None) -> None:
    """Send the program's log to `stream` (standard output by default); every line passes the redaction."""
    stream = stream or sys.stdout
    handler: logging.Handler
    if log_format == "json":
        handler = logging.StreamHandler(stream)
        handler.setFormatter(_JsonLines())
    elif stream.isatty():
        handler = _rich_handler(stream)
    else:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(RedactingFilter(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(logging.INFO)


def speak(events: list[Event]) -> None:
    """Log what was just committed to the journal, in the first system's voice."""
    for event in events if logger.isEnabledFor(logging.INFO) else ():
        for line in voice.lines(event):
            logger.info(line, extra={"event": event.as_json()})


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": iso(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if event := getattr(record, "event", None):
            line["event"] = event
        if record.exc_text or record.exc_info:
            line["traceback"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]  # typeshed allows None inside, which `or` excludes
        return json.dumps(line, ensure_ascii=False)


def _rich_handler(stream: TextIO) -> logging.Handler:
    from rich.console import Console  # loaded only where colours are seen
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=True)  # honours NO_COLOR

    class RichLines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            tag, bracket, rest = message.partition("]")
            if message.startswith("[") and bracket:
                console.print(Text.assemble((tag + bracket, "bold cyan"), rest))
            else:
                console.print(Text(message, style="bold red" if record.levelno >= logging.WARNING else ""))
            if record.exc_text:
                console.print(Text(record.exc_text, style="dim"))

    return RichLines()
