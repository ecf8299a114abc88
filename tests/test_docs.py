"""What is written about the program is true of it."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from ai.cli import COMMANDS, alive
from ai.economy.tiers import TIERS, Tier
from ai.settings import VARIABLES
from vault import SECRETS

ROOT = Path(__file__).parent.parent
NAMES = sorted({*VARIABLES, *SECRETS})


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_explained_and_shown_in_the_example(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert re.search(rf"^# {name}=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_stands_empty_in_the_example_credentials(name: str) -> None:
    assert f'"{name}": ""' in (ROOT / "vault/credentials.example.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_the_tiers_are_documented_as_they_are(tier: Tier) -> None:
    row = next(
        line
        for line in (ROOT / "docs/configuration.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {tier.name} ")
    )
    assert f" {tier.reply_cap_tokens}" in row
    assert row.rstrip(" |").endswith(f" {tier.posts_a_day}")


def test_every_command_has_a_help_text() -> None:
    context = click.Context(alive)
    for name in COMMANDS:
        command = alive.get_command(context, name)
        assert command is not None
        assert command.help, f"{name} has no help"


def test_the_documents_name_only_files_that_exist() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} names {target}"
