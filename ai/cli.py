"""`alive`: one command line; each command lives in ai/commands and is loaded when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from ai import __version__
from ai.errors import AliveError

COMMANDS = {
    "up": "ai.commands.living",
    "run": "ai.commands.living",
    "think": "ai.commands.living",
    "status": "ai.commands.looking",
    "budget": "ai.commands.looking",
    "ledger": "ai.commands.looking",
    "logs": "ai.commands.looking",
    "say": "ai.commands.talking",
    "birth": "ai.commands.lives",
    "kill": "ai.commands.lives",
    "pause": "ai.commands.lives",
    "resume": "ai.commands.lives",
    "topup": "ai.commands.money",
    "adjust": "ai.commands.money",
    "models": "ai.commands.choosing",
    "switch": "ai.commands.choosing",
    "posting": "ai.commands.speaking",
    "bio": "ai.commands.speaking",
    "simulate": "ai.commands.simulating",
    "doctor": "ai.commands.mending",
    "backup": "ai.commands.mending",
    "restore": "ai.commands.mending",
    "token": "ai.commands.looking",
}


class LazyGroup(click.Group):
    """Finds its commands by name without importing what is not called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="alive")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def alive(debug: bool) -> None:
    """One artificial being that lives on a monthly budget of real money.

    Begin with `alive up` and open http://localhost:8085. Settings come from the environment or .env; see
    docs/configuration.md.
    """


def main() -> None:
    """The entry point: errors become one plain sentence on stderr and an exit status."""
    debug = "--debug" in sys.argv[1:]
    try:
        sys.exit(alive.main(prog_name="alive", standalone_mode=False) or 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except AliveError as exc:
        if debug:
            raise
        click.echo(f"{exc}", err=True)
        sys.exit(exc.exit_code)
