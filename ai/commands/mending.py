"""Mending: doctor, backup, restore."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from ai import settings
from ai.clock import SystemClock
from ai.commands._common import print_json
from ai.doctor import Finding, examine
from ai.errors import InstanceHeld, StoreError
from ai.store import backup as store_backup
from ai.store.lease import hold_all_locks
from ai.store.versions import FILE_NAME


@click.command()
@click.option("--paid", is_flag=True, help="Also ask the provider for one word, and X for the account: a little money.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def doctor(paid: bool, as_json: bool) -> None:
    """Check keys, reach, books, disk, clock and permissions. Exits 1 when something is wrong."""
    findings = asyncio.run(examine(SystemClock(), paid=paid))
    if as_json:
        print_json({"ok": all(found.ok for found in findings), "findings": [found.as_json() for found in findings]})
    else:
        for found in findings:
            _show(found)
    if not all(found.ok for found in findings):
        sys.exit(1)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Copy the store to FILE, also while the being runs."""
    chosen, _ = settings.load()
    store_backup.copy_store(chosen.data_dir / FILE_NAME, file)
    click.echo(f"The store is copied to {file}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Put the copy FILE back in place of the store. Refused while the being runs; the replaced store is kept."""
    chosen, _ = settings.load()
    try:
        with hold_all_locks(chosen.data_dir):
            kept = store_backup.restore(chosen.data_dir, file, SystemClock().now())
    except InstanceHeld as exc:
        raise StoreError(exc.message, hint="Stop it, restore, and start it again.") from exc
    click.echo(f"{file} is the store now." + (f" The former one is kept as {kept}." if kept else ""))


def _show(found: Finding) -> None:
    mark = click.style("ok  ", fg="green") if found.ok else click.style("FAIL", fg="red", bold=True)
    click.echo(f"{mark} {found.name:<12} {found.says}" + (f" {found.hint}" if found.hint else ""))
