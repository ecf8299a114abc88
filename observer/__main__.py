"""`python -m observer`: the page alone, beside a being that runs elsewhere, or does not run."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from datetime import UTC, datetime

import vault
from ai.clock import SystemClock
from ai.errors import AliveError
from observer.app import create_app
from observer.server import listen, serve
from observer.settings import Settings, load_settings
from observer.token import observer_token
from vault.redaction import RedactingFilter


class _JsonLines(logging.Formatter):
    """LOG_FORMAT=json: one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "message": super().format(record)}
        return json.dumps(line, ensure_ascii=False)


def main() -> int:
    """Serve until SIGINT or SIGTERM; the exit status is 0, or an error's own after its sentence on stderr."""
    try:
        asyncio.run(_run(load_settings()))
    except AliveError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    except KeyboardInterrupt:  # before the handlers stood
        pass
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    token = observer_token(settings.data_dir, settings.token)
    log = _log(settings, vault.Redactor({"OBSERVER_TOKEN": token}))
    app = create_app(data_dir=settings.data_dir, being=settings.being, clock=SystemClock(), token=token)
    await serve(
        app,
        settings.host,
        settings.port,
        stop=stop,
        listener=listen(settings.host, settings.port),
        announce=lambda url: log.info("The page is at %s", url),
    )


def _log(settings: Settings, redactor: vault.Redactor) -> logging.Logger:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines() if settings.log_format == "json" else logging.Formatter("%(message)s"))
    handler.addFilter(RedactingFilter(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log = logging.getLogger("observer")
    log.setLevel(logging.INFO)
    return log


if __name__ == "__main__":
    sys.exit(main())
